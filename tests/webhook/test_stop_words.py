"""An inbound text opts its sender out if the whole text is a stop word, and in if it is a start word."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayapi.event_record import EventRecord
from gatewayapi.opt_out_record import OptOutRecord
from stop_words import UnreadableTextError, opt_out, recognise, words
from tests.layer.webhook_bodies import RECEIVED, TEXT_SMS, body, envelope, inbound, read

WORDS = words("STOP,STOPALL,UNSUBSCRIBE,opt out,AFMELD", "START,UNSTOP", "PIZZA,Pizza Club")
SENT = RECEIVED - timedelta(seconds=3)


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop",
        " Stop\n",
        "Stop.",
        "STOP!!!",
        '"stop"',
        "🛑 STOP ❤️",
        "\uff53\uff54\uff4f\uff50",
        "opt out",
        "Opt \t  Out",
        "\ufeffafmeld\xa0",
        "pizza stop",
        "PIZZA: STOP",
        "Pizza club, stop.",
        "pizza\nSTOP",
    ],
)
def test_a_stop_word_is_recognised(text: str) -> None:
    assert recognise(text, WORDS) == "OUT"


@pytest.mark.parametrize("text", ["START", "Unstop", "pizza start"])
def test_a_start_word_is_recognised(text: str) -> None:
    assert recognise(text, WORDS) == "IN"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "...",
        "stop 12345",
        "please stop",
        "stop stop",
        "stopp",
        "s t o p",
        "optout",
        "pizzastop",
        "pizza",
        "pizza pizza stop",
        "burger stop",
        "stop pizza",
        "yes",
        "stop" * 10_000,
    ],
)
def test_a_text_with_other_words_is_not_recognised(text: str) -> None:
    assert recognise(text, WORDS) is None


def test_a_word_in_both_lists_is_out() -> None:
    assert recognise("halt", words("HALT", "HALT", "")) == "OUT"


def test_a_stop_word_that_is_also_a_keyword_is_out() -> None:
    assert recognise("stop", words("STOP", "START", "STOP")) == "OUT"


def test_empty_lists_recognise_nothing() -> None:
    assert {recognise(text, words("", ",", " . ")) for text in ("", ".", "STOP", "START")} == {None}


@given(
    st.sampled_from(["STOP", "Afmelding", "AVSLÅ", "रोको", "ΤΈΛΟΣ", "STRASSE"]), st.text(" .,!?\n\"'-", max_size=5)
)
def test_a_word_of_any_language_is_recognised_in_any_case(word: str, punctuation: str) -> None:
    for text in (word, word.lower(), word.upper()):
        assert recognise(punctuation + text + punctuation, words(word, "", "")) == "OUT"


@given(st.text())
def test_no_text_raises_an_error(text: str) -> None:
    assert recognise(text, WORDS) in {"OUT", "IN", None}


def inbound_text(event_type: str = TEXT_SMS, **changes: object) -> EventRecord:
    event = inbound(**{"content": {"message": "Stop"}, "sent_at": SENT.isoformat(), **changes})
    return read(body(envelope(event_type, event, event_id="e-1")))


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("user-message.text.sms", {}),
        ("user-message.text.sms", {"sender": "+45 87 65 43 21"}),
        ("user-message.text.rcs", {"content": "STOP"}),
        ("user-message.text.whatsapp", {"content": "STOP"}),
    ],
)
def test_a_stop_word_makes_an_opt_out_record_of_its_sender(event_type: str, fields: dict[str, Any]) -> None:
    assert opt_out(inbound_text(event_type, **fields), WORDS) == OptOutRecord("4587654321", "OUT", SENT, "e-1")


def test_a_text_with_a_time_in_the_future_gets_the_time_of_receipt() -> None:
    found = opt_out(inbound_text(sent_at="2099-01-01T00:00:00Z", content={"message": "START"}), WORDS)
    assert found == OptOutRecord("4587654321", "IN", RECEIVED, "e-1")


@pytest.mark.parametrize("sent_at", [None, "yesterday", 1_743_508_800, {}])
def test_a_text_without_a_readable_time_gets_the_time_of_its_event(sent_at: object) -> None:
    text = inbound_text(sent_at=sent_at)
    assert opt_out(text, WORDS) == OptOutRecord("4587654321", "OUT", text.timestamp, "e-1")


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("user-message.text.sms", {"content": {"message": "Hello"}}),
        ("user-message.text.sms", {"content": {"message": "x" * 200_000}}),
        ("user-message.location.rcs", {"content": {"latitude": 55, "longitude": 12}}),
        ("user-message.file.rcs", {"content": {"message": "STOP"}}),
    ],
)
def test_other_events_make_no_opt_out_record(event_type: str, fields: dict[str, Any]) -> None:
    assert opt_out(inbound_text(event_type, **fields), WORDS) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"sender": None},
        {"sender": "Shop"},
        {"sender": 1204, "content": None},
        {"sender": -1},
        {"content": None},
        {"content": {}},
        {"content": {"message": None}},
        {"content": {"message": ["STOP"]}},
        {"content": 7},
    ],
)
def test_an_unreadable_text_raises_an_error(fields: dict[str, Any]) -> None:
    with pytest.raises(UnreadableTextError):
        opt_out(inbound_text(**fields), WORDS)
