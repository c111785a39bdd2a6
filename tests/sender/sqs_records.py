"""The sender's messages in the forms of producers, of Lambda's events, and of the dead-letter queue."""

from dataclasses import dataclass
from typing import Any

NUMBER = 4512345678
TEXT = "Your code is 8261"

Record = dict[str, Any]
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in the dead-letter queue."""

    body: str
    code: str
    details: str
    reference: str


def message(reference: object = "order-1", **fields: object) -> Fields:
    """Return a valid message with the given fields changed or added."""
    given = {"message": TEXT, "recipient": NUMBER, "sender": "Shop", **fields}
    return given if reference is None else {**given, "reference": reference}


def messages(count: int) -> list[Fields]:
    """Return `count` messages, with different references and recipients."""
    return [message(f"order-{number}", recipient=NUMBER + number) for number in range(1, count + 1)]


def delivered(received: Fields, queue_url: str) -> Record:
    """Return the record of a Lambda event for a message that was received from a queue."""
    return {
        "messageId": received["MessageId"],
        "receiptHandle": received["ReceiptHandle"],
        "body": received["Body"],
        "attributes": received["Attributes"],
        "messageAttributes": {
            name: {"dataType": "String", "stringValue": value["StringValue"]}
            for name, value in received.get("MessageAttributes", {}).items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue_url.rpartition('/')[2]}",
        "awsRegion": "eu-west-1",
    }


def dead_letter(record: Record) -> DeadLetter:
    """Return the dead letter of a record."""
    names = ("ErrorCode", "ErrorMessage", "Reference")
    return DeadLetter(record["body"], *(record["messageAttributes"][name]["stringValue"] for name in names))
