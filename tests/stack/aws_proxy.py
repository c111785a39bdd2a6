"""A proxy between a function and the local AWS. It records the calls, and can hold, cut or refuse some of them.

The function finds it through AWS_ENDPOINT_URL. Requests pass unchanged with their signature, so IAM is enforced. A
cut call ends like a lost connection, and a held call does not end. Both can happen before AWS receives the call, or
after AWS has executed it.
"""

import http.client
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Literal
from urllib.parse import urlsplit

from local.waiting import wait_for

ANSWER_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class Call:
    """One request to AWS. A client's retry is a request of its own."""

    operation: str
    document: dict[str, Any]

    def writes(self) -> dict[str, str]:
        """Return the status of each message record that the call puts, by reference."""
        puts = [item["Put"]["Item"] for item in self.document.get("TransactItems", ()) if "Put" in item]
        return {item["pk"]["S"]: item["status"]["S"] for item in puts if "status" in item}

    def files(self) -> set[str]:
        """Return the keys under which the call stores an event."""
        puts = [item["Put"]["Item"] for item in self.document.get("TransactItems", ()) if "Put" in item]
        return {item["pk"]["S"] for item in puts if item["sk"]["S"].startswith("EVENT#")}

    def copies(self) -> str | None:
        """Return the reference of the message that the call copies to the dead-letter queue, if it does."""
        attributes = self.document.get("MessageAttributes", {}) if self.operation == "SendMessage" else {}
        reference = attributes.get("Reference", {}).get("StringValue")
        return reference if isinstance(reference, str) else None


Matches = Callable[[Call], bool]


def claim_of(reference: str) -> Matches:
    """Match the call that claims a message."""
    return lambda call: call.writes().get(reference) == "SENDING"


def result_of(reference: str) -> Matches:
    """Match the call that records the result of a message."""
    return lambda call: call.writes().get(reference) not in {None, "SENDING"}


def acceptance_of(reference: str) -> Matches:
    """Match the calls that record that a message was accepted."""
    return lambda call: call.writes().get(reference) == "ACCEPTED"


def copy_of(reference: str) -> Matches:
    """Match the call that copies a message to the dead-letter queue."""
    return lambda call: call.copies() == reference


def event_of(key: str) -> Matches:
    """Match the call that stores an event under this key."""
    return lambda call: key in call.files()


def key_reading(call: Call) -> bool:
    """Match the call that reads a secret."""
    return call.operation == "GetSecretValue"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response of AWS. `reasons` are the cancellation reasons of a transaction's items."""

    code: str = "ThrottlingException"
    status: int = 400
    reasons: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the JSON of the response."""
        content: dict[str, Any] = {
            "__type": f"com.amazonaws.dynamodb.v20120810#{self.code}",
            "message": "by the test",
        }
        if self.reasons:
            content["CancellationReasons"] = [{"Code": reason} for reason in self.reasons]
        return content


THROTTLED = Refusal()


@dataclass
class InjectedFault:
    """A fault for the calls that match: all of them, or the first `count`."""

    matches: Matches
    kind: Literal["hold", "cut", "refuse"]
    moment: Literal["before", "after"]
    count: int | None
    refusal: Refusal
    hits: int = 0
    _released: Event = field(default_factory=Event)

    def wait_until_hit(self) -> None:
        """Wait until the fault has been applied to a call."""
        wait_for(lambda: self.hits > 0, "a call that matches")

    def release(self) -> None:
        """Cut the held calls, and let all later ones pass."""
        self.count = 0
        self._released.set()

    def wait_if_held(self) -> None:
        """Wait until a held call is released."""
        if self.kind == "hold":
            self._released.wait()


class AwsProxy(ThreadingHTTPServer):
    """The proxy. It runs until the end of its `with` block."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.upstream = urlsplit(endpoint).netloc
        self._lock = Lock()
        self._calls: list[Call] = []
        self._faults: list[InjectedFault] = []
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        for injected in self._faults:
            injected.release()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def inject_fault(
        self,
        matches: Matches,
        fault: Literal["hold", "cut", "refuse"],
        moment: Literal["before", "after"] = "before",
        *,
        count: int | None = None,
        refusal: Refusal = THROTTLED,
    ) -> InjectedFault:
        """Inject a fault for the calls that match."""
        injected = InjectedFault(matches, fault, moment, count, refusal)
        with self._lock:
            self._faults.append(injected)
        return injected

    def calls(self, since: int = 0) -> list[Call]:
        """Return the calls so far, except the first `since`."""
        with self._lock:
            return self._calls[since:]

    def operations(self, since: int = 0) -> Counter[str]:
        """Return how often each operation was called."""
        return Counter(call.operation for call in self.calls(since))

    def match(self, call: Call) -> InjectedFault | None:
        """Record a call, and return the fault that applies to it."""
        with self._lock:
            self._calls.append(call)
            for injected in self._faults:
                if (injected.count is None or injected.hits < injected.count) and injected.matches(call):
                    injected.hits += 1
                    return injected
        return None


class _ProxyHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: AwsProxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        injected = self.server.match(Call(operation, json.loads(body)))
        if injected is not None and injected.moment == "before":
            self._end(injected)
            return
        answer, content = self._forward(body)
        if injected is not None:
            self._end(injected)
            return
        kept = {"content-type", "x-amzn-requestid", "x-amz-crc32"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() in kept}
        self._answer(answer.status, headers, content)

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=ANSWER_WITHIN_S)
        # The Host header is part of the signature, so it is passed on unchanged.
        connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def _end(self, injected: InjectedFault) -> None:
        injected.wait_if_held()
        if injected.kind == "refuse":
            content = json.dumps(injected.refusal.document()).encode()
            self._answer(injected.refusal.status, {"Content-Type": "application/x-amz-json-1.0"}, content)
            return
        self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the function was killed, or its client timed out

    def log_message(self, *_: object) -> None:
        pass
