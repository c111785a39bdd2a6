"""`make send` puts a message on a queue of the stack, or names what the stack would refuse."""

import json
from typing import Any

import pytest

from gatewayapi.message import from_body, from_fields
from tests.tools.conftest import Deploy, Printed
from tools import send
from tools.command import CommandError
from tools.deployed import Deployed


def received(stack: Deployed, queue: str = "QueueUrl") -> list[dict[str, Any]]:
    answer = stack.client("sqs").receive_message(QueueUrl=stack.output(queue), MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def test_a_message_is_on_the_queue_with_its_fields(deployed: Deployed, printed: Printed) -> None:
    arguments = ["--to", "+45 12 34 56 78", "--text", "Hello", "--sender", "Shop", "--reference", "order-1"]
    assert send.main(arguments) == 0
    (fields,) = received(deployed)
    assert fields == {"recipient": "+45 12 34 56 78", "message": "Hello", "sender": "Shop", "reference": "order-1"}
    assert from_fields(from_body(json.dumps(fields))).recipient == 4512345678
    assert "make status REFERENCE=order-1" in printed()


def test_an_urgent_message_is_on_the_urgent_queue(deployed: Deployed) -> None:
    assert send.main(["--to", "4512345678", "--text", "Hello", "--sender", "Shop", "--urgent"]) == 0
    assert received(deployed) == []
    assert len(received(deployed, "UrgentQueueUrl")) == 1


def test_without_a_reference_the_sqs_message_id_is_named(deployed: Deployed, printed: Printed) -> None:
    send.main(["--to", "4512345678", "--text", "Hello", "--sender", "Shop"])
    answer = deployed.client("sqs").receive_message(QueueUrl=deployed.output("QueueUrl"))
    assert f"make status REFERENCE={answer['Messages'][0]['MessageId']}" in printed()


def test_a_message_without_a_sender_needs_the_stacks_default_sender(deploy: Deploy) -> None:
    stack = deploy(DefaultSender="Shop")
    assert send.main(["--to", "4512345678", "--text", "Hello"]) == 0
    assert len(received(stack)) == 1


def test_every_mistake_is_named_on_a_line_of_its_own(deployed: Deployed) -> None:
    with pytest.raises(CommandError) as caught:
        send.main(["--to", "12", "--text", "", "--sender", "Shop"])
    assert [line.strip().split(":")[0] for line in str(caught.value).splitlines()[1:]] == ["$.message", "$.recipient"]
    assert received(deployed) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "12", "--text", "Hello", "--sender", "Shop"], "recipient"),
        (["--to", "4512345678", "--text", "Hello"], "DefaultSender"),
        (["--to", "4612345678", "--text", "Hello", "--sender", "Shop"], "AllowedPrefixes"),
    ],
)
def test_what_the_stack_would_refuse_is_named_and_not_sent(deploy: Deploy, arguments: list[str], words: str) -> None:
    stack = deploy(AllowedPrefixes="45,49")
    with pytest.raises(CommandError, match=words):
        send.main(arguments)
    assert received(stack) == []
