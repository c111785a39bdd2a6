"""The simulator's HTTP/1.1 on sockets: requests in, answers out, and the ways a connection can break.

What a request means is decided elsewhere: the server is given one function from `Request` to `Answer`, and
runs it on a thread per connection. It does what web frameworks hide, since those are the faults worth
testing: it can close a connection without an answer, or reset it.
"""

import itertools
import os
import socket
import socketserver
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from threading import Thread
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

# With linger on and no time to linger, closing a socket sends RST where it would have sent FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# What is still on its way after a refused body is read and thrown away, or closing would reset the connection
# and take the answer with it.
DRAIN_BYTES = 256 * 1024 * 1024
DRAIN_TIMEOUT_S = 2.0
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came, with the number of its connection, so that reuse can be seen."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str | None
    content_type: str | None
    body: bytes
    connection: int
    loopback: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status and a body, or, where `cut` says so, no answer at all."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    cut: Literal["", "close", "reset"] = ""


class Exchange(BaseHTTPRequestHandler):
    """The requests of one connection, one after another."""

    protocol_version = "HTTP/1.1"
    server_version = "provider-simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet, or the client's delayed ACK costs 40 ms
    server: "Server"

    def setup(self) -> None:
        """Number the connection."""
        super().setup()
        self.number = next(self.server.numbers)

    def serve(self) -> None:
        """Read one request, have it answered, and do to the connection what the answer says."""
        body = self._body()
        if isinstance(body, Answer):
            self._write(body, close=True)
            self._drain()
            return
        if body is None:
            self.close_connection = True
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
                connection=self.number,
                loopback=ip_address(self.client_address[0]).is_loopback,
            )
        )
        if answer.cut:
            self._cut(reset=answer.cut == "reset")
        else:
            self._write(answer)

    # http.server looks for these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815

    def handle_expect_100(self) -> bool:
        """Let a client that asks first go on at once: the answer must not wait in the buffer."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Write http.server's own line on request only."""
        if self.server.verbose:
            sys.stderr.write(f"connection {getattr(self, 'number', 0)}: {format % args}\n")

    def _body(self) -> bytes | Answer | None:
        """The whole body; None if the client left in the middle of it; an answer if it cannot be read."""
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
        """A chunked body, as clients send that stream theirs."""
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
            # The request's file object holds the socket open, and socketserver would say goodbye (FIN) first.
            os.close(self.connection.detach())


class Server(socketserver.TCPServer):
    """A listening socket with a thread for each connection, all of which end with it."""

    allow_reuse_address = True
    request_queue_size = 128
    numbers = itertools.count(1)

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
        self._open: dict[socket.socket, Thread] = {}
        self._loop = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> None:
        """Answer from now on; the socket has been listening since the server was made."""
        self._loop.start()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's types
        """Give the connection its thread."""
        for old, thread in list(self._open.items()):
            if not thread.is_alive():
                del self._open[old]
        thread = Thread(target=self._process, args=(request, client_address), daemon=True)
        self._open[request] = thread
        thread.start()

    def _process(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001 - one connection's end must not end the server
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's types
        """Say nothing of clients that went away: cutting connections is what this server is for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def disconnect(self) -> None:
        """Close every open connection, idle ones too, as a provider's front end does when it restarts."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already

    def close(self) -> None:
        """Stop listening, and close what is open."""
        if self._loop.is_alive():
            self.shutdown()
            self._loop.join()
        self.server_close()
        self.disconnect()

    def join(self) -> None:
        """Wait until every connection's thread has ended, which one that a fault holds does when let go."""
        for thread in list(self._open.values()):
            thread.join()
