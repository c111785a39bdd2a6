"""The commands for support staff and operators on the deployed stack, under the policies that the docs name."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatewayapi.clock import to_text
from gatewayapi.opt_out_record import key
from local.stack import NAME, Stack
from local.waiting import wait_for
from tests.stack.command_line import CommandLine, documented_policy, environment, user
from tests.stack.deployed_stack import DeployedStack

PERSON = 4587650001

Users = Callable[..., CommandLine]


@pytest.fixture(scope="module")
def users(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Users:
    """Return a function that makes a user with some policies, who can also look the stack up."""
    venv = environment(tmp_path_factory.mktemp("venv"))

    def users(*policies: str | Mapping[str, Any]) -> CommandLine:
        return CommandLine(stack, venv, user(stack, documented_policy("cloudformation:DescribeStacks"), *policies))

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
    result = support.make("person", f"NUMBER=+{texted}", f"STACK={NAME}")
    assert result.returncode == 0, result.stdout
    assert re.search(r"message to the number, reference to-a-person\n  DELIVERED: delivered", result.stdout)
    assert "Where is it?" in result.stdout


def test_support_exports_the_records_of_a_person(support: CommandLine, texted: int) -> None:
    result = support.make("person", f"NUMBER={texted}", "FORMAT=json")
    records = json.loads(result.stdout)["records"]
    assert {record["record_type"] for record in records} == {"message", "event"}


def test_support_sees_what_became_of_a_message(support: CommandLine, texted: int) -> None:
    assert texted
    result = support.make("status", "REFERENCE=to-a-person")
    assert re.search(r"^status +DELIVERED: delivered to the phone$", result.stdout, re.MULTILINE), result.stdout


def test_support_may_not_forget(stack: Stack, deployed: DeployedStack, support: CommandLine) -> None:
    deployed.send(deployed.message("kept", recipient=PERSON + 1))
    deployed.wait_for_status("kept", "DELIVERED")
    deployed.drain()
    change(stack, "kept", updated_at=datetime.now(UTC) - timedelta(days=22))
    result = support.make("forget", f"NUMBER={PERSON + 1}", "CONFIRM=yes")
    assert result.returncode != 0
    assert "AWS refused UpdateItem" in result.stdout


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
    result = operator.make("forget", f"NUMBER={number}", "CONFIRM=yes")
    assert result.returncode == 0, result.stdout
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
    result = operator.make("redrive", "REFERENCE=dead")
    assert result.returncode == 0, result.stdout
    assert "1 put back on the queue" in result.stdout
    deployed.drain()
    again = deployed.history("dead")[-1]
    assert (again.status, again.message_id != first) == ("INVALID", True)


def test_a_dead_letter_that_sqs_moved_is_sent_with_its_message_id_as_the_reference(
    stack: Stack, deployed: DeployedStack, operator: CommandLine
) -> None:
    message = deployed.message()
    dead_letter = stack.client("sqs").send_message(
        QueueUrl=stack.outputs["DeadLetterQueueUrl"], MessageBody=json.dumps(message)
    )["MessageId"]
    result = operator.make("redrive", f"REFERENCE={dead_letter}")
    assert result.returncode == 0, result.stdout
    deployed.wait_for_status(dead_letter, "DELIVERED")


def test_a_producer_sends(stack: Stack, deployed: DeployedStack, users: Users) -> None:
    producer = users(stack.outputs["ProducerPolicyArn"])
    result = producer.make("send", "TO=+45 20 00 00 99", 'TEXT=It\'s "here" & now', "REFERENCE=by-make")
    assert result.returncode == 0, result.stdout
    deployed.wait_for_status("by-make", "DELIVERED")
    (sms,) = deployed.simulator.sms("by-make")
    assert sms["message"] == 'It\'s "here" & now'


def test_messages_without_a_webhook_are_found(stack: Stack, deployed: DeployedStack, users: Users) -> None:
    reader = users(documented_policy("dynamodb:Scan", {"TableArn": stack.outputs["TableArn"]}))
    deployed.send(deployed.message("silent", recipient=4512399908))
    deployed.wait_for_status("silent", "ACCEPTED")
    change(stack, "silent", accepted_at=datetime.now(UTC) - timedelta(minutes=90))
    result = reader.make("unheard", "MINUTES=60")
    assert re.search(r"^silent  accepted .* 90 minutes ago", result.stdout, re.MULTILINE), result.stdout
    assert "This reads the whole table" in result.stdout.splitlines()[0]


def opt_out_status(stack: Stack, number: int) -> str | None:
    found = stack.client("dynamodb").get_item(
        TableName=stack.outputs["TableName"], Key=key(number), ConsistentRead=True
    )
    status: str | None = found["Item"]["status"]["S"] if "Item" in found else None
    return status


@pytest.fixture(scope="module")
def opt_outs(stack: Stack, users: Users) -> CommandLine:
    return users(stack.outputs["OptOutPolicyArn"])


def test_opt_outs_are_recorded_with_the_opt_out_policy(stack: Stack, opt_outs: CommandLine) -> None:
    number = PERSON + 3
    result = opt_outs.make("opt-out", f"NUMBER=+{number}")
    assert (result.returncode, opt_out_status(stack, number)) == (0, "OUT"), result.stdout
    result = opt_outs.make("opt-out", f"NUMBER={number}", "IN=1")
    assert (result.returncode, opt_out_status(stack, number)) == (0, "IN"), result.stdout


def test_a_list_of_opt_outs_is_imported_and_exported(
    stack: Stack, opt_outs: CommandLine, users: Users, tmp_path: Path
) -> None:
    dated, undated = PERSON + 4, PERSON + 5
    imported, exported = tmp_path / "imported.csv", tmp_path / "exported.csv"
    imported.write_text(f"number,status,changed_at\n{dated},OUT,2025-04-01T12:00:00Z\n{undated}\n")
    result = opt_outs.make("opt-out", f"IMPORT={imported}")
    assert result.returncode == 0, result.stdout
    assert {opt_out_status(stack, dated), opt_out_status(stack, undated)} == {"OUT"}
    reader = users(documented_policy("dynamodb:Scan", {"TableArn": stack.outputs["TableArn"]}))
    result = reader.make("opt-out", f"EXPORT={exported}")
    assert result.returncode == 0, result.stdout
    assert f"{dated},OUT,2025-04-01T12:00:00.000000+00:00,make opt-out" in exported.read_text().splitlines()


def test_opt_out_without_values_prints_its_usage(opt_outs: CommandLine) -> None:
    result = opt_outs.make("opt-out")
    assert result.returncode == 2
    assert "Usage: make opt-out NUMBER=number" in result.stdout
