"""TLS: only a verified provider gets the request, and a failed handshake sends nothing."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from urllib3.exceptions import ProtocolError, SSLError

from gatewayapi import client as client_module
from gatewayapi.client import Accepted, Client
from gatewayapi.errors import UnknownOutcomeError, UnreachableError
from tests.layer.certificates import self_signed
from tests.layer.raw_server import Connection, RawServer, answer

pytestmark = pytest.mark.usefixtures("new_connections")

MESSAGE = {"message": "Hello", "recipient": 4512345678, "sender": "Shop", "reference": "a"}


def accept(connection: Connection) -> None:
    while connection.request():
        connection.send(answer(202, b'{"msg_id": "m-1", "recipient": 4512345678, "reference": "a"}'))


def trust(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_a_message_is_sent_over_tls_on_one_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, context = self_signed(tmp_path)
    trust(monkeypatch, certificate)
    with RawServer(accept, context) as server:
        client = Client("token", server.url)
        assert [client.send(MESSAGE) for _ in range(3)] == [Accepted("m-1", 4512345678, "a")] * 3
    assert server.connections == 1


def test_the_authorities_are_read_once_for_all_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, context = self_signed(tmp_path)
    trust(monkeypatch, certificate)
    with RawServer(accept, context) as server:
        client = Client("token", server.url)
        monkeypatch.setattr(ssl, "create_default_context", None)
        monkeypatch.setattr(client_module, "MAX_IDLE_S", -1)
        for _ in range(2):
            client.send(MESSAGE)
        Client("token", server.url).send(MESSAGE)
    assert server.connections == 3


def fail_on_request(connection: Connection) -> None:
    raise AssertionError(connection.request())


def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(tmp_path: Path) -> None:
    _, context = self_signed(tmp_path)
    with RawServer(fail_on_request, context) as server, pytest.raises(UnreachableError) as caught:
        Client("token", server.url).send(MESSAGE)
    assert isinstance(caught.value.__cause__, SSLError)


@pytest.mark.parametrize(("host", "days"), [("127.0.0.2", 1), ("messaging.invalid", 1), ("127.0.0.1", -1)])
def test_nothing_is_sent_to_a_server_with_a_wrong_or_expired_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int
) -> None:
    certificate, context = self_signed(tmp_path, host, days=days)
    trust(monkeypatch, certificate)
    with RawServer(fail_on_request, context) as server, pytest.raises(UnreachableError) as caught:
        Client("token", server.url).send(MESSAGE)
    assert isinstance(caught.value.__cause__, SSLError)


def close_in_the_handshake(connection: Connection) -> None:
    connection.socket.recv(65536)


def reset_in_the_handshake(connection: Connection) -> None:
    connection.socket.recv(65536)
    connection.reset()


def respond_without_tls(connection: Connection) -> None:
    connection.socket.recv(65536)
    connection.send(answer(400))


def never_respond(connection: Connection) -> None:
    while connection.socket.recv(65536):
        pass


@pytest.mark.parametrize(
    "serve", [close_in_the_handshake, reset_in_the_handshake, respond_without_tls, never_respond]
)
def test_a_failed_handshake_sends_nothing(serve: Callable[[Connection], None]) -> None:
    with RawServer(serve) as server, pytest.raises(UnreachableError):
        Client("token", server.url.replace("http:", "https:"), connect_timeout_s=0.3).send(MESSAGE)
    assert server.connections == 1


def test_a_reset_after_the_request_is_an_unknown_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, context = self_signed(tmp_path)
    trust(monkeypatch, certificate)

    def serve(connection: Connection) -> None:
        connection.request()
        connection.reset()

    with RawServer(serve, context) as server, pytest.raises(UnknownOutcomeError) as caught:
        Client("token", server.url).send(MESSAGE)
    assert isinstance(caught.value.__cause__, ProtocolError)
