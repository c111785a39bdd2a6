"""The commands for support staff and operators on the deployed stack, under the policies that the docs name."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatewayapi.clock import to_text
from local.stack import NAME, Stack
from local.waiting import wait_for
from tests.stack.command_line import CommandLine, environment, policy, user
from tests.stack.deployed_stack import DeployedStack

PERSON = 4587650001

Users = Callable[..., CommandLine]


@pytest.fixture(scope="module")
def users(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Users:
    """Return a function that makes a user with some policies, who can also look the stack up."""
    venv = environment(tmp_path_factory.mktemp("venv"))

    def users(*policies: str | Mapping[str, Any]) -> CommandLine:
        return CommandLine(stack, venv, user(stack, policy("cloudformation:DescribeStacks"), *policies))

    return users


@pytest.fixture(scope="module")
def support(stack: Stack, users: Users) -> CommandLine:
    return users(stack.outputs["SupportPolicyArn"])


@pytest.fixture(scope="module")
def operator(stack: Stack, users: Users) -> CommandLine:
    return users(stack.outputs["OperatorPolicyArn"])


@pytest.fixture(scope="module")
def texted(deployed: DeployedStack) -> int:
    """Return the number of a person who was sent a message and has answered."""
    deployed.send(deployed.message("to-a-person", recipient=PERSON))
    deployed.wait_for_status("to-a-person", "DELIVERED")
    deployed.simulator.ask("inbound", {"message": "Where is it?", "sender": PERSON})
    wait_for(deployed.simulator.is_quiet, "the person's text")
    return PERSON


def change(stack: Stack, reference: str, **times: datetime) -> None:
    """Change times of a message's record, as if it had been written then."""
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["TableName"],
        Key={"pk": {"S": reference}, "sk": {"S": "MESSAGE"}},
        UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in times),
        ExpressionAttributeValues={f":{name}": {"S": to_text(at)} for name, at in times.items()},
    )


def test_support_sees_the_messages_and_texts_of_a_person(support: CommandLine, texted: int) -> None:
    told = support.make("person", f"NUMBER=+{texted}", f"STACK={NAME}")
    assert told.returncode == 0, told.stdout
    assert re.search(r"message to the number, reference to-a-person\n  DELIVERED: delivered", told.stdout)
    assert "Where is it?" in told.stdout


def test_support_exports_the_records_of_a_person(support: CommandLine, texted: int) -> None:
    told = support.make("person", f"NUMBER={texted}", "FORMAT=json")
    records = json.loads(told.stdout)["records"]
    assert {record["record_type"] for record in records} == {"message", "event"}


def test_support_sees_what_became_of_a_message(support: CommandLine, texted: int) -> None:
    assert texted
    told = support.make("status", "REFERENCE=to-a-person")
    assert re.search(r"^status +DELIVERED: delivered to the phone$", told.stdout, re.MULTILINE), told.stdout


def test_support_may_not_forget(stack: Stack, deployed: DeployedStack, support: CommandLine) -> None:
    deployed.send(deployed.message("kept", recipient=PERSON + 1))
    deployed.wait_for_status("kept", "DELIVERED")
    deployed.drain()
    change(stack, "kept", updated_at=datetime.now(UTC) - timedelta(days=22))
    told = support.make("forget", f"NUMBER={PERSON + 1}", "CONFIRM=yes")
    assert told.returncode != 0
    assert "AWS refused UpdateItem" in told.stdout


def test_an_operator_forgets_a_person_when_no_copy_can_be_in_a_queue(
    stack: Stack, deployed: DeployedStack, operator: CommandLine
) -> None:
    number = PERSON + 2
    deployed.send(deployed.message("forgotten", recipient=number))
    deployed.wait_for_status("forgotten", "DELIVERED")
    deployed.drain()
    early = operator.make("forget", f"NUMBER={number}", "CONFIRM=yes")
    assert early.returncode != 0
    assert "forgotten  can be forgotten from" in early.stdout
    change(stack, "forgotten", updated_at=datetime.now(UTC) - timedelta(days=22))
    listed = operator.make("forget", f"NUMBER={number}")
    assert "Nothing has been changed" in listed.stdout, listed.stdout
    done = operator.make("forget", f"NUMBER={number}", "CONFIRM=yes")
    assert done.returncode == 0, done.stdout
    assert "0 messages" in operator.make("person", f"NUMBER={number}").stdout
    # A late webhook does not bring the number back, and the reference sends no second SMS.
    deployed.simulator.deliver("forgotten", "READ")
    deployed.send(deployed.message("forgotten", recipient=number))
    deployed.drain()
    (dead_letter,) = deployed.dead_letters("forgotten")
    assert dead_letter.attribute_values()["ErrorCode"] == "REFERENCE_REUSED"
    assert len(deployed.simulator.sms("forgotten")) == 1
    items = stack.client("dynamodb").scan(TableName=stack.outputs["TableName"], ConsistentRead=True)["Items"]
    assert str(number) not in str(items)


def test_an_operator_lists_and_redrives_a_dead_letter(deployed: DeployedStack, operator: CommandLine) -> None:
    first = deployed.send(deployed.message("dead", recipient=1))
    deployed.wait_for_status("dead", "INVALID")
    deployed.drain()
    listed = operator.make("dead-letters")
    assert re.search(r"^dead\n  there since .*\n  INVALID_MESSAGE: ", listed.stdout, re.MULTILINE), listed.stdout
    told = operator.make("redrive", "REFERENCE=dead")
    assert told.returncode == 0, told.stdout
    assert "1 put back on the queue" in told.stdout
    deployed.drain()
    again = deployed.history("dead")[-1]
    assert (again.status, again.message_id != first) == ("INVALID", True)


def test_a_letter_that_sqs_moved_keeps_its_identity(
    stack: Stack, deployed: DeployedStack, operator: CommandLine
) -> None:
    message = deployed.message()
    dead_letter = stack.client("sqs").send_message(
        QueueUrl=stack.outputs["DeadLetterQueueUrl"], MessageBody=json.dumps(message)
    )["MessageId"]
    told = operator.make("redrive", f"REFERENCE={dead_letter}")
    assert told.returncode == 0, told.stdout
    deployed.wait_for_status(dead_letter, "DELIVERED")


def test_a_producer_sends(stack: Stack, deployed: DeployedStack, users: Users) -> None:
    producer = users(stack.outputs["ProducerPolicyArn"])
    told = producer.make("send", "TO=+45 20 00 00 99", 'TEXT=It\'s "here" & now', "REFERENCE=by-make")
    assert told.returncode == 0, told.stdout
    deployed.wait_for_status("by-make", "DELIVERED")
    (sms,) = deployed.simulator.sms("by-make")
    assert sms["message"] == 'It\'s "here" & now'


def test_messages_without_a_webhook_are_found(stack: Stack, deployed: DeployedStack, users: Users) -> None:
    reader = users(policy("dynamodb:Scan", {"TableArn": stack.outputs["TableArn"]}))
    deployed.send(deployed.message("silent", recipient=4512399908))
    deployed.wait_for_status("silent", "ACCEPTED")
    change(stack, "silent", accepted_at=datetime.now(UTC) - timedelta(minutes=90))
    told = reader.make("unheard", "MINUTES=60")
    assert re.search(r"^silent  accepted .* 90 minutes ago", told.stdout, re.MULTILINE), told.stdout
    assert "This reads the whole table" in told.stdout.splitlines()[0]
