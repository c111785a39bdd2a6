"""The sample consumer as a stack of its own: every event is handled once, also after a damaged record."""

import json
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from gatewayapi.event_record import EVENT_SK
from gatewayapi.record import MessageRecord
from gatewayapi.signature import sign
from local.sam import PROJECT
from local.stack import NAME, Stack
from local.waiting import wait_for
from tests.stack.command_line import CommandLine, documented_policy, environment, user
from tests.stack.deployed_function import name_of
from tools.smoke import event

BEFORE = [f"consumed-{number}" for number in range(5)]
AFTER = [f"consumed-after-{number}" for number in range(3)]
POSTS = 3
# It passes the mapping's filter, but has none of an event's other attributes.
DAMAGED = {name: {"S": value} for name, value in {"pk": "damaged", "sk": "EVENT#1", "record_type": "event"}.items()}
FROM_MAIN_STACK = ("StreamArn", "LayerArn", "ConsumerPolicyArn")
SHARED = ("PythonRuntime", "Architecture")
ANSWER_WITHIN_S = 30
READ_WITHIN_S = 120

Fields = dict[str, Any]


class Consumer:
    """The deployed consumer, and the events that it was sent."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.name = f"{NAME}-consumer"
        parameters = {name: stack.outputs[name] for name in FROM_MAIN_STACK}
        parameters |= {name: stack.parameters[name] for name in SHARED}
        self.outputs = stack.deploy(
            PROJECT / "examples/consumer/template.yaml", name=self.name, parameters=parameters
        )
        self.event_ids: dict[str, str] = {}

    def post(self, reference: str) -> None:
        """Post a new event several times, as the provider does if it gets no answer."""
        self.event_ids[reference] = str(uuid.uuid4())
        body = event(self.event_ids[reference], reference).encode()
        headers = {"Content-Type": "application/json", "Signature": sign(body, self.stack.webhook_key)}
        for _ in range(POSTS):
            request = urllib.request.Request(self.stack.webhook_url, body, headers)
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S):
                pass

    def key(self, reference: str) -> Fields:
        """Return the key of an event in the main stack's table."""
        return {"pk": {"S": reference}, "sk": {"S": EVENT_SK + self.event_ids[reference]}}

    def logged(self, message: str) -> list[Fields]:
        """Return the consumer's log lines of this kind, oldest first."""
        log = [json.loads(line) for line in self.stack.logs("consumer") if line.startswith("{")]
        return [line for line in log if line["message"] == message]

    def outcomes(self, reference: str) -> list[str]:
        """Return the outcome of each delivery of an event."""
        event_id = self.event_ids[reference]
        return [line["outcome"] for line in self.logged("event") if line.get("event_id") == event_id]

    def wait_until_handled(self, *references: str) -> None:
        """Wait until the log has these events."""
        wait_for(lambda: all(map(self.outcomes, references)), "the consumer to handle all", READ_WITHIN_S)

    def invoke(self, *records: Fields) -> None:
        """Deliver records as the mapping does."""
        answer = self.stack.client("lambda").invoke(
            FunctionName=name_of(self.stack, "ConsumerFunction", stack_name=self.name),
            Payload=json.dumps({"Records": records}).encode(),
        )
        assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.fixture(scope="module")
def consumer(stack: Stack) -> Consumer:
    """Deploy the consumer, post events around a damaged record, and wait until all are handled."""
    deployed = Consumer(stack)
    dynamodb, table = stack.client("dynamodb"), stack.outputs["TableName"]
    now = datetime.now(UTC)
    message = MessageRecord(BEFORE[0], "ACCEPTED", queued_at=now, updated_at=now, expires_at=now, message_id="1")
    dynamodb.put_item(TableName=table, Item=message.to_item())
    for reference in BEFORE:
        deployed.post(reference)
    dynamodb.put_item(TableName=table, Item=DAMAGED)
    # One is changed by hand and one is deleted, as the table's TTL does. Neither is a new event.
    change = {"UpdateExpression": "SET note = :note", "ExpressionAttributeValues": {":note": {"S": "by hand"}}}
    dynamodb.update_item(TableName=table, Key=deployed.key(BEFORE[0]), **change)
    dynamodb.delete_item(TableName=table, Key=deployed.key(BEFORE[1]))
    for reference in AFTER:
        deployed.post(reference)
    deployed.wait_until_handled(*BEFORE, *AFTER)
    dynamodb.delete_item(TableName=table, Key={name: DAMAGED[name] for name in ("pk", "sk")})
    return deployed


