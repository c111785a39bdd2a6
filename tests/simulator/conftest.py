"""A running simulator, a client of it, and an endpoint for its webhooks."""

from collections.abc import Iterator

import pytest

from simulator.provider import Provider
from tests.simulator.simulator_client import WAIT_S, Client, Receiver, SendAndWait, new_provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    with new_provider() as started:
        yield started


@pytest.fixture
def client(provider: Provider) -> Iterator[Client]:
    with Client(provider.url) as started:
        yield started


@pytest.fixture
def receiver(provider: Provider) -> Iterator[Receiver]:
    """The endpoint that the provider sends its webhooks to. Without this fixture, it sends none."""
    with Receiver() as started:
        provider.set_webhook(started.url)
        yield started


@pytest.fixture
def send_and_wait(provider: Provider, client: Client) -> SendAndWait:
    """Return a function that sends one message, and waits until its webhooks are delivered."""

    def send_and_wait(**fields: object) -> None:
        client.single(**fields)
        assert provider.wait_for_webhooks(WAIT_S)

    return send_and_wait
