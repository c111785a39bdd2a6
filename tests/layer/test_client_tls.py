"""TLS: only a verified provider gets the request, and a failed handshake sends nothing."""

import json
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from urllib3.exceptions import ProtocolError, SSLError

from gatewayapi import client as client_module
from gatewayapi.client import Client
from gatewayapi.errors import UnknownOutcomeError, UnreachableError
from tests.layer.certificates import self_signed
from tests.layer.raw_server import Connection, RawServer, answer
from tests.layer.sending import ACCEPTED, ENTRY, MESSAGE, answering

pytestmark = pytest.mark.usefixtures("new_connections")

accept = answering(answer(202, json.dumps(ENTRY).encode()))


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The TLS context of a server that the client trusts."""
    certificate, context = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return context


def assert_nothing_is_sent(context: ssl.SSLContext) -> None:
    def fail_on_request(connection: Connection) -> None:
        raise AssertionError(connection.request())

    with RawServer(fail_on_request, context) as server, pytest.raises(UnreachableError) as caught:
        Client("token", server.url).send(MESSAGE)
    assert isinstance(caught.value.__cause__, SSLError)


def test_a_message_is_sent_over_tls_on_one_connection(trusted: ssl.SSLContext) -> None:
    with RawServer(accept, trusted) as server:
        client = Client("token", server.url)
        assert [client.send(MESSAGE) for _ in range(3)] == [ACCEPTED] * 3
    assert server.connections == 1


def test_the_authorities_are_read_once_for_all_connections(
    trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(accept, trusted) as server:
        client = Client("token", server.url)
        monkeypatch.setattr(ssl, "create_default_context", None)
        monkeypatch.setattr(client_module, "MAX_IDLE_S", -1)
        for _ in range(2):
            client.send(MESSAGE)
        Client("token", server.url).send(MESSAGE)
    assert server.connections == 3


def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(tmp_path: Path) -> None:
    _, context = self_signed(tmp_path)
    assert_nothing_is_sent(context)


@pytest.mark.parametrize(("host", "days"), [("127.0.0.2", 1), ("messaging.invalid", 1), ("127.0.0.1", -1)])
def test_nothing_is_sent_to_a_server_with_a_wrong_or_expired_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int
) -> None:
    certificate, context = self_signed(tmp_path, host, days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert_nothing_is_sent(context)


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


def test_a_reset_after_the_request_is_an_unknown_outcome(trusted: ssl.SSLContext) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.reset()

    with RawServer(serve, trusted) as server, pytest.raises(UnknownOutcomeError) as caught:
        Client("token", server.url).send(MESSAGE)
    assert isinstance(caught.value.__cause__, ProtocolError)
