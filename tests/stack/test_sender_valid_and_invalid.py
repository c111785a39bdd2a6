"""The path of a message and of an invalid message through the stack, and their logs."""

import json
from collections.abc import Callable

import pytest

from local.waiting import wait_for
from tests.stack.deployed_stack import DeployedStack, Fields

FULL: Fields = {
    "sender": "12345",
    "recipient": "+45 20 11 22 33",
    "message": "Æbler, smørrebrød og kaffe ☕ venter på dig — 你好",
    "reference": "full",
    "expiration": "PT2H",
    "priority": "urgent",
    "label": "campaign/ø",
}
RECIPIENT = 4520112233
# Invalid bodies, each with the code and the reason that its dead letter has.
INVALID = {
    "no-json": ('{"message": ', "INVALID_JSON", "$: must be JSON: see line 1, column 13"),
    "unknown-field": (
        '{"message": "abracadabra", "recipient": 4520000000, "sender": "Example", "reference": "odd", "to": 1}',
        "INVALID_MESSAGE",
        "$.to: is not a known field; did you mean recipient?",
    ),
}


@pytest.fixture(scope="module")
def earlier(deployed: DeployedStack) -> int:
    """Return the number of lines in the sender's log. No process that wrote one of them is still running."""
    deployed.begin()
    deployed.send(deployed.message())  # starts a process
    deployed.drain()
    deployed.sender_function.kill()
    return len(deployed.stack.logs("sender"))


@pytest.fixture(scope="module", autouse=True)
def ids(deployed: DeployedStack, earlier: int) -> dict[str, str]:  # noqa: ARG001 - counts the lines first
    """Send all of them one after the other, and return the SQS message id of each.

    So one process handles all of them. The local AWS always takes the first free process, and it can hold back the
    last lines of a process until its next invocation. Of another process, they could be held back for ever.
    """

    def send(message: Fields | str, *, urgent: bool = False) -> str:
        message_id = deployed.send(message, urgent=urgent)
        deployed.drain()
        return message_id

    without_sender = deployed.message()
    del without_sender["sender"]
    return {
        "plain": send(deployed.message()),
        "full": send(deployed.message(**FULL)),
        "without-sender": send(without_sender),
        "urgent": send(deployed.message("urgent"), urgent=True),
        **{name: send(body) for name, (body, _, _) in INVALID.items()},
        "invalid-urgent": send("no JSON", urgent=True),
    }


def test_the_reference_of_a_message_without_one_is_its_sqs_message_id(
    deployed: DeployedStack, ids: dict[str, str]
) -> None:
    (sms,) = deployed.simulator.sms(ids["plain"])
    last = deployed.history(ids["plain"])[-1]
    assert (last.status, last.message_id, last.msg_id) == ("DELIVERED", ids["plain"], sms["msg_id"])


def test_all_fields_reach_the_provider_and_the_record(deployed: DeployedStack) -> None:
    (sms,) = deployed.simulator.sms("full")
    expected = {**FULL, "recipient": RECIPIENT, "expiration": sms["expiration"]}  # see test_sender_refused for that
    assert {name: sms[name] for name in FULL} == expected
    last = deployed.history("full")[-1]
    assert last.status == "DELIVERED"
    assert (last.recipient, last.sender, last.label) == (RECIPIENT, FULL["sender"], FULL["label"])
    assert last.priority == "urgent"


def test_a_message_without_a_sender_has_the_default_sender(deployed: DeployedStack, ids: dict[str, str]) -> None:
    (sms,) = deployed.simulator.sms(ids["without-sender"])
    assert sms["sender"] == deployed.stack.parameters["DefaultSender"]


