"""Read a queue message, check it, and turn it into the provider's request.

`from_fields` checks the content. It refuses what the provider would refuse with 422 (openapi.json,
`MobileMessageRequest`). It also refuses what the provider would change, such as a sender that is too long for phones.
The JSON Schema in `events/schemas/message.schema.json` has the same rules for other languages, and a test compares
the two. `check` checks the rules of one stack, which its parameters set.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from gatewayapi import expiration, message_fields, segments
from gatewayapi.clock import to_text
from gatewayapi.errors import MessageError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

INVALID_JSON = "INVALID_JSON"
INVALID_MESSAGE = "INVALID_MESSAGE"
RECIPIENT_NOT_ALLOWED = "RECIPIENT_NOT_ALLOWED"
TOO_LONG = "TOO_LONG"

PROMOTIONAL = "promotional"
MAX_SEGMENTS = 255


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose content is valid. `sender` is None if DefaultSender is to be used."""

    message: str
    recipient: int
    sender: str | None = None
    reference: str | None = None
    expiration: str | float | None = None
    priority: str | None = None
    label: str | None = None
    message_type: str | None = None
    context: str | None = None

    def body(self) -> str:
        """Return the queue message's body, which `from_body` reads."""
        return json.dumps(self._given(*message_fields.NAMES), ensure_ascii=False, separators=(",", ":"))

    def request(
        self, reference: str | None, default_sender: str, deadline: datetime | None, now: datetime
    ) -> dict[str, object]:
        """Return the provider's request fields. `default_sender` is used if the message has no sender.

        The deadline is shortened to just under 5 days from `now`, because the provider refuses a later one.
        """
        fields = self._given("message", "recipient", "priority", "label")
        fields["sender"] = self.sender or default_sender
        if reference is not None:
            fields["reference"] = reference
        if deadline is not None:
            fields["expiration"] = to_text(expiration.for_provider(deadline, now))
        return fields

    def fingerprint(self, reference: str) -> str:
        """Return a hash that is equal for two messages if they are the same SMS with the same reference.

        The text is not stored, so hashes are compared instead. The reference is part of the hash, so that equal texts
        have different hashes. `expiration`, `message_type` and `context` are not part of it, because a producer may
        retry the same SMS with a new deadline or another trace id.
        """
        parts = (reference, self.message, self.recipient, self.sender, self.priority or "normal", self.label)
        return sha256(_COMPACT.encode(parts).encode()).hexdigest()

    def deadline(self, enqueued_at: datetime) -> datetime | None:
        """Return the time after which the message must not be sent, or None if there is none.

        Raises MessageError if that is later than the provider allows.
        """
        if self.expiration is None:
            return None
        try:
            return expiration.deadline(self.expiration, enqueued_at)
        except ValueError as error:
            raise MessageError(INVALID_MESSAGE, Problem("$.expiration", str(error))) from error

    def _given(self, *names: str) -> dict[str, object]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class StackRules(NamedTuple):
    """The rules of one stack for messages, from the template's parameters of the same names.

    `require_message_type` is true if the stack enforces opt-outs.
    """

    default_sender: str = ""
    allowed_prefixes: tuple[str, ...] = ()
    max_segments: int = MAX_SEGMENTS
    require_message_type: bool = False


def from_body(body: str) -> dict[str, Any]:
    """Return the fields of a queue message's body, unchecked.

    Raises MessageError(INVALID_JSON) if the body is not a JSON object. `from_fields` checks the fields separately,
    because the reference of an invalid message is needed too.
    """
    try:
        fields = _DECODER.decode(body)
    except json.JSONDecodeError as error:
        raise _not_json(f"must be JSON: see line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _not_json("must be JSON that is nested less deeply") from error
    except ValueError as error:  # of _refuse_constant, or of int for thousands of digits
        raise _not_json("must be JSON, without NaN, Infinity or a number of thousands of digits") from error
    if not isinstance(fields, dict):
        raise _not_json("must be a JSON object")
    return fields


def from_fields(fields: Mapping[str, object], stack: StackRules | None = None) -> Message:
    """Return a message of these fields, or raise MessageError with every mistake in them.

    If there are mistakes, the error also lists missing fields that only `stack` requires. Otherwise `check` finds
    them.
    """
    problems = message_fields.unknown(fields)
    values: dict[str, Any] = {}
    for name, read in message_fields.READERS.items():
        try:
            values[name] = read(fields)
        except ValueError as error:
            problems.append(Problem(f"$.{name}", str(error)))
    if problems:
        if stack is not None:
            # A sender of null has been reported already.
            sender = None if "sender" not in fields else "given"
            problems += _missing(stack, sender=sender, message_type=fields.get("message_type"))
        raise MessageError(INVALID_MESSAGE, *problems)
    return Message(**values)


def reference_of(fields: Mapping[str, object]) -> str | None:
    """Return the fields' reference, or None if there is none. Raises MessageError if it is invalid."""
    try:
        return message_fields.reference(fields)
    except ValueError as error:
        raise MessageError(INVALID_MESSAGE, Problem("$.reference", str(error))) from error


def check(message: Message, stack: StackRules) -> None:
    """Return if the stack may send the message, else raise MessageError.

    `from_fields` does not check these rules. The stack's parameters can change while a message is in doubt. The
    message must still have a fingerprint then, to be compared with its record.
    """
    if missing := _missing(stack, sender=message.sender, message_type=message.message_type):
        raise MessageError(INVALID_MESSAGE, *missing)
    if stack.allowed_prefixes and not str(message.recipient).startswith(stack.allowed_prefixes):
        problem = Problem("$.recipient", "does not begin with one of the stack's AllowedPrefixes")
        raise MessageError(RECIPIENT_NOT_ALLOWED, problem)
    taken = segments.count(message.message)
    if taken.count > stack.max_segments:
        reason = f"takes {taken.count} SMS segments in {taken.encoding}, and MaxSegments is {stack.max_segments}"
        if taken.first_ucs2_character is not None:
            reason += f"; the first character that GSM-7 does not have is U+{ord(taken.first_ucs2_character):04X}"
        raise MessageError(TOO_LONG, Problem("$.message", reason))


def _missing(stack: StackRules, *, sender: object, message_type: object) -> list[Problem]:
    """Return a problem for each field that the stack requires and that is not given."""
    problems = []
    if sender is None and not stack.default_sender:
        problems.append(Problem("$.sender", "is required: the stack has no DefaultSender"))
    if message_type is None and stack.require_message_type:
        problems.append(Problem("$.message_type", "is required: the stack enforces opt-outs"))
    return problems


def _not_json(reason: str) -> MessageError:
    return MessageError(INVALID_JSON, Problem("$", reason))


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


# json.loads and json.dumps with options would create a decoder or encoder for each call.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_COMPACT = json.JSONEncoder(separators=(",", ":"))
