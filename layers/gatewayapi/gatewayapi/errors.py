"""Every error this package raises, by what its catcher has to do next.

One tree, so that `except GatewayApiError` is a complete net; one class per reaction, so that no caller has to
look inside an error to decide.
"""

from __future__ import annotations

from dataclasses import dataclass


class GatewayApiError(Exception):
    """The root: whatever this package raises on purpose."""


class SignatureError(GatewayApiError):
    """A body is not signed by one of our keys. Refuse it, and do not say why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a queue message: the JSON path of the field, and what the field must be.

    The reason never repeats the field's value, since a value can be a text or a phone number.
    """

    path: str
    reason: str


class MessageError(GatewayApiError):
    """A queue message breaks one or more rules: it cannot be sent as it is.

    Arguments: `code` is the dead-letter queue's `ErrorCode`, `problems` are the mistakes.
    """

    def __init__(self, code: str, *problems: Problem) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.reason}" for problem in problems))
        self.code = code
        self.problems = problems


class EventError(GatewayApiError):
    """A signed webhook body is not an event we can file: quarantine it, since a refusal is only retried."""


class EventAgeError(GatewayApiError):
    """A signed event is too old, or too far ahead, to tell from a replay: refuse it."""


class RecordError(GatewayApiError):
    """An item of the table or its stream is not one of the records that this package writes."""


class StorageError(GatewayApiError):
    """The table did not take a write, or did not say so: nothing may be assumed, try again later."""


class UnstorableError(StorageError):
    """The table will never take a write, for what is in it: keep the original elsewhere, trying again is no use."""


class SecretError(GatewayApiError):
    """A secret could not be read, or holds nothing: try again later, and let no one in meanwhile."""


class SendError(GatewayApiError):
    """A request to the provider did not end in an acceptance; the subclasses say what is known."""


class UnreachableError(SendError):
    """No answer, because nothing was sent: refused, DNS, TLS or connect time-out. Safe to send later."""


class TryLaterError(SendError):
    """The provider turned the request away for now; nothing was accepted. Safe to send later.

    Arguments: `status` is the HTTP status; `retry_after_s` the provider's own wish in seconds, if it has one.
    """

    def __init__(self, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"the provider answered {status}")
        self.status = status
        self.retry_after_s = retry_after_s


class TokenRefusedError(SendError):
    """401 or 403: the token, host or account is wrong. The messages are innocent: read the token again."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the provider refused the token with {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Refusal:
    """One finding of a 422: which message of the request, which field, and the provider's words for it."""

    index: int | None
    field: str
    reason: str


class RefusedError(SendError):
    """422: the provider will not take these messages as they are, and took none of the request."""

    def __init__(self, refusals: tuple[Refusal, ...] = ()) -> None:
        super().__init__(f"the provider refused the request with {len(refusals)} findings")
        self.refusals = refusals


class UnknownOutcomeError(SendError):
    """The request left and no usable answer came: accepted or not, nobody can know. Never send it blindly."""
