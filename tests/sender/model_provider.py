"""The provider behind the real client: what it accepts and what it answers.

It stands in for urllib3's connection pool, so that the client's own sorting of answers is part of what is searched.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import urllib3
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError

from gatewayapi.client import Client

# What can go wrong with a request, one of each kind that the client tells apart; "+": it was accepted all the same.
FAULTS = (
    "refused",
    "429",
    "403",
    "403 and a new token",
    "422 naming the first",
    "422 naming none",
    "500",
    "500+",
    "reset+",
    "hang+",
    "rubbish+",
)
FAULTS_OF_SEVERAL = ("omit the first+", "reorder+")

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One SMS."""

    msg_id: str
    reference: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """As much of an HTTP response as the client looks at."""

    status: int
    text: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.text)


class Provider:
    """What was accepted, in order. `tell` is called with each acceptance, before its answer is on its way."""

    def __init__(self, tell: Callable[[Acceptance], None]) -> None:
        self.accepted: list[Acceptance] = []
        self._tell = tell

    def answer(self, body: Iterable[bytes], fault: str) -> Answer:
        """Answer a request, or raise what urllib3 raises where there is no answer."""
        pool = cast("Any", None)
        if fault == "refused":
            raise NewConnectionError(pool, fault)
        fields = json.loads(b"".join(body))
        several = fields.get("messages")
        if fault.startswith(("429", "403")):
            return Answer(int(fault[:3]))
        if fault.startswith("422"):
            place = ["body", *([] if several is None else ["messages", 0]), "sender"]
            return Answer(422, json.dumps({"detail": [{"loc": place, "msg": fault}] if "first" in fault else []}))
        accepted = (
            list(self._accept(several or [fields])) if fault in {"", *FAULTS_OF_SEVERAL} or "+" in fault else []
        )
        if fault.startswith("reset"):
            raise ProtocolError(fault)
        if fault.startswith("hang"):
            raise ReadTimeoutError(pool, "", fault)
        if fault.startswith("500"):
            return Answer(500)
        if fault.startswith("rubbish"):
            return Answer(202, "<html>")
        if fault.startswith("omit"):
            del accepted[0]
        if fault.startswith("reorder"):
            accepted.reverse()
        return Answer(202, json.dumps(accepted[0] if several is None else {"responses": accepted}))

    def _accept(self, messages: Iterable[Fields]) -> Iterator[Fields]:
        for message in messages:
            acceptance = Acceptance(f"msg-{len(self.accepted) + 1}", message["reference"], message["message"])
            self.accepted.append(acceptance)
            self._tell(acceptance)
            yield {"msg_id": acceptance.msg_id, "recipient": message["recipient"], "reference": acceptance.reference}


class Wire(Client):
    """The real client, whose connection ends in the model.

    `carry` is given each body, the seconds to wait for an answer, and whether there are several messages in it.
    """

    def __init__(self, carry: Callable[[Iterable[bytes], float, bool], Answer]) -> None:
        self._carry = carry
        super().__init__("", "http://provider.invalid")

    def _connect(self) -> urllib3.HTTPConnectionPool:
        return cast("urllib3.HTTPConnectionPool", _Pool(self._carry))


@dataclass(frozen=True, slots=True)
class _Pool:
    carry: Callable[[Iterable[bytes], float, bool], Answer]

    def urlopen(self, *request: Any, timeout: urllib3.Timeout, **_: object) -> Answer:  # noqa: ANN401 - urllib3's
        _method, url, body, _headers = request
        return self.carry(body, float(cast("float", timeout.read_timeout)), url.endswith("/multi"))

    def close(self) -> None:
        """There is nothing to close."""
