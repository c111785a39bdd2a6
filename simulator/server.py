"""The simulator's HTTP/1.1 server.

It calls one function from `Request` to `Answer` on a thread per connection. Unlike a web framework, it can also close
a connection without an answer, or reset it, because clients must be tested against that.
"""

import itertools
import json
import os
import socket
import socketserver
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from threading import Thread
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakSet

# With a linger time of 0, closing a socket sends RST instead of FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# After a body is refused, the rest of it is read and ignored. Otherwise closing would reset the connection, and the
# client would lose the answer.
DRAIN_BYTES = 256 * 1024 * 1024
DRAIN_TIMEOUT_S = 2.0
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request as received. The number of its connection shows whether connections are reused."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str | None
    content_type: str | None
    body: bytes
    connection: int
    loopback: bool
    host: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body. If `cut` is set, the connection ends without an answer instead."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    cut: Literal["", "close", "reset"] = ""


def json_answer(status: int, content: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Return an answer with a JSON body."""
    # A record of DynamoDB can contain a Decimal, which JSON has no type for.
    return Answer(status, json.dumps(content, default=str).encode(), headers)


class Exchange(BaseHTTPRequestHandler):
    """The requests of one connection, one after another."""

    protocol_version = "HTTP/1.1"
    server_version = "provider-simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # send headers and body in one packet; otherwise the client's delayed ACK costs 40 ms
    server: "Server"

    def setup(self) -> None:
        """Give the connection its number."""
        super().setup()
        self.connection_number = next(self.server.connection_numbers)

    def serve(self) -> None:
        """Read one request, and send the answer or end the connection."""
        body = self._body()
        if body is None:
            self.close_connection = True
            return
        if isinstance(body, Answer):
            self._write(body, close=True)
            self._drain()
            return
        url = urlsplit(self.path)
        answer = self.server.answer(
            Request(
                method=self.command,
                path=url.path,
                query=dict(parse_qsl(url.query)),
                authorization=self.headers.get("Authorization"),
                content_type=self.headers.get("Content-Type"),
                body=body,
                connection=self.connection_number,
                loopback=ip_address(self.client_address[0]).is_loopback,
                host=self.headers.get("Host"),
                origin=self.headers.get("Origin"),
            )
        )
        if answer.cut:
            self._cut(reset=answer.cut == "reset")
        else:
            self._write(answer)

    # http.server calls these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815

    def handle_expect_100(self) -> bool:
        """Answer `Expect: 100-continue` at once: the answer must not stay in the buffer."""
        expected = super().handle_expect_100()
        self.wfile.flush()
        return expected

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Write http.server's log line only with --verbose."""
        if self.server.verbose:
            sys.stderr.write(f"connection {self.connection_number}: {format % args}\n")

    def _body(self) -> bytes | Answer | None:
        """Return the body, None if the client disconnected in the middle of it, or an answer if it is refused."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdecimal()):
            return Answer(400, b'{"detail":"Bad Content-Length"}')
        if len(length) > len(str(self.server.max_body_bytes)) or int(length) > self.server.max_body_bytes:
            return Answer(413, b'{"detail":"Request Entity Too Large"}')
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _chunks(self) -> bytes | Answer | None:
        """Return a chunked body."""
        body = bytearray()
        while True:
            try:
                size = int(self.rfile.readline(1024).split(b";")[0], 16)
            except ValueError:
                return Answer(400, b'{"detail":"Bad chunk"}')
            if not 0 <= size <= self.server.max_body_bytes - len(body):
                return Answer(413, b'{"detail":"Request Entity Too Large"}')
            body += self.rfile.read(size)
            if size == 0:
                while self.rfile.readline(CHUNK_BYTES).strip():  # trailers, up to the empty line
                    pass
                return bytes(body)
            if self.rfile.readline(1024) not in (b"\r\n", b"\n"):
                return None

    def _write(self, answer: Answer, *, close: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _drain(self) -> None:
        self.close_connection = True
        self.connection.settimeout(DRAIN_TIMEOUT_S)
        self.connection.shutdown(socket.SHUT_WR)
        left = DRAIN_BYTES
        while left > 0 and (seen := self.rfile.read1(CHUNK_BYTES)):
            left -= len(seen)

    def _cut(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            # The request's file object keeps the socket open, and socketserver would send FIN first.
            os.close(self.connection.detach())


class Server(socketserver.ThreadingTCPServer):
    """A listening socket, and a thread for each connection."""

    allow_reuse_address = True
    request_queue_size = 128
    connection_numbers = itertools.count(1)

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[Request], Answer],
        *,
        max_body_bytes: int,
        verbose: bool = False,
    ) -> None:
        super().__init__(address, Exchange)
        self.answer = answer
        self.max_body_bytes = max_body_bytes
        self.verbose = verbose
        self._connections: WeakSet[socket.socket] = WeakSet()
        self._loop = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> None:
        """Start answering. The socket listens since the server was created."""
        self._loop.start()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's types
        """Start a thread for a new connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's types
        """Report errors, except for connections that broke, which is normal here."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def disconnect(self) -> None:
        """Close every open connection, also idle ones, as a restart of the provider would."""
        for connection in list(self._connections):
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening, and close all connections."""
        if self._loop.is_alive():
            self.shutdown()
            self._loop.join()
        self.socket.close()
        self.disconnect()

    def join(self) -> None:
        """Wait until the threads of all connections have ended."""
        self.server_close()
