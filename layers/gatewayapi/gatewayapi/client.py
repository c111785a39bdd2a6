"""A client for the provider's two sending routes.

Every failure becomes one of the errors under `SendError`. The error tells whether the provider may have accepted the
request. If there is an answer, its status decides. If there is none, it matters whether sending the body had begun.
Nothing is retried here, because the queue retries.
"""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from gatewayapi import tls
from gatewayapi.errors import (
    Finding,
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
# A load balancer closes idle connections after about a minute. If it closes one just when a request is sent, the
# outcome of that request is unknown. So a connection that was idle for this long is not used again.
MAX_IDLE_S = 20.0

OK, MULTIPLE_CHOICES, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, TOO_LARGE = 200, 300, 400, 401, 403, 413
UNPROCESSABLE, SERVER_ERROR, UNAVAILABLE = 422, 500, 503

# The characters of a token. For a token with a line break at its end, http.client would raise ValueError.
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
# The provider's ids are ULIDs. Any id that the table can store is accepted, because an id that it cannot store would
# make the results of the whole batch unwritable.
_MSG_ID = re.compile(r"[!-~]{1,128}", re.ASCII)


class Accepted(NamedTuple):
    """The provider has accepted a message. Its status arrives by webhook."""

    msg_id: str
    recipient: int | None
    reference: str | None


class Client:
    """A connection to the provider, as thread-safe as urllib3's pool.

    Arguments:
        token: the API token of requests that are made without another.
        url: the provider's host.
        connect_timeout_s, timeout_s: seconds for connecting, and for a whole request that does not set its own.

    """

    def __init__(
        self, token: str, url: str = DEFAULT_URL, *, connect_timeout_s: float = 3, timeout_s: float = 20
    ) -> None:
        self._token = token
        self._url = urlsplit(url)
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = timeout_s
        self._tls = tls.context() if self._url.scheme == "https" else None
        self._pool = self._connect()
        self._used_at = time.time()

    def send(
        self, message: Mapping[str, Any], *, token: str | None = None, timeout_s: float | None = None
    ) -> Accepted:
        """Send one message, given as the provider's request fields.

        Raises UnreachableError, TryLaterError and TokenRefusedError (nothing was accepted), RefusedError (the message
        is invalid), and UnknownOutcomeError (the message may have been accepted).
        """
        answer = self._post("/mobile/single", message, token, timeout_s)
        accepted = _accepted(answer)
        if accepted is None or accepted.reference != message.get("reference"):
            raise UnknownOutcomeError("the acceptance is unreadable")
        return accepted

    def send_many(
        self, messages: Sequence[Mapping[str, Any]], *, token: str | None = None, timeout_s: float | None = None
    ) -> list[Accepted | None]:
        """Send up to 1000 messages in one request, and return an entry for each, in their order.

        Answers are matched by reference, not by position, so each message needs a reference of its own. None means
        that the answer does not contain the message. The message may have been accepted.

        Raises ValueError if a reference is missing or repeated, and the errors of `send`. RefusedError names messages
        by their index.
        """
        references = [message.get("reference") for message in messages]
        if not 1 <= len(messages) <= MAX_MESSAGES or None in references or len(set(references)) < len(references):
            raise ValueError("1 to 1000 messages, each with a reference of its own")
        answer = self._post("/mobile/multi", {"messages": list(messages)}, token, timeout_s)
        entries = answer.get("responses") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise UnknownOutcomeError("the acceptance is unreadable")
        accepted = {entry.reference: entry for entry in map(_accepted, entries) if entry is not None}
        return [accepted.get(reference) for reference in references]

    def _post(self, path: str, fields: Mapping[str, Any], token: str | None, timeout_s: float | None) -> object:
        token = self._token if token is None else token
        if not _TOKEN.fullmatch(token):
            raise TokenRefusedError(UNAUTHORIZED)  # no request is made: it would be answered with 401
        body = _Body(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())
        headers = {
            "Authorization": f"Token {token}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body.data)),
            "Accept": "application/json",
            "User-Agent": "gatewayapi-serverless",
        }
        request_s = self._timeout_s if timeout_s is None else timeout_s
        timeout = urllib3.Timeout(connect=min(self._connect_timeout_s, request_s), read=request_s, total=request_s)
        if time.time() - self._used_at > MAX_IDLE_S:  # wall-clock time: Lambda can have frozen the process
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
        # urllib3's own errors, and socket errors that urllib3 does not convert.
        except (HTTPError, OSError) as error:
            if body.started:
                raise UnknownOutcomeError(
                    f"the connection failed after sending had begun ({_name(error)})"
                ) from error
            raise UnreachableError(f"no connection to the provider ({_name(error)})") from error
        finally:
            self._used_at = time.time()
        return _read(answer)

    def _connect(self) -> urllib3.HTTPConnectionPool:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is None:
            return urllib3.HTTPConnectionPool(host, port)
        return urllib3.HTTPSConnectionPool(host, port, ssl_context=self._tls)


class _Body:
    """A request body that records when urllib3 begins to send it. Until then, nothing can have been accepted."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.started = False

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        yield self.data


def _read(answer: urllib3.BaseHTTPResponse) -> object:
    """Return the body of an acceptance, or raise the error of any other answer."""
    status = answer.status
    if OK <= status < MULTIPLE_CHOICES:
        try:
            return answer.json()
        except (ValueError, RecursionError) as error:
            raise UnknownOutcomeError("the acceptance is unreadable") from error
    if status in {UNAUTHORIZED, FORBIDDEN}:
        raise TokenRefusedError(status)
    if status in {BAD_REQUEST, TOO_LARGE}:
        raise RefusedError(status)
    if status == UNPROCESSABLE:
        raise RefusedError(status, tuple(_findings(answer)))
    if status == UNAVAILABLE or MULTIPLE_CHOICES <= status < SERVER_ERROR:
        # 429 and 503, and also a redirect or a 404, where the host is wrong and not the message.
        raise TryLaterError(status, _retry_after_s(answer.headers.get("Retry-After")))
    raise UnknownOutcomeError(f"the provider answered {status}")


def _accepted(entry: object) -> Accepted | None:
    if not isinstance(entry, dict):
        return None
    msg_id, recipient, reference = entry.get("msg_id"), entry.get("recipient"), entry.get("reference")
    if not isinstance(msg_id, str) or not _MSG_ID.fullmatch(msg_id) or not isinstance(reference, str | None):
        return None
    return Accepted(msg_id, recipient if isinstance(recipient, int) else None, reference)


def _findings(answer: urllib3.BaseHTTPResponse) -> Iterator[Finding]:
    try:
        findings = answer.json()["detail"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return  # a refusal that names no message
    for finding in findings if isinstance(findings, list) else ():
        if not isinstance(finding, dict):
            continue
        where, reason = finding.get("loc"), finding.get("msg")
        place = where if isinstance(where, list) else []
        index = next((part for part in place if isinstance(part, int) and not isinstance(part, bool)), None)
        field = str(place[-1]) if place else ""
        yield Finding(index, field, reason if isinstance(reason, str) else "refused without a reason")


def _retry_after_s(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which can be a number or a date, or None for anything else."""
    if header is None:
        return None
    header = header.strip()
    if header.isascii() and header.isdigit():
        return float(header[:12])
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _name(error: Exception) -> str:
    return type(error).__name__
