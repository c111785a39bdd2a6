"""STOP and START on the deployed stack, with opt-outs enforced: who stopped gets no promotions until they start."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatewayapi.opt_out_record import key
from local.stack import NAME, Stack
from local.waiting import wait_for
from simulator.webhook_events import ulid
from tests.stack.command_line import CommandLine, administrator, environment, policy, user
from tests.stack.deployed_stack import World

PERSON = 4520_999_001


def reply(world: World, text: str, status: str) -> None:
    """Have the person send a text to the stack, and wait until the table has what it states."""
    now = datetime.now(UTC)
    event = {
        "msg_id": ulid(now),
        "sender": PERSON,
        "sent_at": now.isoformat(timespec="microseconds"),
        "content": {"message": text, "encoding": "GSM7", "header": None},
    }
    world.desk.ask("event", {"event_type": "user-message.text.sms", "event": event})
    wait_for(lambda: stated(world) == status, f"the opt-out record to be {status}")


def stated(world: World, number: int = PERSON) -> str | None:
    table = world.stack.outputs["TableName"]
    found = world.stack.client("dynamodb").get_item(TableName=table, Key=key(number), ConsistentRead=True)
    status: str | None = found["Item"]["status"]["S"] if "Item" in found else None
    return status


@pytest.fixture(scope="module", autouse=True)
def ended(world: World) -> None:
    """Enforce opt-outs as the parameter OptOuts does; send around a STOP and a START, and wait for the end."""
    world.begin()
    before = world.lever.configure(OPT_OUTS="Enforce")
    try:
        reply(world, "Stop.", "OUT")
        offer = world.message("offer", recipient=PERSON, message_type="promotional", context="campaign-7")
        world.send(offer)
        world.send(world.message("receipt", recipient=PERSON, message_type="transactional"))
        world.send(world.message("other person", message_type="promotional"))
        world.send(world.message("no type", recipient=PERSON))
        world.drain()
        reply(world, "START", "IN")
        world.send(offer)
        world.drain()
    finally:
        world.lever.configure(**before)


def test_a_promotion_is_suppressed_after_stop_and_sent_after_start(world: World) -> None:
    assert world.told("offer") == ["SUPPRESSED", "SENDING", "ACCEPTED", "DELIVERED"]
    assert len(world.desk.sms("offer")) == 1
    assert world.letters("offer") == []


def test_a_transactional_message_is_sent_in_any_case(world: World) -> None:
    assert world.statuses("receipt")[-1] == "DELIVERED"


def test_a_promotion_to_another_person_is_sent(world: World) -> None:
    assert world.statuses("other person")[-1] == "DELIVERED"


def test_a_message_without_a_type_is_a_dead_letter(world: World) -> None:
    (letter,) = world.letters("no type")
    assert letter.said()["ErrorMessage"] == "$.message_type: is required: the stack enforces opt-outs"


def test_the_stream_tells_segments_context_and_why(world: World) -> None:
    suppressed = world.life("offer")[0]
    assert suppressed.error == {"code": "OPTED_OUT", "details": "the recipient has opted out"}
    sent = world.life("offer")[-1]
    assert (sent.segments, sent.encoding, sent.context) == (1, "GSM-7", "campaign-7")


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("venv"))


@pytest.fixture(scope="module")
def shell(stack: Stack, venv: Path) -> CommandLine:
    """A user who may look the stack up and write opt-outs, and nothing else."""
    allowed = policy("cloudformation:DescribeStacks"), stack.outputs["OptOutPolicyArn"]
    return CommandLine(stack, venv, user(stack, *allowed))


def test_make_opt_out_needs_the_opt_out_policy_alone(world: World, shell: CommandLine) -> None:
    other = PERSON + 1
    done = shell.make("opt-out", f"NUMBER=+{other}", f"STACK={NAME}")
    assert (done.returncode, stated(world, other)) == (0, "OUT"), done.stdout
    done = shell.make("opt-out", f"NUMBER={other}", "IN=1", f"STACK={NAME}")
    assert (done.returncode, stated(world, other)) == (0, "IN"), done.stdout


def test_make_opt_out_imports_a_list_that_it_exported(
    world: World, shell: CommandLine, venv: Path, tmp_path: Path
) -> None:
    administrator_shell = CommandLine(world.stack, venv, administrator())
    listed, exported = tmp_path / "list.csv", tmp_path / "exported.csv"
    listed.write_text(f"number,status,changed_at\n{PERSON + 2},OUT,2025-04-01T12:00:00Z\n{PERSON + 3}\n")
    done = shell.make("opt-out", f"IMPORT={listed}", f"STACK={NAME}")
    assert done.returncode == 0, done.stdout
    assert {stated(world, PERSON + 2), stated(world, PERSON + 3)} == {"OUT"}
    done = administrator_shell.make("opt-out", f"EXPORT={exported}", f"STACK={NAME}")
    assert done.returncode == 0, done.stdout
    assert f"{PERSON + 2},OUT,2025-04-01T12:00:00.000000+00:00,make opt-out" in exported.read_text().splitlines()
    assert shell.make("opt-out", f"IMPORT={exported}", f"STACK={NAME}").returncode == 0


def test_make_opt_out_tells_what_it_takes(shell: CommandLine) -> None:
    done = shell.make("opt-out")
    assert done.returncode == 2
    assert "Usage: make opt-out NUMBER=number" in done.stdout