def test_messages_of_the_urgent_queue_are_delivered(deployed: DeployedStack) -> None:
    assert deployed.statuses("urgent")[-1] == "DELIVERED"
    assert len(deployed.simulator.sms("urgent")) == 1


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_message_is_in_the_dead_letter_queue_unchanged_with_its_reason(
    deployed: DeployedStack, ids: dict[str, str], name: str
) -> None:
    body, code, reason = INVALID[name]
    reference = "odd" if name == "unknown-field" else ids[name]
    # There can be more than one: on a busy machine, an invocation can time out, and SQS delivers the message again.
    dead_letters = deployed.dead_letters(reference)
    assert {dead_letter.body for dead_letter in dead_letters} == {body}
    attributes = {"ErrorCode": code, "ErrorMessage": reason, "Reference": reference}
    assert all(dead_letter.attribute_values() == attributes for dead_letter in dead_letters)
    record = deployed.history(reference)[-1]
    assert (record.status, record.error) == ("INVALID", {"code": code, "details": reason})


def test_an_invalid_message_of_the_urgent_queue_is_in_the_dead_letter_queue(
    deployed: DeployedStack, ids: dict[str, str]
) -> None:
    dead_letters = deployed.dead_letters(ids["invalid-urgent"])
    codes = {(dead_letter.body, dead_letter.attribute_values()["ErrorCode"]) for dead_letter in dead_letters}
    assert codes == {("no JSON", "INVALID_JSON")}


def test_the_table_does_not_contain_the_text(deployed: DeployedStack) -> None:
    pages = (
        deployed.stack.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=deployed.stack.outputs["TableName"])
    )
    table = json.dumps([page["Items"] for page in pages], ensure_ascii=False, default=repr)
    assert found(table, ["full", "urgent"]) == ["full", "urgent"]
    assert found(table, deployed.texts) == []


def test_the_log_contains_no_text_no_number_and_no_secret(deployed: DeployedStack, ids: dict[str, str]) -> None:
    def has_logged_the_invalid_message() -> bool:
        return any(ids["no-json"] in line for line in deployed.stack.logs("sender"))

    wait_for_log(deployed, has_logged_the_invalid_message, "the line of the invalid message")
    # The words, numbers and secrets are those of all tests of the sender, because this file is the last of them.
    log = "\n".join([*deployed.stack.logs("sender"), *deployed.stack.logs("webhook")])
    assert "unknown field" not in log
    secrets = [*deployed.tokens, deployed.stack.webhook_key]
    assert found(log, [*deployed.texts, *deployed.numbers, *secrets]) == []


def found(text: str, words: list[str]) -> list[str]:
    return [word for word in words if word in text]


def wait_for_log(deployed: DeployedStack, is_complete: Callable[[], bool], what: str) -> None:
    """Wait for lines. If some are held back, send a duplicate, which is neither accepted nor invalid."""

    def complete() -> bool:
        if is_complete():
            return True
        deployed.send(deployed.message(**FULL))
        deployed.drain()
        return False

    wait_for(complete, what)


def test_every_batch_writes_a_log_line_and_metrics(
    deployed: DeployedStack, ids: dict[str, str], earlier: int
) -> None:
    assert len(ids) == 4 + len(INVALID) + 1

    def lines() -> list[Fields]:
        return [json.loads(line) for line in deployed.stack.logs("sender")[earlier:] if line.startswith("{")]

    def agree() -> bool:
        batches = [line["outcomes"] for line in lines() if line.get("message") == "batch"]
        written = [sum(batch.get(outcome, 0) for batch in batches) for outcome in ("accepted", "invalid")]
        metrics = [sum(counted(lines(), metric)) for metric in ("MessageAccepted", "MessageInvalid")]
        return written[0] >= 4 and written[1] >= len(INVALID) + 1 and metrics == written

    wait_for_log(deployed, agree, "the lines of all messages, and the same metrics")
    waits = counted(lines(), "QueueToAcceptSeconds")
    assert waits
    assert all(seconds > 0 for seconds in waits)


def counted(lines: list[Fields], metric: str) -> list[float]:
    """Return the values of a metric, from the lines that CloudWatch takes it from."""
    values: list[float] = []
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Namespace"] == "GatewayApi"
            assert directive["Dimensions"] == [["service"]]
            if metric in [each["Name"] for each in directive["Metrics"]]:
                values += line[metric]
    return values
