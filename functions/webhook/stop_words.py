"""Recognise stop and start words in inbound texts, and return their opt-out records.

A text counts only if it is such a word, alone or after a keyword. Keywords are for numbers that several services
share: with the keyword PIZZA, "PIZZA STOP" is an opt-out. A text such as "stop 12345" can mean something else. Upper
and lower case are equal, and spaces and punctuation around the word are ignored: people write "Stop." and "STOP!".
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewayapi.clock import from_text
from gatewayapi.message_fields import phone_number
from gatewayapi.opt_out_record import IN, OUT, OptOutRecord
from gatewayapi.webhook_body import MAX_PARSED_BODY

if TYPE_CHECKING:
    from datetime import datetime

    from gatewayapi.event_record import EventRecord

TEXT_EVENT = "user-message.text."
_IGNORED_CATEGORIES = "PSZC"  # Unicode's categories of punctuation, symbols, separators and control characters
_EMOJI_VARIANT = "\ufe0f"  # the selector that turns a symbol into an emoji


class UnreadableTextError(Exception):
    """The sender or the content of an inbound text cannot be read, and it may have been an opt-out."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of the template's parameters, normalised for comparison."""

    stop: frozenset[str]
    start: frozenset[str]
    keywords: frozenset[str]


def words(stop: str, start: str, keywords: str) -> Words:
    """Return the words of three lists, each separated by commas."""
    return Words(_listed(stop), _listed(start), _listed(keywords))


def recognise(text: str, known: Words) -> str | None:
    """Return OUT for a stop word and IN for a start word, else None. A keyword may precede the word."""
    whole = _normalised(text)
    candidates = {whole} | {
        _normalised(whole.removeprefix(keyword)) for keyword in known.keywords if _starts_with_keyword(keyword, whole)
    }
    if candidates & known.stop:
        return OUT
    return IN if candidates & known.start else None


def opt_out(event: EventRecord, known: Words) -> OptOutRecord | None:
    """Return the opt-out record of an event, or None if it is not an inbound text with a stop or start word.

    The content of a very large body is not read, so it counts as a text without a stop or start word.

    Raises UnreadableTextError if its text or its sender cannot be read.
    """
    if not event.event_type.startswith(TEXT_EVENT) or len(event.body.encode()) > MAX_PARSED_BODY:
        return None
    content = event.content.get("message") if isinstance(event.content, dict) else event.content
    if not isinstance(content, str):
        raise UnreadableTextError("the content is not a text")
    try:
        number = str(phone_number(event.sender))
    except ValueError as error:
        raise UnreadableTextError("the sender is not a phone number") from error
    status = recognise(content, known)
    if status is None:
        return None
    # A time in the future is not used. Otherwise the person's next text would count as older and be ignored.
    return OptOutRecord(number, status, min(_sent_at(event), event.received_at), event.event_id)


def _sent_at(event: EventRecord) -> datetime:
    """Return when the person sent the text, or the event's time if that cannot be read."""
    try:
        return from_text(json.loads(event.body)["event"]["sent_at"])
    except (KeyError, TypeError, ValueError):
        return event.timestamp


def _listed(text: str) -> frozenset[str]:
    return frozenset(word for word in map(_normalised, text.split(",")) if word)


def _starts_with_keyword(keyword: str, text: str) -> bool:
    following = text.removeprefix(keyword)[:1]
    return text.startswith(keyword) and following != "" and _is_ignored(following)


def _normalised(text: str) -> str:
    """Return a text in one case and one Unicode form, with single spaces, without punctuation around it."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    first, last = 0, len(folded)
    while first < last and _is_ignored(folded[first]):
        first += 1
    while first < last and _is_ignored(folded[last - 1]):
        last -= 1
    return " ".join(folded[first:last].split())


def _is_ignored(character: str) -> bool:
    return character == _EMOJI_VARIANT or unicodedata.category(character)[0] in _IGNORED_CATEGORIES
