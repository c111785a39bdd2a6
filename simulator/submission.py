"""Reads the body of a request to send, and reports everything in it that the provider's description forbids.

A rejected request is answered as FastAPI answers it, with the location, text, type and rejected value of a problem.
The value can contain message text, so a test can detect a client that logs such answers.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from simulator.expiration import MAX_EXPIRATION_S, expires_in_s

MAX_MESSAGES = 1000
Problem = dict[str, Any]


def _not_text(value: object) -> object:
    if isinstance(value, str | bool):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


def _expiration(value: object, info: ValidationInfo) -> str | float:
    now = (info.context or {}).get("now") or datetime.now(UTC)
    left_s = expires_in_s(value, now)
    if left_s is None or not isinstance(value, str | int | float):
        raise PydanticCustomError("value_error", "Value error, neither a duration nor a point in time")
    if left_s <= 0:
        raise PydanticCustomError("value_error", "Value error, the expiration has passed")
    if left_s > MAX_EXPIRATION_S:
        raise PydanticCustomError("value_error", "Value error, the expiration is more than 5 days away")
    return value


class Message(BaseModel):
    """One message as the provider accepts it.

    Where the description leaves a choice, this takes the stricter one: a client that passes here should pass there.
    """

    model_config = ConfigDict(frozen=True)

    sender: Annotated[str, Field(min_length=3, max_length=18)]
    recipient: Annotated[int, BeforeValidator(_not_text), Field(gt=1000, le=999_999_999_999_999)]
    message: Annotated[str, Field(max_length=39015)]
    reference: str | None = None
    expiration: Annotated[str | float, PlainValidator(_expiration)] = "P5D"
    priority: Literal["normal", "urgent"] = "normal"
    label: Annotated[str, Field(max_length=128)] | None = None


class Messages(BaseModel):
    """The body of a request to send many messages."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]


class Target(NamedTuple):
    """What faults are matched against: reference, recipient and text of a message, as far as they are readable."""

    reference: str | None
    recipient: int | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one request asks for: its messages, or the problems with them."""

    many: bool  # True for `/mobile/multi`
    targets: tuple[Target, ...] = ()
    messages: tuple[Message, ...] = ()
    problems: tuple[Problem, ...] = ()


class UnreadableError(ValueError):
    """The body is not JSON."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem["msg"])
        self.problem = problem


def read(body: bytes, content_type: str | None, *, many: bool, now: datetime) -> Submission:
    """Read a body for `/mobile/multi` or, where not `many`, for `/mobile/single`."""
    try:
        document = _document(body, content_type)
    except UnreadableError as error:
        return Submission(many, problems=(error.problem,))
    targets = tuple(_targets(document, many=many))
    try:
        # With from_attributes, a value that is no object is described as FastAPI describes it.
        parsed = (Messages if many else Message).model_validate(document, from_attributes=True, context={"now": now})
    except ValidationError as error:
        problems = tuple({**problem, "loc": ["body", *problem["loc"]]} for problem in error.errors(include_url=False))
        return Submission(many, targets, problems=problems)
    messages = parsed.messages if isinstance(parsed, Messages) else [parsed]
    return Submission(many, targets, tuple(messages))


def _document(body: bytes, content_type: str | None) -> Any:  # noqa: ANN401 - any JSON
    if not body:
        raise UnreadableError({"type": "missing", "loc": ["body"], "msg": "Field required", "input": None})
    subtype = (content_type or "").split(";")[0].strip().lower().removeprefix("application/")
    if subtype != "json" and not subtype.endswith("+json"):
        text = body.decode("utf-8", "replace")
        words = "Input should be a valid dictionary or object to extract fields from"
        raise UnreadableError({"type": "model_attributes_type", "loc": ["body"], "msg": words, "input": text})
    try:
        return json.loads(body, parse_constant=_reject_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        position = error.pos if isinstance(error, json.JSONDecodeError) else 0
        problem = {"type": "json_invalid", "loc": ["body", position], "msg": "JSON decode error", "input": {}}
        raise UnreadableError({**problem, "ctx": {"error": str(error)}}) from error


def _targets(document: object, *, many: bool) -> Iterable[Target]:
    entries = document.get("messages") if many and isinstance(document, dict) else [document]
    for entry in entries if isinstance(entries, list) else ():
        fields = entry if isinstance(entry, dict) else {}
        reference, recipient, text = (fields.get(name) for name in ("reference", "recipient", "message"))
        yield Target(
            reference if isinstance(reference, str) else None,
            recipient if isinstance(recipient, int) and not isinstance(recipient, bool) else None,
            text if isinstance(text, str) else "",
        )


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError("number out of range")
    return value


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
