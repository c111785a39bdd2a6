"""A gate on a function's way to the local AWS: it counts the calls, and on order holds, cuts or refuses some.

The function is pointed at it by AWS_ENDPOINT_URL. Every request passes as it is, with its signature, so that IAM is
enforced as without it. A cut call ends as a lost connection does, one that is held never ends: both before AWS has
heard of it, or after AWS has done what it asked for.
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
    """One request to AWS, a client's own repetition included."""

    operation: str
    document: dict[str, Any]

    def writes(self) -> dict[str, str]:
        """Return the status of each message record that the call puts, by reference."""
        puts = [item["Put"]["Item"] for item in self.document.get("TransactItems", ()) if "Put" in item]
        return {item["pk"]["S"]: item["status"]["S"] for item in puts if "status" in item}

    def files(self) -> set[str]:
        """Return the keys under which the call files an event."""
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
    """Match the call that records what became of a message."""
    return lambda call: call.writes().get(reference) not in {None, "SENDING"}


def copy_of(reference: str) -> Matches:
    """Match the call that copies a message to the dead-letter queue."""
    return lambda call: call.copies() == reference


def event_of(key: str) -> Matches:
    """Match the call that files an event under this key."""
    return lambda call: key in call.files()


def key_reading(call: Call) -> bool:
    """Match the call that reads a secret."""
    return call.operation == "GetSecretValue"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What AWS says when it does not do what was asked; `reasons` are those of a cancelled transaction's items."""

    code: str = "ThrottlingException"
    status: int = 400
    reasons: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the answer's JSON."""
        said: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{self.code}", "message": "on order"}
        if self.reasons:
            said["CancellationReasons"] = [{"Code": reason} for reason in self.reasons]
        return said


THROTTLED = Refusal()


@dataclass
class Order:
    """What happens to the calls that match: all of them, or the first `count`."""

    matches: Matches
    fault: Literal["hold", "cut", "refuse"]
    moment: Literal["before", "after"]
    count: int | None
    refusal: Refusal
    struck: int = 0
    _released: Event = field(default_factory=Event)

    def wait_until_struck(self) -> None:
        """Wait until a call has met this order; one that is held is being held then."""
        wait_for(lambda: self.struck > 0, "the call that the gate is to stop")

    def release(self) -> None:
        """Cut the calls that are held, and let all others pass from now on."""
        self.count = 0
        self._released.set()

    def suffer(self) -> None:
        """Wait, for a call that is held."""
        if self.fault == "hold":
            self._released.wait()


class Gate(ThreadingHTTPServer):
    """The gate, open from its making to the end of its `with` block."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.upstream = urlsplit(endpoint).netloc
        self._lock = Lock()
        self._calls: list[Call] = []
        self._orders: list[Order] = []
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        for order in self._orders:
            order.release()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def order(
        self,
        matches: Matches,
        fault: Literal["hold", "cut", "refuse"],
        moment: Literal["before", "after"] = "before",
        *,
        count: int | None = None,
        refusal: Refusal = THROTTLED,
    ) -> Order:
        """Order a fault for the calls that match."""
        order = Order(matches, fault, moment, count, refusal)
        with self._lock:
            self._orders.append(order)
        return order

    def calls(self, since: int = 0) -> list[Call]:
        """Return the calls so far, without the first `since`."""
        with self._lock:
            return self._calls[since:]

    def operations(self, since: int = 0) -> Counter[str]:
        """Return how often each operation was called."""
        return Counter(call.operation for call in self.calls(since))

    def strike(self, call: Call) -> Order | None:
        """Count a call, and return the order that it meets."""
        with self._lock:
            self._calls.append(call)
            for order in self._orders:
                if (order.count is None or order.struck < order.count) and order.matches(call):
                    order.struck += 1
                    return order
        return None


class _Passage(BaseHTTPRequestHandler):
    """The requests of one connection, one after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Gate

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        order = self.server.strike(Call(operation, json.loads(body)))
        if order is not None and order.moment == "before":
            self._end(order)
            return
        answer, content = self._forward(body)
        if order is not None:
            self._end(order)
            return
        kept = {"content-type", "x-amzn-requestid", "x-amz-crc32"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() in kept}
        self._answer(answer.status, headers, content)

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=ANSWER_WITHIN_S)
        # The host is part of what was signed, so it goes on as it came.
        connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def _end(self, order: Order) -> None:
        order.suffer()
        if order.fault == "refuse":
            said = json.dumps(order.refusal.document()).encode()
            self._answer(order.refusal.status, {"Content-Type": "application/x-amz-json-1.0"}, said)
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
            self.close_connection = True  # the function was killed, or has given up waiting

    def log_message(self, *_: object) -> None:
        pass
