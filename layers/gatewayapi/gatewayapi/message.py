"""One SMS as a producer puts it on the queue: built, checked, and turned into the provider's request.

The rules are the provider's own (openapi.json, `MobileMessageRequest`) where it would answer 422, and its
documented limits where it would quietly send something else than was asked for (a sender that phones cannot show).
They stand here by hand, and once more as JSON Schema in `events/schemas/message.schema.json` for producers in other
languages; a test holds the two against each other.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from gatewayapi import expiration as expirations
from gatewayapi.clock import to_text
from gatewayapi.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

INVALID_JSON = "INVALID_JSON"
INVALID_MESSAGE = "INVALID_MESSAGE"
RECIPIENT_NOT_ALLOWED = "RECIPIENT_NOT_ALLOWED"

FIELDS = frozenset({"message", "recipient", "sender", "reference", "expiration", "priority", "label"})
MAX_MESSAGE = 39_015
MAX_REFERENCE = 255
MAX_LABEL = 128
MIN_RECIPIENT, MAX_RECIPIENT = 1_001, 999_999_999_999_999

# Spaces and hyphens only: "(0)" inside an international number is where a text reaches a stranger.
_RECIPIENT = re.compile(r"\+?[1-9][0-9]*(?:[ -][0-9]+)*", re.ASCII)
# Phones show 11 characters, or 15 digits.
_SENDER = re.compile(r"[0-9]{3,15}|.{3,11}", re.ASCII | re.DOTALL)
# SQS refuses these in the attribute that carries the reference through the dead-letter queue.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as `from_fields` makes it, with every rule kept; `sender` is None where DefaultSender is meant."""

    message: str
    recipient: int
    sender: str | None = None
    reference: str | None = None
    expiration: str | float | None = None
    priority: str | None = None
    label: str | None = None

    def body(self) -> str:
        """Return the queue message's body: what `from_body` reads."""
        return json.dumps(self._given(), ensure_ascii=False, separators=(",", ":"))

    def request(self, reference: str | None, default_sender: str, expires_at: datetime | None) -> dict[str, object]:
        """Return the provider's request fields, with what the queue message left open filled in."""
        fields = self._given()
        fields["sender"] = self.sender or default_sender
        if reference is not None:
            fields["reference"] = reference
        if expires_at is not None:
            fields["expiration"] = to_text(expires_at)
        return fields

    def fingerprint(self, reference: str) -> str:
        """Return what tells this content from another under the same reference.

        The text itself is not stored, so a hash stands for it; the reference salts it, so that equal texts do
        not show as equal. `expiration` is left out: a producer that retries with a new deadline means the same SMS.
        """
        parts = (reference, self.message, self.recipient, self.sender, self.priority or "normal", self.label)
        return sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()

    def deadline(self, enqueued_at: datetime) -> datetime | None:
        """Return when the message lapses, or None where it never does while queued.

        Raises MessageError where the expiration lies outside what the provider takes.
        """
        if self.expiration is None:
            return None
        try:
            return expirations.deadline(self.expiration, enqueued_at)
        except ValueError as error:
            raise _invalid("expiration", str(error)) from error

    def _given(self) -> dict[str, object]:
        fields: dict[str, object] = {"message": self.message, "recipient": self.recipient}
        for name in ("sender", "reference", "expiration", "priority", "label"):
            value = getattr(self, name)
            if value is not None:
                fields[name] = value
        return fields


def from_body(body: str) -> dict[str, object]:
    """Return the fields of a queue message's body, unchecked but for being a JSON object.

    Raises MessageError(INVALID_JSON). It is apart from `from_fields` so that the reference of a message with a
    broken field is still known.
    """
    try:
        fields = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MessageError(INVALID_JSON, "$", "must be JSON") from error
    if not isinstance(fields, dict):
        raise MessageError(INVALID_JSON, "$", "must be a JSON object")
    return fields


