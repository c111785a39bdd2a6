"""The sender's messages: as producers write them, as Lambda delivers them, and as the dead-letter queue has them."""

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
    """Return a message that can be sent, but for the given fields."""
    given = {"message": TEXT, "recipient": NUMBER, "sender": "Shop", **fields}
    return given if reference is None else {**given, "reference": reference}


def messages(count: int) -> list[Fields]:
    """Return so many messages, each with a reference and a recipient of its own."""
    return [message(f"order-{number}", recipient=NUMBER + number) for number in range(1, count + 1)]


def delivered(received: Fields, queue_url: str) -> Record:
    """Return the record with which Lambda is given a message that was received from a queue."""
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
    """Return what a message from the dead-letter queue says."""
    names = ("ErrorCode", "ErrorMessage", "Reference")
    return DeadLetter(record["body"], *(record["messageAttributes"][name]["stringValue"] for name in names))
