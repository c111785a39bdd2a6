"""STOP and START on the deployed stack, with opt-outs enforced: who stopped gets no promotions until they start."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatewayapi.opt_out_record import key
from local.stack import NAME, Stack
from local.waiting import wait_for
from simulator.webhook_events import ulid
from tests.stack.command_line import CommandLine, administrator, environment, policy, user
from tests.stack.deployed_stack import DeployedStack

PERSON = 4520_999_001


def reply(deployed: DeployedStack, text: str, status: str) -> None:
    """Have the person send a text to the stack, and wait until the table has what it states."""
    now = datetime.now(UTC)
    event = {
        "msg_id": ulid(now),
        "sender": PERSON,
        "sent_at": now.isoformat(timespec="microseconds"),
        "content": {"message": text, "encoding": "GSM7", "header": None},
    }
    deployed.simulator.ask("event", {"event_type": "user-message.text.sms", "event": event})
    wait_for(lambda: stated(deployed) == status, f"the opt-out record to be {status}")


def stated(deployed: DeployedStack, number: int = PERSON) -> str | None:
    table = deployed.stack.outputs["TableName"]
    found = deployed.stack.client("dynamodb").get_item(TableName=table, Key=key(number), ConsistentRead=True)
    status: str | None = found["Item"]["status"]["S"] if "Item" in found else None
    return status


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Enforce opt-outs as the parameter OptOuts does; send around a STOP and a START, and wait for the end."""
    deployed.begin()
    before = deployed.sender_function.configure(OPT_OUTS="Enforce")
    try:
        reply(deployed, "Stop.", "OUT")
        offer = deployed.message("offer", recipient=PERSON, message_type="promotional", context="campaign-7")
        deployed.send(offer)
        deployed.send(deployed.message("receipt", recipient=PERSON, message_type="transactional"))
        deployed.send(deployed.message("other person", message_type="promotional"))
        deployed.send(deployed.message("no type", recipient=PERSON))
        deployed.drain()
        reply(deployed, "START", "IN")
        deployed.send(offer)
        deployed.drain()
    finally:
        deployed.sender_function.configure(**before)


def test_a_promotion_is_suppressed_after_stop_and_sent_after_start(deployed: DeployedStack) -> None:
    assert deployed.statuses_without_enroute("offer") == ["SUPPRESSED", "SENDING", "ACCEPTED", "DELIVERED"]
    assert len(deployed.simulator.sms("offer")) == 1
    assert deployed.dead_letters("offer") == []


def test_a_transactional_message_is_sent_in_any_case(deployed: DeployedStack) -> None:
    assert deployed.statuses("receipt")[-1] == "DELIVERED"


def test_a_promotion_to_another_person_is_sent(deployed: DeployedStack) -> None:
    assert deployed.statuses("other person")[-1] == "DELIVERED"


def test_a_message_without_a_type_is_a_dead_letter(deployed: DeployedStack) -> None:
    (dead_letter,) = deployed.dead_letters("no type")
    assert (
        dead_letter.attribute_values()["ErrorMessage"] == "$.message_type: is required: the stack enforces opt-outs"
    )


def test_the_stream_tells_segments_context_and_why(deployed: DeployedStack) -> None:
    suppressed = deployed.history("offer")[0]
    assert suppressed.error == {"code": "OPTED_OUT", "details": "the recipient has opted out"}
    sent = deployed.history("offer")[-1]
    assert (sent.segments, sent.encoding, sent.context) == (1, "GSM-7", "campaign-7")


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("venv"))


@pytest.fixture(scope="module")
def shell(stack: Stack, venv: Path) -> CommandLine:
    """A user who may look the stack up and write opt-outs, and nothing else."""
    allowed = policy("cloudformation:DescribeStacks"), stack.outputs["OptOutPolicyArn"]
    return CommandLine(stack, venv, user(stack, *allowed))


def test_make_opt_out_needs_the_opt_out_policy_alone(deployed: DeployedStack, shell: CommandLine) -> None:
    other = PERSON + 1
    done = shell.make("opt-out", f"NUMBER=+{other}", f"STACK={NAME}")
    assert (done.returncode, stated(deployed, other)) == (0, "OUT"), done.stdout
    done = shell.make("opt-out", f"NUMBER={other}", "IN=1", f"STACK={NAME}")
    assert (done.returncode, stated(deployed, other)) == (0, "IN"), done.stdout


def test_make_opt_out_imports_a_list_that_it_exported(
    deployed: DeployedStack, shell: CommandLine, venv: Path, tmp_path: Path
) -> None:
    administrator_shell = CommandLine(deployed.stack, venv, administrator())
    listed, exported = tmp_path / "list.csv", tmp_path / "exported.csv"
    listed.write_text(f"number,status,changed_at\n{PERSON + 2},OUT,2025-04-01T12:00:00Z\n{PERSON + 3}\n")
    done = shell.make("opt-out", f"IMPORT={listed}", f"STACK={NAME}")
    assert done.returncode == 0, done.stdout
    assert {stated(deployed, PERSON + 2), stated(deployed, PERSON + 3)} == {"OUT"}
    done = administrator_shell.make("opt-out", f"EXPORT={exported}", f"STACK={NAME}")
    assert done.returncode == 0, done.stdout
    assert f"{PERSON + 2},OUT,2025-04-01T12:00:00.000000+00:00,make opt-out" in exported.read_text().splitlines()
    assert shell.make("opt-out", f"IMPORT={exported}", f"STACK={NAME}").returncode == 0


def test_make_opt_out_tells_what_it_takes(shell: CommandLine) -> None:
    done = shell.make("opt-out")
    assert done.returncode == 2
    assert "Usage: make opt-out NUMBER=number" in done.stdout