def from_fields(
    fields: Mapping[str, object], *, default_sender: str = "", allowed_prefixes: Collection[str] = ()
) -> Message:
    """Return a message of these fields, or raise MessageError with the path of the first that breaks a rule."""
    if unknown := fields.keys() - FIELDS:
        # Named in a path, and kept short: a key is the producer's text too.
        raise _invalid(min(unknown)[:64].encode("ascii", "backslashreplace").decode(), "is not a known field")
    text = _text(fields, "message", 1, MAX_MESSAGE)
    if text is None:
        raise _invalid("message", "is required")
    sender = _text(fields, "sender", 3, 15)
    if sender is None and not default_sender:
        raise _invalid("sender", "is required: the stack has no DefaultSender")
    if sender is not None and not _SENDER.fullmatch(sender):
        raise _invalid("sender", "must be 3 to 11 characters, or 3 to 15 digits")
    recipient = _recipient(fields.get("recipient"))
    if allowed_prefixes and not str(recipient).startswith(tuple(allowed_prefixes)):
        raise MessageError(RECIPIENT_NOT_ALLOWED, "$.recipient", "is not under one of the AllowedPrefixes")
    priority = _text(fields, "priority", 1, 16)
    if priority not in {None, "normal", "urgent"}:
        raise _invalid("priority", "must be normal or urgent")
    return Message(
        message=text,
        recipient=recipient,
        sender=sender,
        reference=reference(fields),
        expiration=_expiration(fields),
        priority=priority,
        label=_text(fields, "label", 0, MAX_LABEL, nullable=True),
    )


def reference(fields: Mapping[str, object]) -> str | None:
    """Return the fields' reference, or None where there is none; raises MessageError where it cannot be one."""
    value = _text(fields, "reference", 1, MAX_REFERENCE, nullable=True)
    if value is not None and _CONTROL.search(value):
        raise _invalid("reference", "must not contain control characters")
    return value


def _text(
    fields: Mapping[str, object], name: str, shortest: int, longest: int, *, nullable: bool = False
) -> str | None:
    if name not in fields or (nullable and fields[name] is None):
        return None
    value = fields[name]
    if not isinstance(value, str):
        raise _invalid(name, "must be a string")
    if not shortest <= len(value) <= longest:
        raise _invalid(name, f"must have {shortest} to {longest} characters")
    # One character in a JSON escape, and none in UTF-8: neither the provider nor the table could take it.
    if not value.isascii() and _SURROGATE.search(value):
        raise _invalid(name, "must be valid Unicode")
    return value


def _recipient(value: object) -> int:
    if value is None:
        raise _invalid("recipient", "is required")
    if isinstance(value, str) and _RECIPIENT.fullmatch(value):
        digits = value.replace(" ", "").replace("-", "").removeprefix("+")
        number = int(digits) if len(digits) <= len(str(MAX_RECIPIENT)) else 0
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():  # 4512345678.0 is an integer in JSON Schema
        number = int(value)
    else:
        raise _invalid("recipient", "must be an integer, or a string of digits that starts with the country code")
    if not MIN_RECIPIENT <= number <= MAX_RECIPIENT:
        raise _invalid("recipient", "must be a phone number with its country code, at most 15 digits")
    return number


def _expiration(fields: Mapping[str, object]) -> str | float | None:
    if "expiration" not in fields:
        return None
    value = fields["expiration"]
    if (
        isinstance(value, bool)
        or not isinstance(value, str | int | float)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise _invalid("expiration", "must be a string or a number")
    try:
        # Whether it is one of the four forms does not depend on the time; how far away it lies does.
        expirations.deadline(value, datetime(9000, 1, 1, tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise _invalid("expiration", str(error)) from error
    return value


def _invalid(name: str, reason: str) -> MessageError:
    return MessageError(INVALID_MESSAGE, f"$.{name}", reason)


def _no_constant(name: str) -> object:
    raise ValueError(name)
