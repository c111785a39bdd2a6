"""A request that fails was either never sent, or nobody can know: the body's first byte draws the line."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from threading import Event

import pytest
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from gatewayapi.client import Client
from gatewayapi.errors import UnknownOutcomeError, UnreachableError
from tests.layer.raw_server import WAIT_S, RawServer, Wire, answer

MESSAGE = {"message": "Hello", "recipient": 4512345678, "sender": "Shop", "reference": "a"}
LARGE = {**MESSAGE, "message": "x" * 20_000_000}  # more than two sockets' buffers take at once


def test_a_refused_connection_sent_nothing() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError) as caught:
        Client("token", f"http://127.0.0.1:{port}").send(MESSAGE)
    assert isinstance(caught.value.__cause__, NewConnectionError)


def test_a_host_without_an_address_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "on order")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnreachableError) as caught:
        Client("token", "http://messaging.invalid").send(MESSAGE)
    assert isinstance(caught.value.__cause__, NameResolutionError)


def test_a_host_that_can_be_none_sent_nothing() -> None:
    with pytest.raises(UnreachableError):
        Client("token", f"http://{'a' * 64}.invalid").send(MESSAGE)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of waiting connections is full, so that connecting to it gets no answer."""
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
        pytest.skip("this system leaves no connection waiting")


def test_a_connection_that_is_not_answered_sent_nothing(deaf_port: int) -> None:
    with pytest.raises(UnreachableError) as caught:
        Client("token", f"http://127.0.0.1:{deaf_port}", connect_timeout_s=0.1).send(MESSAGE)
    assert isinstance(caught.value.__cause__, ConnectTimeoutError)


def test_connecting_takes_no_longer_than_the_whole_request_may(deaf_port: int) -> None:
    client = Client("token", f"http://127.0.0.1:{deaf_port}", connect_timeout_s=600)
    with pytest.raises(UnreachableError) as caught:
        client.send(MESSAGE, timeout_s=0.1)
    assert isinstance(caught.value.__cause__, ConnectTimeoutError)


def say(raw: bytes) -> Callable[[Wire], None]:
    """Read the request, answer with these bytes, and close."""

    def serve(wire: Wire) -> None:
        wire.request()
        wire.send(raw)

    return serve


def reset(wire: Wire) -> None:
    wire.request()
    wire.reset()


def reset_in_the_answer(wire: Wire) -> None:
    wire.request()
    wire.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n{")
    wire.reset()


def stay_silent(wire: Wire) -> None:
    wire.request()
    wire.request()


def stop_in_the_answer(wire: Wire) -> None:
    wire.request()
    wire.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n{")
    wire.request()


@pytest.mark.parametrize(
    "serve",
    [
        reset,
        reset_in_the_answer,
        stay_silent,
        stop_in_the_answer,
        say(b""),
        say(b"HTTP/1.1 202"),
        say(b"HTTP/1.1 202 Accepted\r\nContent-Le"),
        say(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n{"),
        say(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        say(answer(202, b"no gzip", Content_Encoding="gzip")),
        say(b"SSH-2.0-OpenSSH_9.2\r\n"),
    ],
    ids=lambda serve: serve.__name__,
)
def test_a_request_that_left_and_got_no_whole_answer_is_an_unknown_outcome(serve: Callable[[Wire], None]) -> None:
    with RawServer(serve) as server, pytest.raises(UnknownOutcomeError):
        Client("token", server.url).send(MESSAGE, timeout_s=0.3)
    assert server.connections == 1


def test_a_connection_that_breaks_within_the_body_is_an_unknown_outcome() -> None:
    def serve(wire: Wire) -> None:
        wire.head()
        wire.reset()

    with RawServer(serve) as server, pytest.raises(UnknownOutcomeError):
        Client("token", server.url).send(LARGE)


def test_a_body_that_nobody_takes_is_an_unknown_outcome() -> None:
    over = Event()

    def serve(wire: Wire) -> None:
        wire.head()
        over.wait(WAIT_S)

    with RawServer(serve) as server:
        with pytest.raises(UnknownOutcomeError):
            Client("token", server.url).send(LARGE, timeout_s=0.3)
        over.set()


def test_an_error_names_what_failed_and_nothing_of_the_request() -> None:
    errors: list[Exception] = []
    with RawServer(reset) as server:
        client = Client("secret-token", server.url)
        with pytest.raises(UnknownOutcomeError) as unknown:
            client.send(MESSAGE)
        errors.append(unknown.value)
    with pytest.raises(UnreachableError) as unreachable:
        client.send(MESSAGE)
    errors.append(unreachable.value)
    assert [str(error) for error in errors] == [
        f"the connection failed after the request was sent ({type(unknown.value.__cause__).__name__})",
        f"no connection to the provider ({type(unreachable.value.__cause__).__name__})",
    ]
