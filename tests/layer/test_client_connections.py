"""Connections are reused while they are fresh. A connection that was closed while idle does not affect a message."""

import pytest

from gatewayapi import client as client_module
from gatewayapi.client import MAX_IDLE_S, Client
from gatewayapi.errors import TryLaterError, UnknownOutcomeError, UnreachableError
from simulator.provider import Provider
from tests.layer.raw_server import Connection, RawServer, Request, answer
from tests.layer.sending import MESSAGE, TOKEN, answering, client, message, provider

__all__ = ["client", "provider"]

ACCEPTED = b'{"msg_id": "%s", "recipient": 4512345678, "reference": "%s"}'


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1_743_508_800.0

    def time(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(client_module, "time", clock)
    return clock


def connections(provider: Provider) -> int:
    return len({request.connection for request in provider.requests()})


def test_all_requests_use_one_connection(client: Client, provider: Provider) -> None:
    client.send(MESSAGE)
    client.send_many([message("b"), message("c")])
    provider.inject_fault(kind="429")
    with pytest.raises(TryLaterError):
        client.send(message("d"))
    client.send(message("d"))
    assert connections(provider) == 1


def test_a_connection_is_reused_until_it_was_idle_for_too_long(
    client: Client, provider: Provider, clock: Clock
) -> None:
    client.send(MESSAGE)
    clock.now_s += MAX_IDLE_S
    client.send(message("b"))
    assert connections(provider) == 1
    clock.now_s += MAX_IDLE_S + 0.001
    client.send(message("c"))
    assert connections(provider) == 2
    assert provider.counts() == {"a": 1, "b": 1, "c": 1}


def test_the_idle_time_counts_from_the_last_request(client: Client, provider: Provider, clock: Clock) -> None:
    for reference in "abcde":
        client.send(message(reference))
        clock.now_s += MAX_IDLE_S * 0.9
    assert connections(provider) == 1


def test_a_connection_that_the_provider_closed_while_idle_is_replaced(client: Client, provider: Provider) -> None:
    for reference in "abc":
        client.send(message(reference))
        provider.disconnect()
    assert provider.counts() == {"a": 1, "b": 1, "c": 1}
    assert connections(provider) == 3


def test_a_provider_can_be_reached_again_after_an_outage(client: Client, provider: Provider) -> None:
    client.send(MESSAGE)
    provider.refuse_connections()
    with pytest.raises(UnreachableError):
        client.send(message("b"))
    provider.accept_connections()
    client.send(message("b"))
    assert provider.counts() == {"a": 1, "b": 1}


@pytest.mark.parametrize("kind", ["reset", "hang"])
def test_a_broken_connection_is_not_reused(client: Client, provider: Provider, kind: str) -> None:
    provider.inject_fault(kind=kind, **({"seconds": 600} if kind == "hang" else {}))
    with pytest.raises(UnknownOutcomeError):
        client.send(message("a"), timeout_s=0.2)
    client.send(message("b"))
    assert provider.wait_for_requests(2)
    assert connections(provider) == 2


def test_connection_close_ends_the_connection() -> None:
    with RawServer(answering(answer(429, Connection="close"))) as server:
        client = Client(TOKEN, server.url)
        for _ in range(2):
            with pytest.raises(TryLaterError):
                client.send(MESSAGE)
    assert server.connections == 2


def test_an_unrequested_answer_is_not_used_for_the_next_request() -> None:
    def serve(connection: Connection) -> None:
        while request := connection.request():
            mine, other = (b"a", b"b") if b'"reference":"a"' in request.body else (b"b", b"a")
            connection.send(answer(202, ACCEPTED % (b"right", mine)) + answer(202, ACCEPTED % (b"wrong", other)))

    with RawServer(serve) as server:
        client = Client(TOKEN, server.url)
        assert [client.send(message(reference)).msg_id for reference in "abab"] == ["right"] * 4


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("same_host", [True, False])
def test_redirects_are_not_followed(status: int, *, same_host: bool) -> None:
    requests: list[Request] = []
    with RawServer(lambda connection: connection.reset()) as other:
        location = "/elsewhere" if same_host else f"{other.url}/mobile/single"

        def redirect(connection: Connection) -> None:
            while request := connection.request():
                requests.append(request)
                connection.send(answer(status, Location=location))

        with RawServer(redirect) as server, pytest.raises(TryLaterError) as caught:
            Client(TOKEN, server.url).send(MESSAGE)
    assert caught.value.status == status
    assert (len(requests), other.connections) == (1, 0)


def test_proxy_variables_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, provider: Provider) -> None:
    with RawServer(lambda connection: connection.reset()) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        Client(TOKEN, provider.url).send(MESSAGE)
    assert proxy.connections == 0
