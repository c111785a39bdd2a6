"""A TCP server for responses that no HTTP server would send."""

import os
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from threading import Thread
from typing import NamedTuple, Self

WAIT_S = 30.0
# With SO_LINGER and a timeout of 0, closing the socket sends RST instead of FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Request(NamedTuple):
    """One request: its head as text, and its body."""

    head: str
    body: bytes


class Connection:
    """The server's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._unread = b""

    def head(self) -> str:
        """Read a request up to its body. Empty if the client closed the connection."""
        while b"\r\n\r\n" not in self._unread:
            if not (more := self.socket.recv(65536)):
                return ""
            self._unread += more
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def request(self) -> Request | None:
        """Read a whole request. None if the client closed the connection."""
        if not (head := self.head()):
            return None
        length = next(int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
        while len(self._unread) < length and (more := self.socket.recv(65536)):
            self._unread += more
        body, self._unread = self._unread[:length], self._unread[length:]
        return Request(head, body)

    def send(self, raw: bytes) -> None:
        """Send these bytes."""
        self.socket.sendall(raw)

    def reset(self) -> None:
        """End the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        os.close(self.socket.detach())


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an HTTP response. Header names are written with _ for -."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class RawServer:
    """Listens on loopback within a `with` block, and runs `serve` for every connection on a thread of its own."""

    def __init__(self, serve: Callable[[Connection], None], tls: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [Thread(target=self._accept, daemon=True)]
        self.connections = 0
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):  # already closed by its own thread or by the client
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(WAIT_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # the listener was shut down
            self.connections += 1
            thread = Thread(target=self._run, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            self._serve(Connection(connection))
        except OSError:
            return  # closed by the client or by the end of the test
        finally:
            connection.close()