@pytest.mark.parametrize("reference", [*BEFORE, *AFTER])
def test_every_event_is_handled_once(consumer: Consumer, reference: str) -> None:
    assert consumer.outcomes(reference) == ["handled"]
    item = consumer.stack.client("dynamodb").get_item(
        TableName=consumer.outputs["HandledTableName"], Key={"event_id": {"S": consumer.event_ids[reference]}}
    )["Item"]
    assert item["reference"] == {"S": reference}
    assert item["what"] == {"S": "DELIVERED"}


def test_a_damaged_record_is_in_the_failure_queue_with_its_reason(consumer: Consumer) -> None:
    answer = consumer.stack.client("sqs").receive_message(
        QueueUrl=consumer.outputs["FailureQueueUrl"], MaxNumberOfMessages=10
    )
    (failure,) = (json.loads(message["Body"]) for message in answer["Messages"])
    assert failure["record"]["dynamodb"]["NewImage"] == DAMAGED
    assert failure["reason"].startswith("not a record of this table")


def test_the_records_after_a_damaged_one_are_handled(consumer: Consumer) -> None:
    lines = consumer.logged("event")
    failed = next(index for index, line in enumerate(lines) if line["outcome"] == "failed")
    later = [consumer.event_ids[reference] for reference in AFTER]
    handled = [line["event_id"] for line in lines[failed:] if line["outcome"] == "handled"]
    assert [it for it in handled if it in later] == later


def test_only_events_are_delivered(consumer: Consumer) -> None:
    arrived = sum(line["records"] for line in consumer.logged("batch"))
    assert arrived == len(consumer.logged("event"))


def test_a_batch_that_is_delivered_again_changes_nothing(consumer: Consumer) -> None:
    reference = "consumed-again"
    consumer.post(reference)
    consumer.wait_until_handled(reference)
    dynamodb = consumer.stack.client("dynamodb")
    item = dynamodb.get_item(TableName=consumer.stack.outputs["TableName"], Key=consumer.key(reference))["Item"]
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": "1"}}
    handled = {"TableName": consumer.outputs["HandledTableName"], "Key": {"event_id": item["event_id"]}}
    before = dynamodb.get_item(**handled)["Item"]
    consumer.invoke(record, record)
    assert consumer.outcomes(reference) == ["handled", "known", "known"]
    assert dynamodb.get_item(**handled)["Item"] == before


def test_stored_events_are_replayed_under_the_policy_of_the_docs(
    consumer: Consumer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stack, reference = consumer.stack, "consumed-and-replayed"
    function = name_of(stack, "ConsumerFunction", stack_name=consumer.name)
    found = stack.client("lambda").get_function_configuration(FunctionName=function)
    values = {"TableArn": stack.outputs["TableArn"], "ARN of the function": found["FunctionArn"]}
    policies = (
        documented_policy("cloudformation:DescribeStacks"),
        documented_policy("lambda:InvokeFunction", values),
    )
    shell = CommandLine(stack, environment(tmp_path_factory.mktemp("venv")), user(stack, *policies))
    begin = datetime.now(UTC)
    consumer.post(reference)
    consumer.wait_until_handled(reference)
    period = (f"FROM={begin.isoformat()}", f"TO={datetime.now(UTC).isoformat()}", f"FUNCTION={function}")
    counted = shell.make("replay", *period)
    assert "1 event received" in counted.stdout, counted.stdout
    assert consumer.outcomes(reference) == ["handled"]
    replayed = shell.make("replay", *period, "CONFIRM=yes")
    assert "1 of 1 delivered" in replayed.stdout, replayed.stdout
    assert consumer.outcomes(reference) == ["handled", "known"]
