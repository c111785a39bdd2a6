"""What a broken connection means: before the body, nothing was sent; after it has begun, the outcome is unknown."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from threading import Event

import pytest
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from gatewayapi.client import Client
from gatewayapi.errors import UnknownOutcomeError, UnreachableError
from tests.layer.raw_server import WAIT_S, Connection, RawServer, answer
from tests.layer.sending import MESSAGE

LARGE = {**MESSAGE, "message": "x" * 20_000_000}  # does not fit into the socket buffers of both sides


def test_a_refused_connection_sends_nothing() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError) as caught:
        Client("token", f"http://127.0.0.1:{port}").send(MESSAGE)
    assert isinstance(caught.value.__cause__, NewConnectionError)


def test_an_unknown_host_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "ordered by the test")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnreachableError) as caught:
        Client("token", "http://messaging.invalid").send(MESSAGE)
    assert isinstance(caught.value.__cause__, NameResolutionError)


def test_an_invalid_host_name_sends_nothing() -> None:
    with pytest.raises(UnreachableError):
        Client("token", f"http://{'a' * 64}.invalid").send(MESSAGE)


@pytest.fixture
def unanswered_port() -> Iterator[int]:
    """A port whose backlog is full, so that connecting to it times out."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(64):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                yield listener.getsockname()[1]
                return
            except OSError:
                break
        pytest.skip("on this system, connecting to a full backlog does not time out")


def test_a_connect_timeout_sends_nothing(unanswered_port: int) -> None:
    with pytest.raises(UnreachableError) as caught:
        Client("token", f"http://127.0.0.1:{unanswered_port}", connect_timeout_s=0.1).send(MESSAGE)
    assert isinstance(caught.value.__cause__, ConnectTimeoutError)


def test_the_request_timeout_limits_the_connect_timeout(unanswered_port: int) -> None:
    client = Client("token", f"http://127.0.0.1:{unanswered_port}", connect_timeout_s=600)
    with pytest.raises(UnreachableError) as caught:
        client.send(MESSAGE, timeout_s=0.1)
    assert isinstance(caught.value.__cause__, ConnectTimeoutError)


INCOMPLETE = b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n{"


def close(_: Connection) -> None:
    """Return, so that the server closes the connection."""


def reset(connection: Connection) -> None:
    connection.reset()


def wait(connection: Connection) -> None:
    """Wait until the client closes the connection."""
    connection.request()


@pytest.mark.parametrize(
    ("response", "end"),
    [
        (b"", reset),
        (b"", wait),
        (b"", close),
        (INCOMPLETE, reset),
        (INCOMPLETE, wait),
        (INCOMPLETE, close),
        (b"HTTP/1.1 202", close),
        (b"HTTP/1.1 202 Accepted\r\nContent-Le", close),
        (b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", close),
        (answer(202, b"no gzip", Content_Encoding="gzip"), close),
        (b"SSH-2.0-OpenSSH_9.2\r\n", close),
    ],
)
def test_a_request_without_a_complete_response_is_an_unknown_outcome(
    response: bytes, end: Callable[[Connection], None]
) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(response)
        end(connection)

    with RawServer(serve) as server, pytest.raises(UnknownOutcomeError):
        Client("token", server.url).send(MESSAGE, timeout_s=0.3)
    assert server.connections == 1


def test_a_reset_while_the_body_is_sent_is_an_unknown_outcome() -> None:
    def serve(connection: Connection) -> None:
        connection.head()
        connection.reset()

    with RawServer(serve) as server, pytest.raises(UnknownOutcomeError):
        Client("token", server.url).send(LARGE)


def test_a_timeout_while_the_body_is_sent_is_an_unknown_outcome() -> None:
    over = Event()

    def serve(connection: Connection) -> None:
        connection.head()
        over.wait(WAIT_S)

    with RawServer(serve) as server:
        with pytest.raises(UnknownOutcomeError):
            Client("token", server.url).send(LARGE, timeout_s=0.3)
        over.set()


def test_an_error_tells_whether_the_request_was_sent_and_nothing_of_its_content() -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.reset()

    with RawServer(serve) as server:
        client = Client("secret-token", server.url)
        with pytest.raises(UnknownOutcomeError) as unknown:
            client.send(MESSAGE)
    with pytest.raises(UnreachableError) as unreachable:
        client.send(MESSAGE)
    assert str(unknown.value) == "the connection failed after sending had begun (ProtocolError)"
    assert str(unreachable.value) == "no connection to the provider (NewConnectionError)"
