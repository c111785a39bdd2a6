"""The sample consumer, deployed as a stack of its own beside the main one: each event once, and nobody is blocked."""

import json
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from gatewayapi.event_record import EVENT_SK, MessageRecord
from gatewayapi.signature import sign
from local.sam import PROJECT
from local.stack import NAME, Stack
from local.waiting import wait_for
from tests.stack.deployed_function import name_of
from tools.smoke import event

BEFORE = [f"consumed-{number}" for number in range(5)]
AFTER = [f"consumed-after-{number}" for number in range(3)]
POSTS = 3
# It passes the mapping's filter, and nobody can read it: an event without any of what makes one.
POISON = {name: {"S": value} for name, value in {"pk": "poison", "sk": "EVENT#1", "record_type": "event"}.items()}
FROM_MAIN_STACK = ("StreamArn", "LayerArn", "ConsumerPolicyArn")
SHARED = ("PythonRuntime", "Architecture")
ANSWER_WITHIN_S = 30
READ_WITHIN_S = 120

Fields = dict[str, Any]


class Consumer:
    """The deployed consumer, and what it was given."""

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
        """Post a new event as often as a provider may that hears no answer."""
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

    def told(self, message: str) -> list[Fields]:
        """Return the consumer's log lines of this kind, oldest first."""
        log = [json.loads(line) for line in self.stack.logs("consumer") if line.startswith("{")]
        return [line for line in log if line["message"] == message]

    def outcomes(self, reference: str) -> list[str]:
        """Return what became of an event, each time that it was delivered."""
        event_id = self.event_ids[reference]
        return [line["outcome"] for line in self.told("event") if line.get("event_id") == event_id]

    def wait_for(self, *references: str) -> None:
        """Wait until these events are handled, and the log says so."""
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
    """Deploy the consumer, post events around a poisoned record, and wait until all are handled."""
    deployed = Consumer(stack)
    dynamodb, table = stack.client("dynamodb"), stack.outputs["TableName"]
    now = datetime.now(UTC)
    message = MessageRecord(BEFORE[0], "ACCEPTED", queued_at=now, updated_at=now, expires_at=now, message_id="1")
    dynamodb.put_item(TableName=table, Item=message.to_item())
    for reference in BEFORE:
        deployed.post(reference)
    dynamodb.put_item(TableName=table, Item=POISON)
    # The first is changed by hand and the second is deleted, as the table's TTL deletes: neither is a new event.
    change = {"UpdateExpression": "SET note = :note", "ExpressionAttributeValues": {":note": {"S": "by hand"}}}
    dynamodb.update_item(TableName=table, Key=deployed.key(BEFORE[0]), **change)
    dynamodb.delete_item(TableName=table, Key=deployed.key(BEFORE[1]))
    for reference in AFTER:
        deployed.post(reference)
    deployed.wait_for(*BEFORE, *AFTER)
    dynamodb.delete_item(TableName=table, Key={name: POISON[name] for name in ("pk", "sk")})
    return deployed


@pytest.mark.parametrize("reference", [*BEFORE, *AFTER])
def test_each_event_is_handled_once_however_often_it_came(consumer: Consumer, reference: str) -> None:
    assert consumer.outcomes(reference) == ["handled"]
    item = consumer.stack.client("dynamodb").get_item(
        TableName=consumer.outputs["HandledTableName"], Key={"event_id": {"S": consumer.event_ids[reference]}}
    )["Item"]
    assert item["reference"] == {"S": reference}
    assert item["what"] == {"S": "DELIVERED"}


def test_a_poisoned_record_is_set_aside_whole_with_its_reason(consumer: Consumer) -> None:
    answer = consumer.stack.client("sqs").receive_message(
        QueueUrl=consumer.outputs["FailureQueueUrl"], MaxNumberOfMessages=10
    )
    (failure,) = (json.loads(message["Body"]) for message in answer["Messages"])
    assert failure["record"]["dynamodb"]["NewImage"] == POISON
    assert failure["reason"].startswith("not a record of this table")


def test_what_comes_after_a_poisoned_record_is_handled(consumer: Consumer) -> None:
    lines = consumer.told("event")
    aside = next(index for index, line in enumerate(lines) if line["outcome"] == "set_aside")
    later = [consumer.event_ids[reference] for reference in AFTER]
    handled = [line["event_id"] for line in lines[aside:] if line["outcome"] == "handled"]
    assert [it for it in handled if it in later] == later


def test_new_events_arrive_and_nothing_else(consumer: Consumer) -> None:
    arrived = sum(line["records"] for line in consumer.told("batch"))
    assert arrived == len(consumer.told("event"))


def test_a_batch_that_comes_again_changes_nothing(consumer: Consumer) -> None:
    reference = "consumed-again"
    consumer.post(reference)
    consumer.wait_for(reference)
    dynamodb = consumer.stack.client("dynamodb")
    item = dynamodb.get_item(TableName=consumer.stack.outputs["TableName"], Key=consumer.key(reference))["Item"]
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": "1"}}
    handled = {"TableName": consumer.outputs["HandledTableName"], "Key": {"event_id": item["event_id"]}}
    before = dynamodb.get_item(**handled)["Item"]
    consumer.invoke(record, record)
    assert consumer.outcomes(reference) == ["handled", "known", "known"]
    assert dynamodb.get_item(**handled)["Item"] == before
