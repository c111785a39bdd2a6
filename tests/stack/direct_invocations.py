"""Controls the deployed sender function: its settings, event source mappings, invocations and processes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from local.emulator import REGION
from local.stack import Stack
from local.waiting import wait_for
from tests.stack import function_processes
from tests.stack.deployed_function import name_of, processes_of, update

Record = dict[str, Any]

# With the template's own times, each test of a killed invocation would take a quarter of an hour. These have the same
# order: visibility timeout > function timeout, and the lease (timeout + 5 s) > both. The timeout leaves about 10 s
# for a request, enough on a busy machine, because the sender reserves 8 s for the result.
TIMEOUT_S = 20
VISIBILITY_S = 22
CONCURRENCY = 6


class SenderFunctionControl:
    """The sender of a deployed stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._functions = stack.client("lambda")
        self.name = name_of(stack, "SenderFunction")
        self.processes = processes_of(stack, self.name)
        self._mappings = [
            mapping["UUID"]
            for mapping in self._functions.list_event_source_mappings()["EventSourceMappings"]
            if mapping["FunctionArn"].endswith(f":{self.name}")
        ]

    def shorten(self) -> None:
        """Set timeouts that tests can wait for, and a concurrency for a small machine."""
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
        """Set environment variables, and return their old values. The function's processes restart."""
        found = self._functions.get_function_configuration(FunctionName=self.name)["Environment"]["Variables"]
        update(self._stack, self.name, Environment={"Variables": {**found, **variables}})
        return {name: found.get(name, "") for name in variables}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Disable the mappings, so that messages sent within the block are delivered in few batches."""
        self._enable(on=False)
        try:
            yield
        finally:
            self._enable(on=True)

    def receive(self, message_ids: Sequence[str]) -> list[Record]:
        """Receive these messages from the queue as records of a Lambda event. Only within `paused`."""
        found: dict[str, Record] = {}

        def complete() -> bool:
            answer = self._stack.client("sqs").receive_message(
                QueueUrl=self._stack.outputs["QueueUrl"],
                MaxNumberOfMessages=min(10, len(set(message_ids) - found.keys())),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            found.update({message["MessageId"]: self._record(message) for message in answer.get("Messages", [])})
            return set(message_ids) <= found.keys()

        wait_for(complete, "the messages to be received")
        return [found[message_id] for message_id in message_ids]

    def make_visible(self, records: Sequence[Record]) -> None:
        """Make messages visible now that wait for a visibility timeout."""
        sqs, url = self._stack.client("sqs"), self._stack.outputs["QueueUrl"]
        for record in records:
            # The handle is invalid if the message became visible by itself meanwhile.
            with suppress(sqs.exceptions.ReceiptHandleIsInvalid):
                sqs.change_message_visibility(
                    QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
                )

    def invoke(self, records: Sequence[Record]) -> list[str]:
        """Invoke the function as a mapping does, and return the ids of the messages that it reports as failed."""
        payload = json.dumps({"Records": records}).encode()
        answer = self._functions.invoke(FunctionName=self.name, Payload=payload)
        response = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, response
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    def deliver(self, records: Sequence[Record]) -> list[str]:
        """Invoke the function, and delete the messages that it does not report as failed, as a mapping does."""
        failed = self.invoke(records)
        for record in records:
            if record["messageId"] not in failed:
                self._stack.client("sqs").delete_message(
                    QueueUrl=self._stack.outputs["QueueUrl"], ReceiptHandle=record["receiptHandle"]
                )
        return failed

    def kill(self) -> None:
        """Kill all processes of the function. There must be one."""
        assert function_processes.kill(self.processes) > 0

    def freeze(self) -> None:
        """Stop all processes of the function. There must be one."""
        assert function_processes.freeze(self.processes) > 0

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
