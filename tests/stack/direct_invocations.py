"""What a test does to the deployed sender itself: set it, stop its mappings, invoke it, kill it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from local.emulator import REGION
from local.stack import Stack
from local.waiting import wait_for
from tests.stack import function_processes as workers
from tests.stack.deployed_function import name_of, processes_of, update

Record = dict[str, Any]

# The template's own times would let each test of a killed or uncertain message take a quarter of an hour. These keep
# their order: a visibility above the time-out, and the lease (time-out and 5 s) above that. The time-out leaves a
# request some 10 s, enough on a busy machine, since the sender keeps 8 s of it for the result.
TIMEOUT_S = 20
VISIBILITY_S = 22
CONCURRENCY = 6


class Lever:
    """The sender of a stack that was deployed just now."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._functions = stack.client("lambda")
        self.name = name_of(stack, "SenderFunction")
        self.processes = processes_of(stack, self.name)
        self._mappings = [
            each["UUID"]
            for each in self._functions.list_event_source_mappings()["EventSourceMappings"]
            if each["FunctionArn"].endswith(f":{self.name}")
        ]

    def shorten(self) -> None:
        """Set the times that the tests can wait for, and no more processes at once than a small machine bears."""
        self._functions.update_function_configuration(FunctionName=self.name, Timeout=TIMEOUT_S)
        for mapping in self._mappings:
            self._functions.update_event_source_mapping(
                UUID=mapping, ScalingConfig={"MaximumConcurrency": CONCURRENCY}
            )
        for queue in ("QueueUrl", "UrgentQueueUrl"):
            self._stack.client("sqs").set_queue_attributes(
                QueueUrl=self._stack.outputs[queue], Attributes={"VisibilityTimeout": str(VISIBILITY_S)}
            )

    def configure(self, **variables: str) -> dict[str, str]:
        """Set environment variables, and return those that were there; the processes start anew with them."""
        found = self._functions.get_function_configuration(FunctionName=self.name)["Environment"]["Variables"]
        update(self._stack, self.name, Environment={"Variables": {**found, **variables}})
        return {name: found.get(name, "") for name in variables}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Deliver nothing meanwhile: what is sent within comes in as few batches as it fits in."""
        self._enable(on=False)
        try:
            yield
        finally:
            self._enable(on=True)

    def receive(self, message_ids: Sequence[str]) -> list[Record]:
        """Return these messages of the queue as the records of a Lambda event; only while paused."""
        found: dict[str, Record] = {}

        def complete() -> bool:
            answer = self._stack.client("sqs").receive_message(
                QueueUrl=self._stack.outputs["QueueUrl"],
                MaxNumberOfMessages=min(10, len(set(message_ids) - found.keys())),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            found.update({each["MessageId"]: self._record(each) for each in answer.get("Messages", [])})
            return set(message_ids) <= found.keys()

        wait_for(complete, "the messages to be received")
        return [found[message_id] for message_id in message_ids]

    def show(self, records: Sequence[Record]) -> None:
        """Have messages delivered now that were to come back later."""
        sqs, url = self._stack.client("sqs"), self._stack.outputs["QueueUrl"]
        for record in records:
            # Not those that came back by themselves while others were received: they will do so again.
            with suppress(sqs.exceptions.ReceiptHandleIsInvalid):
                sqs.change_message_visibility(
                    QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
                )

    def invoke(self, records: Sequence[Record]) -> list[str]:
        """Invoke the function as a mapping does, and return the message ids that it reports as failed."""
        payload = json.dumps({"Records": records}).encode()
        answer = self._functions.invoke(FunctionName=self.name, Payload=payload)
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return [failure["itemIdentifier"] for failure in said["batchItemFailures"]]

    def deliver(self, records: Sequence[Record]) -> list[str]:
        """Invoke the function, and delete what it did not report as failed, as a mapping does."""
        failed = self.invoke(records)
        for record in records:
            if record["messageId"] not in failed:
                self._stack.client("sqs").delete_message(
                    QueueUrl=self._stack.outputs["QueueUrl"], ReceiptHandle=record["receiptHandle"]
                )
        return failed

    def kill(self) -> None:
        """Kill every process of the function, which must have one."""
        assert workers.kill(self.processes) > 0

    def freeze(self) -> None:
        """Stop every process of the function, which must have one."""
        assert workers.freeze(self.processes) > 0

    def _enable(self, *, on: bool) -> None:
        for mapping in self._mappings:
            self._functions.update_event_source_mapping(UUID=mapping, Enabled=on)

    def _record(self, message: dict[str, Any]) -> Record:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {
                name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._stack.outputs["QueueArn"],
            "awsRegion": REGION,
        }
