"""Dead letters are listed and put back on the queue, and none is lost on the way or gets another identity."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.aws_calls import Refusal
from tests.moto_aws import Aws
from tests.tools.conftest import Deploy, Printed
from tools import dead_letters, redrive
from tools.command import CommandError
from tools.deployed import Deployed

BODY = {"sender": "Shop", "recipient": 4512345678, "message": "The word is abracadabra"}
REASONS = {"ErrorCode": "RETRIES_EXHAUSTED", "ErrorMessage": "delivered 8 times", "Reference": "order-1"}


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "WAIT_S", 0)


def put_dead_letter(
    stack: Deployed, body: dict[str, Any] | None = None, reasons: dict[str, str] | None = None
) -> str:
    """Put a message into the dead-letter queue, and return its id."""
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in (reasons or {}).items()}
    sent = stack.client("sqs").send_message(
        QueueUrl=stack.output("DeadLetterQueueUrl"),
        MessageBody=json.dumps(body or BODY),
        MessageAttributes=attributes,
    )
    return str(sent["MessageId"])


def received(stack: Deployed, queue: str) -> list[dict[str, Any]]:
    answer = stack.client("sqs").receive_message(
        QueueUrl=stack.output(queue), MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
    )
    return list(answer.get("Messages", []))


def attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}


def test_a_dead_letter_is_put_back_with_its_body_and_its_reference(deployed: Deployed) -> None:
    put_dead_letter(deployed, reasons=REASONS)
    assert redrive.main([]) == 0
    (message,) = received(deployed, "QueueUrl")
    assert json.loads(message["Body"]) == BODY
    # The sender recognises a redrive by ErrorCode. Its value does not matter, and is the same for all.
    assert attributes(message) == {"Reference": REASONS["Reference"], "ErrorCode": "UNCERTAIN"}
    assert received(deployed, "DeadLetterQueueUrl") == []


def test_all_dead_letters_are_put_back_however_many(deployed: Deployed) -> None:
    for number in range(23):
        put_dead_letter(deployed, reasons=REASONS | {"Reference": f"order-{number}"})
    assert redrive.redrive(deployed) == 23
    assert received(deployed, "DeadLetterQueueUrl") == []


@pytest.mark.parametrize("own_reference", ["order-7", None])
def test_a_dead_letter_that_sqs_moved_keeps_its_own_reference_or_its_message_id(
    deployed: Deployed, own_reference: str | None
) -> None:
    message_id = put_dead_letter(deployed, BODY | {"reference": own_reference})
    redrive.main([])
    (message,) = received(deployed, "QueueUrl")
    assert attributes(message) == {"Reference": own_reference or message_id, "ErrorCode": "UNCERTAIN"}


def test_one_reference_is_put_back_and_the_others_stay_visible(deployed: Deployed) -> None:
    put_dead_letter(deployed, reasons=REASONS)
    put_dead_letter(deployed, reasons=REASONS | {"Reference": "order-2"})
    assert redrive.main(["--reference", "order-2"]) == 0
    assert [attributes(it)["Reference"] for it in received(deployed, "QueueUrl")] == ["order-2"]
    assert [attributes(it)["Reference"] for it in received(deployed, "DeadLetterQueueUrl")] == ["order-1"]


@pytest.mark.usefixtures("deployed")
def test_a_reference_that_is_not_there_is_named(printed: Printed) -> None:
    assert redrive.main(["--reference", "order-9"]) == 1
    assert "order-9" in printed()


def test_dead_letters_go_to_the_urgent_queue_on_request(deployed: Deployed) -> None:
    put_dead_letter(deployed, reasons=REASONS)
    redrive.main(["--urgent"])
    assert len(received(deployed, "UrgentQueueUrl")) == 1


def test_a_dead_letter_that_the_queue_refuses_stays_and_does_not_stop_the_others(
    aws: Aws, deployed: Deployed
) -> None:
    for number in (1, 2):
        put_dead_letter(deployed, reasons=REASONS | {"Reference": f"order-{number}"})
    aws.calls.refuse("SendMessage", Refusal("InvalidParameterValue"))
    with pytest.raises(CommandError, match="The queue refused 1"):
        redrive.main([])
    assert len(received(deployed, "QueueUrl")) == 1
    assert len(received(deployed, "DeadLetterQueueUrl")) == 1


@pytest.mark.parametrize("mode", ["DryRun", "Listed"])
def test_a_stack_that_does_not_send_to_everyone_is_left_alone(deploy: Deploy, mode: str) -> None:
    stack = deploy(SendMode=mode)
    put_dead_letter(stack, reasons=REASONS)
    with pytest.raises(CommandError, match=f"SendMode is {mode}"):
        redrive.main([])
    assert received(stack, "QueueUrl") == []
    assert len(received(stack, "DeadLetterQueueUrl")) == 1


def test_an_interruption_between_the_two_steps_loses_nothing(aws: Aws, deployed: Deployed) -> None:
    put_dead_letter(deployed, reasons=REASONS)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    aws.calls.before("DeleteMessage", interrupt)
    with pytest.raises(KeyboardInterrupt):
        redrive.main([])
    assert len(received(deployed, "QueueUrl")) == 1
    assert len(received(deployed, "DeadLetterQueueUrl")) == 1


def test_a_dead_letter_that_is_newer_than_the_redrive_is_not_moved(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_dead_letter(deployed, reasons=REASONS)
    monkeypatch.setattr(redrive, "now", lambda: datetime(2025, 1, 1, tzinfo=UTC))
    assert redrive.redrive(deployed) == 0
    assert len(received(deployed, "DeadLetterQueueUrl")) == 1


def test_the_list_names_reason_and_advice_and_leaves_the_dead_letters(deployed: Deployed, printed: Printed) -> None:
    put_dead_letter(deployed, reasons=REASONS)
    message_id = put_dead_letter(deployed)
    assert dead_letters.main([]) == 0
    output = printed()
    for words in ("order-1", "RETRIES_EXHAUSTED", "delivered 8 times", "Redrive it", message_id, "make redrive"):
        assert words in output
    assert "2 in the dead-letter queue" in output
    assert "abracadabra" not in output
    assert "4512345678" not in output
    assert len(received(deployed, "DeadLetterQueueUrl")) == 2


def test_a_message_with_several_mistakes_has_a_line_for_each(deployed: Deployed, printed: Printed) -> None:
    mistakes = "$.to: is not a known field; did you mean recipient?; $.recipient: is required"
    put_dead_letter(deployed, reasons=REASONS | {"ErrorCode": "INVALID_MESSAGE", "ErrorMessage": mistakes})
    dead_letters.main([])
    lines = [line.strip() for line in printed().splitlines()]
    assert "$.to: is not a known field; did you mean recipient?" in lines
    assert "$.recipient: is required" in lines


@pytest.mark.usefixtures("deployed")
def test_an_empty_queue_is_reported(printed: Printed) -> None:
    assert dead_letters.main([]) == 0
    assert "The dead-letter queue is empty." in printed()
