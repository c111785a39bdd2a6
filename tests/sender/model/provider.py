"""The simulated provider: which messages it accepts, and how it answers.

It replaces urllib3's connection pool, so the real client reads its answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import urllib3

# The faults of a request, one of each kind that the client handles differently. "+": the messages were accepted.
CERTAIN_FAULTS = (
    "refused",
    "429",
    "429 with a strange Retry-After",
    "503",
    "403",
    "403 and a new token",
)
REFUSALS_OF_SEVERAL = ("422 naming the first", "422 naming none", "400", "413")
UNCERTAIN_FAULTS = ("500", "500+", "reset+", "hang", "hang+", "unreadable+")
FAULTS_OF_SEVERAL = ("first left out+", "reversed+", "another system's entry+")

POISON = "poison "  # "poison 500": a text that makes the provider fail with 500, and so on
MAX_LIFE = timedelta(days=5)
ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Fields = dict[str, Any]
_POOL = cast("Any", None)  # urllib3's errors name their pool


@dataclass(slots=True, eq=False)
class Sent:
    """One message of one request. `refused`: it was certainly not accepted. With a `msg_id`, it was accepted."""

    reference: str
    text: str
    recipient: int
    at: datetime
    refused: bool = False
    msg_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The part of an HTTP response that the client uses."""

    status: int
    text: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The body."""
        return self.text.encode()

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The body, as urllib3 decodes it."""
        return json.loads(self.text)


class Provider:
    """The provider, with all messages that were sent to it. `skew` is how far its clock is ahead of ours."""

    def __init__(self, now: Callable[[], datetime], *, skew: timedelta, ulids: bool) -> None:
        self.sent: list[Sent] = []
        self.by_reference: dict[str, list[Sent]] = {}
        # Reference and text of the messages that a refusal named, or that were alone in a refused request.
        self.refused_individually: set[tuple[str, str]] = set()
        self._now = now
        self._skew = skew
        self._ulids = ulids
        self._count = 0

    def maybe_accepted(self, reference: str, text: str | None = None) -> list[Sent]:
        """Return the messages with this reference that may have been accepted, for each request."""
        return [
            sent for sent in self.by_reference.get(reference, ()) if not sent.refused and text in {None, sent.text}
        ]

    def accepted(self, reference: str, text: str | None = None) -> list[Sent]:
        """Return the messages with this reference that were accepted."""
        return [sent for sent in self.maybe_accepted(reference, text) if sent.msg_id]

    def answer(self, body: bytes, fault: str) -> tuple[list[Sent], Answer | Exception]:
        """Handle a request. Return its messages, and its answer or the exception that urllib3 raises."""
        fields = json.loads(body)
        several = fields.get("messages")
        messages = several or [fields]
        sent = [self._take(message) for message in messages]
        if fault == "refused":
            return self._refuse(sent), NewConnectionError(_POOL, fault)
        if fault.startswith(("429", "503", "403")):
            strange = {"Retry-After": "\x0b" * 12 + "5"} if "strange" in fault else {}
            return self._refuse(sent), Answer(int(fault[:3]), headers=strange)
        if refusal := self._refusal(messages, fault, several=several is not None):
            return self._refuse(sent), refusal
        poison = next((one.text.removeprefix(POISON) for one in sent if one.text.startswith(POISON)), "")
        if not (fault == "" or fault.endswith("+")) or poison:
            kind = poison or fault
        else:
            kind = fault
            for accepted in sent:
                accepted.msg_id = self.msg_id(self._now())
        return sent, _failure(kind) or _acceptance(sent, kind, self, several=several is not None)

    def msg_id(self, at: datetime) -> str:
        """Return a new message id. If it is a ULID, it contains the time of acceptance."""
        if self._ulids:
            return self.ulid(at)
        self._count += 1
        return f"msg-{self._count}"

    def ulid(self, at: datetime) -> str:
        """Return a new ULID with this time."""
        self._count += 1
        number = int((at + self._skew).timestamp() * 1000) << 80 | self._count
        return "".join(ULID_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))

    def _take(self, message: Fields) -> Sent:
        sent = Sent(message["reference"], message["message"], message["recipient"], self._now())
        self.sent.append(sent)
        self.by_reference.setdefault(sent.reference, []).append(sent)
        return sent

    def _refuse(self, sent: list[Sent]) -> list[Sent]:
        for message in sent:
            message.refused = True
        return sent

    def _refusal(self, messages: Sequence[Fields], fault: str, *, several: bool) -> Answer | None:
        """Return the answer if the request is refused because of its content, or because the fault is a refusal."""
        overdue = [place for place, message in enumerate(messages) if self._is_overdue(message)]
        if overdue:
            return _named([["body", "messages", place] if several else ["body"] for place in overdue], "expiration")
        texts = [message["message"] for message in messages]
        poison = next((text.removeprefix(POISON) for text in texts if text.startswith(POISON)), "")
        if poison == "422":
            named = [place for place, text in enumerate(texts) if text == POISON + poison]
            self.refused_individually |= {(messages[place]["reference"], texts[place]) for place in named}
            return _named([["body", "messages", place] if several else ["body"] for place in named], "message")
        if poison in {"400", "413", "422 naming none"} or fault in REFUSALS_OF_SEVERAL:
            kind = fault if fault in REFUSALS_OF_SEVERAL else poison
            if kind == "422 naming the first":
                self.refused_individually.add((messages[0]["reference"], texts[0]))
                return _named([["body", "messages", 0] if several else ["body"]], "sender")
            if len(messages) == 1:
                self.refused_individually.add((messages[0]["reference"], texts[0]))
            return Answer(int(kind[:3]), json.dumps({"detail": []}))
        return None

    def _is_overdue(self, message: Fields) -> bool:
        if "expiration" not in message:
            return False
        left = datetime.fromisoformat(message["expiration"]) - (self._now() + self._skew)
        return not timedelta(0) < left <= MAX_LIFE


