"""Reads the body of a request to send, and finds everything in it that the provider's description forbids.

The answer to a broken rule has the shape that FastAPI gives it: the place, a sentence, a type, and the
refused value itself. That value may hold a message's text, so a client that logs these answers can be caught
at it.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator.rules import FIELDS, Problem

MAX_MESSAGES = 1000
NO_OBJECT = Problem("model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
MISSING = Problem("missing", "Field required")

Place = tuple[str | int, ...]


class UnreadableError(Exception):
    """There are no messages to look at; carries where the body fails, why, and what stood there."""

    def __init__(self, place: Place, problem: Problem, value: object) -> None:
        super().__init__(problem.msg)
        self.detail = _detail(place, problem, value)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the provider accepts it, its defaults filled in."""

    sender: str
    recipient: int
    message: str
    reference: str | None = None
    expiration: str | float = "P5D"
    priority: str = "normal"
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What one request asks for: its messages, or what is wrong with them.

    `targets` are reference and recipient of each, as far as they could be read.
    """

    targets: tuple[tuple[str | None, int | None], ...]
    messages: tuple[Message, ...]
    problems: tuple[dict[str, Any], ...]


def read(body: bytes, content_type: str | None, *, many: bool, now: datetime) -> Submission:
    """Read a body for `/mobile/multi` or, where not `many`, for `/mobile/single`."""
    try:
        document = _document(body, content_type)
        entries = _entries(document) if many else [(("body",), document)]
    except UnreadableError as error:
        return Submission((), (), (error.detail,))
    problems = tuple(problem for place, entry in entries for problem in _problems(place, entry, now))
    return Submission(
        targets=tuple(_target(entry) for _, entry in entries),
        messages=() if problems else tuple(_message(entry) for _, entry in entries),
        problems=problems,
    )


def _document(body: bytes, content_type: str | None) -> Any:  # noqa: ANN401 - any JSON
    if not body:
        raise UnreadableError(("body",), MISSING, None)
    subtype = (content_type or "").split(";")[0].strip().lower().removeprefix("application/")
    if subtype != "json" and not subtype.endswith("+json"):
        raise UnreadableError(("body",), NO_OBJECT, body.decode("utf-8", "replace"))
    try:
        return json.loads(body, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        position = error.pos if isinstance(error, json.JSONDecodeError) else 0
        problem = Problem("json_invalid", "JSON decode error", {"error": str(error)})
        raise UnreadableError(("body", position), problem, {}) from error


def _entries(document: object) -> list[tuple[Place, Any]]:
    """Each message with its place in the body."""
    place: Place = ("body", "messages")
    if not isinstance(document, dict):
        raise UnreadableError(("body",), NO_OBJECT, document)
    if "messages" not in document:
        raise UnreadableError(place, MISSING, document)
    messages = document["messages"]
    if not isinstance(messages, list):
        raise UnreadableError(place, Problem("list_type", "Input should be a valid list"), messages)
    if not messages:
        words = "List should have at least 1 item after validation, not 0"
        raise UnreadableError(place, Problem("too_short", words, {"min_length": 1}), messages)
    if len(messages) > MAX_MESSAGES:
        words = f"List should have at most {MAX_MESSAGES} items after validation, not {len(messages)}"
        raise UnreadableError(place, Problem("too_long", words, {"max_length": MAX_MESSAGES}), None)
    return [((*place, index), message) for index, message in enumerate(messages)]


def _problems(place: Place, entry: object, now: datetime) -> Iterator[dict[str, Any]]:
    if not isinstance(entry, dict):
        yield _detail(place, NO_OBJECT, entry)
        return
    for name, (required, check) in FIELDS.items():
        if name not in entry:
            if required:
                yield _detail((*place, name), MISSING, entry)
        elif problem := check(entry[name], now):
            yield _detail((*place, name), problem, entry[name])


def _message(entry: dict[str, Any]) -> Message:
    known = {name: entry[name] for name in FIELDS if name in entry}
    return Message(**{**known, "recipient": int(entry["recipient"])})


def _target(entry: object) -> tuple[str | None, int | None]:
    if not isinstance(entry, dict):
        return None, None
    reference, recipient = entry.get("reference"), entry.get("recipient")
    return (
        reference if isinstance(reference, str) else None,
        recipient if isinstance(recipient, int) and not isinstance(recipient, bool) else None,
    )


def _detail(place: Place, problem: Problem, value: object) -> dict[str, Any]:
    detail: dict[str, Any] = {"loc": list(place), "msg": problem.msg, "type": problem.type, "input": value}
    return detail if problem.ctx is None else {**detail, "ctx": problem.ctx}


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError("number out of range")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
