"""An opt-out is recorded together with its event, in whatever order texts arrive."""

from datetime import timedelta
from itertools import permutations

import pytest

from gatewayapi import clock
from gatewayapi.opt_out_record import OptOutRecord
from tests.aws_calls import Refusal, cancelled
from tests.layer.stored_records import NOW, stored_events, stored_records
from tests.layer.webhook_bodies import TEXT_SMS, inbound
from tests.webhook.webhook_function import READ_KEY, STORE, Answer, Fields, Webhook, envelope, function

__all__ = ["function"]

NUMBER = "4587654321"


def text(message: str = "STOP", *, sent_s: float = 0, event_id: str = "text-1", **fields: object) -> Fields:
    """Return an inbound text that was sent `sent_s` seconds after NOW."""
    sent_at = clock.to_text(NOW + timedelta(seconds=sent_s))
    event = inbound({"message": message}, **{"sent_at": sent_at, **fields})
    return envelope(event_id=event_id, event_type=TEXT_SMS) | {"event": event}


def opt_outs(function: Webhook) -> list[OptOutRecord]:
    return [record for record in stored_records(function.aws) if isinstance(record, OptOutRecord)]


def opt_out_metrics(answer: Answer) -> set[str]:
    return {name for name in answer.metrics() if name.startswith("OptOut")}


def test_an_opt_out_is_recorded_in_the_transaction_of_its_event(function: Webhook) -> None:
    assert function.post(text("Stop.")).calls == {STORE: 1, READ_KEY: 1}
    assert opt_outs(function) == [OptOutRecord(NUMBER, "OUT", NOW, "text-1")]
    (event,) = stored_events(function.aws)
    assert (event.event_id, event.phone_number) == ("text-1", NUMBER)


def test_another_text_is_stored_without_an_opt_out(function: Webhook) -> None:
    assert opt_out_metrics(function.post(text("stop 12345"))) == set()
    assert opt_outs(function) == []
    assert len(stored_events(function.aws)) == 1


def test_an_opt_out_is_counted_and_logged_without_its_number(function: Webhook) -> None:
    answer = function.post(text())
    assert opt_out_metrics(answer) == {"OptOutRecorded"}
    assert (answer.log_line()["opt_out"], answer.log_line()["number"]) == ("OUT", "…321")
    assert NUMBER not in answer.log


def test_an_opt_out_that_is_delivered_again_is_counted_once(function: Webhook) -> None:
    function.post(text())
    assert opt_out_metrics(function.post(text())) == set()
    assert len(opt_outs(function)) == 1


@pytest.mark.parametrize("order", list(permutations([("STOP", -30.0), ("START", -20.0), ("stop", -10.0)])))
def test_the_text_that_was_sent_last_counts_in_whatever_order_texts_arrive(
    function: Webhook, order: tuple[tuple[str, float], ...]
) -> None:
    for message, sent_s in order:
        function.post(text(message, sent_s=sent_s, event_id=f"{message}-{sent_s}"))
    assert opt_outs(function) == [OptOutRecord(NUMBER, "OUT", NOW - timedelta(seconds=10), "stop--10.0")]
    assert len(stored_events(function.aws)) == 3


@pytest.mark.parametrize("order", [("START", "STOP"), ("STOP", "START")])
def test_of_a_stop_and_a_start_at_the_same_time_the_stop_counts(function: Webhook, order: tuple[str, str]) -> None:
    for message in order:
        function.post(text(message, event_id=message))
    assert [record.source for record in opt_outs(function)] == ["STOP"]


def test_a_stop_counts_after_a_start_with_a_time_in_the_future(function: Webhook) -> None:
    function.post(text("START", sent_s=86_400, event_id="text-1"))
    function.now += timedelta(seconds=1)
    function.post(text("STOP", sent_s=1, event_id="text-2"))
    assert [record.status for record in opt_outs(function)] == ["OUT"]


def test_an_unreadable_text_is_stored_and_counted(function: Webhook) -> None:
    answer = function.post(text(sender="Shop"))
    assert (answer.status, answer.body) == (200, {"status": "stored"})
    assert opt_out_metrics(answer) == {"OptOutUnreadable"}
    assert answer.log_line()["opt_out"] == "unreadable"
    assert len(stored_events(function.aws)) == 1
    assert opt_outs(function) == []


def test_neither_the_event_nor_the_opt_out_is_written_alone(function: Webhook) -> None:
    function.calls.refuse(STORE, Refusal("InternalServerError", 500), count=None)
    assert function.post(text()).status == 503
    assert stored_records(function.aws) == []


def test_an_opt_out_is_written_after_a_conflict(function: Webhook) -> None:
    function.calls.refuse(STORE, cancelled("None", "TransactionConflict"), count=2)
    assert function.post(text()).body == {"status": "stored"}
    assert len(opt_outs(function)) == 1


def test_the_stop_words_start_words_and_keywords_are_settings_of_the_stack(
    function: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, words in (("STOP_WORDS", "STOPP,Avsluta"), ("START_WORDS", ""), ("KEYWORDS", "PIZZA")):
        monkeypatch.setenv(name, words)
    function.start()
    for number, message in enumerate(("STOP", "pizza avsluta", "START")):
        function.post(text(message, event_id=f"text-{number}"))
    assert [record.source for record in opt_outs(function)] == ["text-1"]
