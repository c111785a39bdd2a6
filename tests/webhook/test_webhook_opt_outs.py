"""An opt-out is recorded together with its event, in whatever order texts arrive."""

import json
import re
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from gatewayapi import clock
from gatewayapi.opt_out_record import OptOutRecord
from tests.webhook.webhook_function import NOW, STORE, Fields, Webhook, envelope, function

__all__ = ["function"]

PERSON = "4587654321"


def text(message: str = "STOP", *, sent_s: float = 0, event_id: str = "text-1", **event: object) -> Fields:
    """Return an inbound text that was sent `sent_s` seconds after NOW."""
    fields = {
        "msg_id": "01JQRJWK259Y1YEECJZB50908W",
        "sender": int(PERSON),
        "sent_at": clock.to_text(NOW + timedelta(seconds=sent_s)),
        "content": {"message": message, "encoding": "GSM7", "header": None},
        **event,
    }
    given = envelope(event_id=event_id, event_type="user-message.text.sms")
    return given | {"event": fields}


def opt_outs(function: Webhook) -> list[OptOutRecord]:
    return [record for record in function.records() if isinstance(record, OptOutRecord)]


def metrics(log: str) -> set[str]:
    lines = [json.loads(line) for line in log.splitlines() if '"_aws"' in line]
    return {name for line in lines for name in line if name.startswith("OptOut")}


def test_an_opt_out_is_recorded_in_the_transaction_of_its_event(function: Webhook) -> None:
    calls = function.counted(lambda: function.post(text("Stop.")))
    assert calls == {STORE: 1, "GetSecretValue": 1}
    assert opt_outs(function) == [OptOutRecord(PERSON, "OUT", NOW, "text-1")]
    (event,) = function.events()
    assert (event.event_id, event.phone_number) == ("text-1", PERSON)


def test_an_rcs_text_with_a_stop_word_is_an_opt_out(function: Webhook) -> None:
    function.post(text(content="stop") | {"event_type": "user-message.text.rcs"})
    assert [record.status for record in opt_outs(function)] == ["OUT"]


def test_another_text_is_stored_without_an_opt_out(function: Webhook) -> None:
    assert metrics(function.post(text("stop 12345")).log) == set()
    assert opt_outs(function) == []
    assert len(function.events()) == 1


def test_an_opt_out_is_counted_and_logged_without_its_number(function: Webhook) -> None:
    log = function.post(text()).log
    assert metrics(log) == {"OptOutRecorded"}
    (line,) = [json.loads(line) for line in log.splitlines() if '"message":"event"' in line]
    assert (line["opt_out"], line["number"]) == ("OUT", "…321")
    assert PERSON not in log


def test_an_opt_out_that_is_delivered_again_is_counted_once(function: Webhook) -> None:
    function.post(text())
    assert metrics(function.post(text()).log) == set()
    assert len(opt_outs(function)) == 1


@pytest.mark.parametrize("order", list(permutations([("STOP", -30.0), ("START", -20.0), ("stop", -10.0)])))
def test_the_text_that_was_sent_last_counts_whatever_the_order_of_arrival(
    function: Webhook, order: tuple[tuple[str, float], ...]
) -> None:
    for message, sent_s in order:
        function.post(text(message, sent_s=sent_s, event_id=f"{message}-{sent_s}"))
    assert opt_outs(function) == [OptOutRecord(PERSON, "OUT", NOW - timedelta(seconds=10), "stop--10.0")]
    assert len(function.events()) == 3


@pytest.mark.parametrize("order", [("START", "STOP"), ("STOP", "START")])
def test_of_a_stop_and_a_start_at_the_same_time_the_stop_counts(function: Webhook, order: tuple[str, str]) -> None:
    for message in order:
        function.post(text(message, event_id=message))
    assert [record.source for record in opt_outs(function)] == ["STOP"]


def test_a_start_from_the_future_does_not_block_the_next_stop(function: Webhook) -> None:
    function.post(text("START", sent_s=86_400, event_id="text-1"))
    function.now += timedelta(seconds=1)
    function.post(text("STOP", sent_s=1, event_id="text-2"))
    assert [record.status for record in opt_outs(function)] == ["OUT"]


@pytest.mark.parametrize(
    "event",
    [{"sender": None}, {"sender": "Shop"}, {"content": None}, {"content": {"text": "STOP"}}],
    ids=["no sender", "a name", "no content", "another form"],
)
def test_an_unreadable_text_is_stored_and_counted(function: Webhook, event: dict[str, Any]) -> None:
    answer = function.post(text(**event))
    assert (answer.status, answer.body) == (200, {"status": "stored"})
    assert metrics(answer.log) == {"OptOutUnreadable"}
    assert re.search(r'"opt_out": ?"unreadable"', answer.log)
    assert len(function.events()) == 1
    assert opt_outs(function) == []


def test_neither_the_event_nor_the_opt_out_is_written_alone(function: Webhook) -> None:
    function.fail("InternalServerError", status=500, count=None)
    assert function.post(text()).status == 503
    assert function.records() == []


def test_an_opt_out_is_written_after_a_conflict(function: Webhook) -> None:
    function.fail("TransactionCanceledException", "None", "TransactionConflict", count=2)
    assert function.post(text()).body == {"status": "stored"}
    assert len(opt_outs(function)) == 1


def test_the_words_and_keywords_are_settings_of_the_stack(function: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, words in (("STOP_WORDS", "STOPP,Avsluta"), ("START_WORDS", ""), ("KEYWORDS", "PIZZA")):
        monkeypatch.setenv(name, words)
    function.start()
    for number, message in enumerate(("STOP", "pizza avsluta", "START")):
        function.post(text(message, event_id=f"text-{number}"))
    assert [record.source for record in opt_outs(function)] == ["text-1"]
