"""The provider's two sending routes, with every way they can fail told apart by what is known afterwards.

Nothing is tried again here: the queue does that, and it must know whether a request may have been accepted. So the
one question that each failure is sorted by is whether the body had begun to leave.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from gatewayapi import tls
from gatewayapi.errors import (
    Refusal,
    RefusedError,
    TokenRefusedError,
    TryLaterError,
    UnknownOutcomeError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEFAULT_URL = "https://messaging.gatewayapi.com"
MAX_MESSAGES = 1000
# A load balancer closes idle connections after a minute or so. One that closes while a request is under way leaves
# an answer that nobody can know, so that a connection this old is not used again.
MAX_IDLE_S = 20.0

OK, MULTIPLE_CHOICES, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = 200, 300, 400, 401, 403
UNPROCESSABLE, SERVER_ERROR, UNAVAILABLE = 422, 500, 503

# What a header can hold. A token with a line break at its end, say, would be a ValueError of http.client's.
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
# A ULID, but any id will do that can be kept: one that the table refused would take a whole batch's results with it.
_MSG_ID = re.compile(r"[!-~]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken a message over; what becomes of it comes by webhook."""

    msg_id: str
    recipient: int | None
    reference: str | None


class Client:
    """A connection to the provider. Thread-safe as urllib3's pool is; the token can be exchanged at any time."""

    def __init__(
        self, token: str, url: str = DEFAULT_URL, *, connect_timeout_s: float = 3, timeout_s: float = 20
    ) -> None:
        self.token = token
        self._url = urlsplit(url)
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = timeout_s
        self._tls = tls.context() if self._url.scheme == "https" else None
        self._pool = self._connect()
        self._used_at = time.time()

    def send(self, message: Mapping[str, Any], *, timeout_s: float | None = None) -> Accepted:
        """Send one message, given as the provider's request fields.

        Raises UnreachableError, TryLaterError and TokenRefusedError (nothing was accepted), RefusedError (the
        message is at fault), UnknownOutcomeError (nobody can know).
        """
        answer = self._post("/mobile/single", message, timeout_s)
        accepted = _accepted(answer)
        if accepted is None or accepted.reference != message.get("reference"):
            raise UnknownOutcomeError("the acceptance is unreadable")
        return accepted

    def send_many(
        self, messages: Sequence[Mapping[str, Any]], *, timeout_s: float | None = None
    ) -> list[Accepted | None]:
        """Send up to 1000 messages in one request, and return an entry for each, in their order.

        Answers are matched by reference, never by position, so that each message needs a reference of its own
        (else ValueError). None stands for a message that the answer leaves out: nobody can know. Raises as `send`;
        RefusedError names the messages by their index, and nothing of the request was accepted.
        """
        references = [message.get("reference") for message in messages]
        if not 1 <= len(messages) <= MAX_MESSAGES or None in references or len(set(references)) < len(references):
            raise ValueError("1 to 1000 messages, each with a reference of its own")
        answer = self._post("/mobile/multi", {"messages": list(messages)}, timeout_s)
        entries = answer.get("responses") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise UnknownOutcomeError("the acceptance is unreadable")
        accepted = {entry.reference: entry for entry in map(_accepted, entries) if entry is not None}
        return [accepted.get(reference) for reference in references]

    def _post(self, path: str, fields: Mapping[str, Any], timeout_s: float | None) -> object:
        if not _TOKEN.fullmatch(self.token):
            raise TokenRefusedError(UNAUTHORIZED)
        body = _Body(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())
        headers = {
            "Authorization": f"Token {self.token}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body.data)),
            "Accept": "application/json",
            "User-Agent": "gatewayapi-serverless",
        }
        read_s = self._timeout_s if timeout_s is None else timeout_s
        timeout = urllib3.Timeout(connect=min(self._connect_timeout_s, read_s), read=read_s, total=read_s)
        if time.time() - self._used_at > MAX_IDLE_S:  # the wall clock goes on while Lambda freezes the process
            self._pool.close()
            self._pool = self._connect()
        try:
            answer = self._pool.urlopen(
                "POST",
                self._url.path.rstrip("/") + path,
                body,
                headers,
                retries=False,
                redirect=False,
                timeout=timeout,
            )
        # LocationValueError and the like are HTTPErrors too; OSError is what a socket may raise past urllib3.
        except (HTTPError, OSError) as error:
            if body.left:
                raise UnknownOutcomeError(type(error).__name__) from error
            raise UnreachableError(type(error).__name__) from error
        finally:
            self._used_at = time.time()
        return _read(answer)

    def _connect(self) -> urllib3.HTTPConnectionPool:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is None:
            return urllib3.HTTPConnectionPool(host, port)
        return urllib3.HTTPSConnectionPool(host, port, ssl_context=self._tls)


class _Body:
    """The body as urllib3 takes it, noting when it does: until then the provider cannot have accepted anything."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = False

    def __iter__(self) -> Iterator[bytes]:
        self.left = True
        yield self.data


def _read(answer: urllib3.BaseHTTPResponse) -> object:
    """Return the body of an acceptance, or raise what any other answer means."""
    status = answer.status
    if OK <= status < MULTIPLE_CHOICES:
        try:
            return answer.json()
        except (ValueError, RecursionError) as error:
            raise UnknownOutcomeError("the acceptance is unreadable") from error
    if status in {UNAUTHORIZED, FORBIDDEN}:
        raise TokenRefusedError(status)
    if status == UNPROCESSABLE:
        raise RefusedError(tuple(_refusals(answer)))
    if status == UNAVAILABLE or MULTIPLE_CHOICES <= status < SERVER_ERROR:
        # 429 and 503 by their meaning; a redirect or a 404 is a wrong host, which is no message's fault either.
        raise TryLaterError(status, _retry_after_s(answer.headers.get("Retry-After")))
    raise UnknownOutcomeError(f"the provider answered {status}")


def _accepted(entry: object) -> Accepted | None:
    if not isinstance(entry, dict):
        return None
    msg_id, recipient, reference = entry.get("msg_id"), entry.get("recipient"), entry.get("reference")
    if not isinstance(msg_id, str) or not _MSG_ID.fullmatch(msg_id) or not isinstance(reference, str | None):
        return None
    return Accepted(msg_id, recipient if isinstance(recipient, int) else None, reference)


def _refusals(answer: urllib3.BaseHTTPResponse) -> Iterator[Refusal]:
    try:
        findings = answer.json()["detail"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return  # a refusal all the same, that names no one
    for finding in findings if isinstance(findings, list) else ():
        if not isinstance(finding, dict):
            continue
        where, reason = finding.get("loc"), finding.get("msg")
        place = where if isinstance(where, list) else []
        index = next((part for part in place if isinstance(part, int) and not isinstance(part, bool)), None)
        field = str(place[-1]) if place else ""
        yield Refusal(index, field, reason if isinstance(reason, str) else "refused without a reason")


def _retry_after_s(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, in its number or its date form."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header[:12])
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