def _failure(kind: str) -> Answer | Exception | None:
    """Return the answer or exception of a fault after which the outcome is unknown."""
    if kind.startswith("reset"):
        return ProtocolError(kind)
    if kind.startswith("hang"):
        return ReadTimeoutError(_POOL, "", kind)
    if kind.startswith("500"):
        return Answer(500)
    return Answer(202, "<html>") if kind.startswith("unreadable") else None


def _acceptance(sent: list[Sent], kind: str, provider: Provider, *, several: bool) -> Answer:
    entries = [
        {"msg_id": message.msg_id, "recipient": message.recipient, "reference": message.reference} for message in sent
    ]
    if kind.startswith("first"):
        del entries[0]
    if kind.startswith("reversed"):
        entries.reverse()
    if kind.startswith("another"):
        msg_id = provider.msg_id(sent[0].at)
        entries.insert(0, {"msg_id": msg_id, "recipient": 4500000000, "reference": "another"})
    return Answer(202, json.dumps({"responses": entries} if several else entries[0]))


def _named(places: list[list[Any]], name: str) -> Answer:
    detail = [{"loc": [*place, name], "msg": "refused", "type": "value_error"} for place in places]
    return Answer(422, json.dumps({"detail": detail}))


@dataclass(frozen=True, slots=True)
class Pool:
    """Replaces urllib3's pool. `post` takes a body, its time-out, and whether it has several messages."""

    post: Callable[[bytes, float, bool], Answer]

    def urlopen(self, *request: Any, timeout: urllib3.Timeout, **_: object) -> Answer:  # noqa: ANN401 - urllib3's
        """Make one request."""
        _method, url, body, _headers = request
        return self.post(body, float(cast("float", timeout.read_timeout)), url.endswith("/multi"))

    def close(self) -> None:
        """Do nothing: there is no connection."""
