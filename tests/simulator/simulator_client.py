"""What a test of the simulator needs: a client of the provider, and an endpoint for its webhooks."""

import hashlib
import hmac
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any, Self

import urllib3

from simulator.provider import Pace, Provider, Settings

TOKEN = "token-for-tests"
KEY = "key-for-tests"
WAIT_S = 30.0
JSON = {"Content-Type": "application/json"}
HEADERS = {"Authorization": f"Token {TOKEN}", **JSON}
MAX_BODY_BYTES = 2_000_000
# One worker, so that webhooks arrive in the order in which they are due.
QUICK = Pace(enroute_s=0.01, final_s=0.02, retry_s=0.01, retry_at_most_s=0.02, workers=1)

SendAndWait = Callable[..., None]


def message(reference: object = None, **fields: object) -> dict[str, Any]:
    """Return a valid message with some fields changed."""
    return {
        "sender": "Shop",
        "recipient": 4512345678,
        "message": "Hello",
        "reference": reference,
        **fields,
    }


def new_provider(webhook_url: str | None = None, pace: Pace = QUICK) -> Provider:
    """Return a simulator with the tests' token, key and pace."""
    return Provider(
        Settings(token=TOKEN, webhook_url=webhook_url, webhook_key=KEY, pace=pace, max_body_bytes=MAX_BODY_BYTES)
    )


class Client:
    """A client of the provider on one connection. It repeats nothing and checks nothing."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(retries=False, timeout=WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = WAIT_S,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request, with the right token unless other headers are given."""
        headers = HEADERS if headers is None else headers
        return self._pool.request(method, self._url + path, body=body, headers=headers, timeout=timeout_s)

    def single(self, **fields: object) -> urllib3.BaseHTTPResponse:
        """Send one message."""
        return self.ask("POST", "/mobile/single", json.dumps(message(**fields)).encode())

    def multi(self, *messages: object, timeout_s: float = WAIT_S) -> urllib3.BaseHTTPResponse:
        """Send messages in one request."""
        body = json.dumps({"messages": messages}).encode()
        return self.ask("POST", "/mobile/multi", body, timeout_s=timeout_s)

    def control(self, method: str, route: str, fields: object = None) -> dict[str, Any]:
        """Send a control request."""
        body = None if fields is None else json.dumps(fields).encode()
        answer: dict[str, Any] = self.ask(method, f"/_control/{route}", body, headers=JSON).json()
        return answer


class Receiver:
    """An endpoint that stores every body and signature, and answers with the status that `answer` returns."""

    def __init__(self, answer: Callable[[dict[str, Any]], int] = lambda _: 200) -> None:
        self.answer = answer
        self.received: list[tuple[bytes, str]] = []
        self._arrived = Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver._arrived:
                    receiver.received.append((body, self.headers["Signature"]))
                    receiver._arrived.notify_all()
                self.send_response(receiver.answer(json.loads(body)))
                self.send_header("Content-Length", "0")
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def events(self) -> list[dict[str, Any]]:
        """Return the envelopes so far, in order of arrival."""
        return [json.loads(body) for body, _ in self.received]

    def statuses(self) -> list[str]:
        """Return the statuses so far, in order of arrival."""
        return [envelope["event"]["status"] for envelope in self.events()]

    def wait_for(self, count: int) -> None:
        """Wait until this many webhooks have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, WAIT_S)


def signed(body: bytes, key: str = KEY) -> str:
    """Return the signature that a body must have."""
    return "v1=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
