"""The errors of this package, and how a caller handles each.

GatewayApiError
├── SignatureError        refuse the body, and do not reveal why
├── MessageError          dead-letter the message: it breaks a rule
├── EventError            quarantine the body: it is signed, but not a usable event
├── EventAgeError         refuse the event: it may be a replay
├── RecordError           skip the item: it is not a readable record
├── StorageError          try again later: DynamoDB may or may not have written
├── UnstorableError       quarantine the body: DynamoDB will never accept the item
├── SecretError           try again later: the secret cannot be read
└── SendError             a request to the provider was not accepted
    ├── UnreachableError      try again later: nothing was sent
    ├── TryLaterError         try again later: the provider refused for now
    ├── TokenRefusedError     read the token again, then try again later
    ├── RefusedError          dead-letter the messages that it names, and send the others again
    └── UnknownOutcomeError   wait for a webhook: the provider may have accepted
"""

from __future__ import annotations

from typing import NamedTuple


class GatewayApiError(Exception):
    """The base class of all errors of this package."""


class SignatureError(GatewayApiError):
    """A body is not signed with one of the keys."""


class Problem(NamedTuple):
    """One mistake in a queue message: the JSON path of the field, and what the field must be.

    The reason does not contain the field's value, because a value can be a text or a phone number.
    """

    path: str
    reason: str


class MessageError(GatewayApiError):
    """A queue message breaks one or more rules, so it cannot be sent.

    Arguments: `code` is the dead-letter queue's `ErrorCode`, `problems` are the mistakes.
    """

    def __init__(self, code: str, *problems: Problem) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.reason}" for problem in problems))
        self.code = code
        self.problems = problems


class EventError(GatewayApiError):
    """A signed webhook body is not a usable event."""


class EventAgeError(GatewayApiError):
    """A signed event is too old, or too far in the future, to be accepted: it may be a replay."""


class RecordError(GatewayApiError):
    """An item is not a readable record of this project's table."""


class StorageError(GatewayApiError):
    """DynamoDB did not confirm a call. If it was a write, it may or may not have happened."""


class UnstorableError(GatewayApiError):
    """DynamoDB will never accept an item as it is."""


class SecretError(GatewayApiError):
    """A secret cannot be read, or is empty."""


class SendError(GatewayApiError):
    """A request to the provider did not end in an acceptance."""


class UnreachableError(SendError):
    """Nothing was sent: connection refused, DNS, TLS, a connect time-out, or the request was not tried."""


class TryLaterError(SendError):
    """The provider refused the request for now, and accepted nothing.

    Arguments: `status` is the HTTP status; `retry_after_s` is the Retry-After header in seconds, if there was one.
    """

    def __init__(self, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"the provider answered {status}")
        self.status = status
        self.retry_after_s = retry_after_s


class TokenRefusedError(SendError):
    """The provider answered 401 or 403: the token, the host or the account is wrong, not the messages."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the provider refused the token with {status}")
        self.status = status


class Finding(NamedTuple):
    """One problem that the provider found: the message's index in the request, the field, and the reason."""

    message_index: int | None
    field: str
    reason: str


class RefusedError(SendError):
    """The provider refused the request because of one or more of its messages, and accepted none of them.

    Arguments: `status` is the HTTP status: 422, or 400 or 413 for the request as a whole; `findings` are those
    of a 422.
    """

    def __init__(self, status: int, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(f"the provider refused the request with {status}")
        self.status = status
        self.findings = findings


class UnknownOutcomeError(SendError):
    """The request was sent but got no usable answer, so the provider may or may not have accepted it."""
