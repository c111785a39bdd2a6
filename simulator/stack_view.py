"""What a deployed stack stores: records, their changes from the stream, dead letters, opt-outs.

The stack is the one of the environment, on AWS or on the local AWS, found by its name as the commands in `tools` find
it. The page asks for everything here, so nothing is read while no page is open.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from simulator.control_bodies import ControlError
from simulator.stack_stream import Stream
from tools import explanations, records
from tools.command import CommandError, explained
from tools.dead_letters import DeadLetter, DeadLetterQueue
from tools.deployed import Deployed
from tools.redrive import redrive, refuse_without_sending

SERVICES = ("dynamodb", "dynamodbstreams", "sqs")
# Dead letters are invisible to others while the page reads them, so this must be short.
VISIBILITY_S = 5

COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

Fields = dict[str, Any]


class StackView:
    """The stack of this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = Lock()
        self._dead_letters_lock = Lock()  # two readers at once would hide dead letters from each other
        self._stack: Deployed | None = None
        self._stream: Stream | None = None

    def changes(self, since: int) -> Fields:
        """Return what the page shows at a glance, with the records that changed after a cursor."""
        with self._connected() as stack, self._lock:
            if self._stream is None:
                self._stream = Stream(stack.client("dynamodbstreams"), stack.output("StreamArn"))
            self._stream.read()
            counts = stack.client("sqs").get_queue_attributes(
                QueueUrl=stack.output("DeadLetterQueueUrl"), AttributeNames=COUNTS
            )["Attributes"]
            return {
                "stack": {
                    "name": self.name,
                    "endpoint": os.environ.get("AWS_ENDPOINT_URL"),
                    "table": stack.output("TableName"),
                    "queue_url": stack.output("QueueUrl"),
                    "urgent_queue_url": stack.output("UrgentQueueUrl"),
                    "dead_letters": sum(int(counts[name]) for name in COUNTS),
                },
                "records_cursor": self._stream.cursor,
                "records": self._stream.records_since(since),
                "opt_outs": self._stream.opt_outs(),
            }

    def message(self, reference: str) -> Fields:
        """Return the record of a reference with its meaning, its changes, its events and its dead letter."""
        with self._connected() as stack:
            items = records.under(stack, reference)
            record = next((item for item in items if records.is_message(item)), None)
            events = sorted((item for item in items if records.is_event(item)), key=lambda item: item["received_at"])
            dead_letters = (found for found in self._read_dead_letters(stack) if found["reference"] == reference)
            with self._lock:
                changes = self._stream.changes_of(reference) if self._stream else []
            return {
                "record": record,
                "explanation": _explanation(record, stack) if record else None,
                "changes": changes,
                "events": events,
                "dead_letter": next(dead_letters, None),
            }

    def dead_letters(self) -> list[Fields]:
        """Return what waits in the dead-letter queue, oldest first."""
        with self._connected() as stack:
            return self._read_dead_letters(stack)

    def redrive(self, reference: str) -> int:
        """Put the dead letters of a reference back on the queue, as `make redrive` does, and return how many."""
        with self._connected() as stack:
            refuse_without_sending(stack)
            with self._dead_letters_lock:
                return redrive(stack, reference)

    def put_on_queue(self, body: Fields, *, urgent: bool) -> str:
        """Put a message on the queue, and return the SQS message id."""
        with self._connected() as stack:
            sent = stack.client("sqs").send_message(
                QueueUrl=stack.output("UrgentQueueUrl" if urgent else "QueueUrl"),
                MessageBody=json.dumps(body, ensure_ascii=False),
            )
            return str(sent["MessageId"])

    def _read_dead_letters(self, stack: Deployed) -> list[Fields]:
        with self._dead_letters_lock, DeadLetterQueue(stack, wait_s=0, visibility_s=VISIBILITY_S) as queue:
            found = [_described(dead_letter) for dead_letter in queue.dead_letters()]
        return sorted(found, key=lambda dead_letter: str(dead_letter["sent_at"]))

    @contextmanager
    def _connected(self) -> Iterator[Deployed]:
        try:
            with self._lock:
                if self._stack is None:
                    stack = Deployed(self.name)
                    for service in SERVICES:  # one thread must create a client, though all threads may use it
                        stack.client(service)
                    self._stack = stack
            yield self._stack
        except CommandError as error:
            raise ControlError(str(error)) from error
        except (ClientError, BotoCoreError) as error:
            raise ControlError(explained(error)) from error


def _described(dead_letter: DeadLetter) -> Fields:
    code = dead_letter.attribute("ErrorCode")
    return {
        "message_id": dead_letter.message_id,
        "reference": dead_letter.reference,
        "sent_at": dead_letter.sent_at.isoformat(),
        "body": dead_letter.body,
        "code": code,
        "message": dead_letter.attribute("ErrorMessage"),
        "meaning": explanations.CODES.get(code or "", ""),
        "advice": explanations.ADVICE.get(code, "") if code else explanations.NO_ATTRIBUTES,
    }


def _explanation(record: records.Values, stack: Deployed) -> Fields:
    return {
        "status": explanations.status(record),
        "next_step": explanations.next_step(record, stack.parameters, datetime.now(UTC)),
        "error": explanations.error(record["error"]) if record.get("error") else None,
    }
