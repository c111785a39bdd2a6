"""What the tests of the client send, and the providers they send it to."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gatewayapi.client import Accepted, Client
from simulator.provider import Provider, Settings
from tests.layer.raw_server import Connection, RawServer

TOKEN = "token-for-tests"


def message(reference: str | None = "a", **fields: object) -> dict[str, Any]:
    """Return a message as the provider takes it, with the given fields changed or added."""
    given = {"message": "Hej 🍓", "recipient": 4512345678, "sender": "Shop", **fields}
    return given if reference is None else {**given, "reference": reference}


@pytest.fixture
def provider() -> Iterator[Provider]:
    """The simulated provider."""
    with Provider(Settings(token=TOKEN)) as running:
        yield running


@pytest.fixture
def client(provider: Provider) -> Client:
    """A client of the simulated provider."""
    return Client(TOKEN, provider.url)


MESSAGE = message()
ENTRY = {"msg_id": "m-1", "recipient": 4512345678, "reference": "a"}  # the provider's acceptance of MESSAGE
ACCEPTED = Accepted("m-1", 4512345678, "a")


class AnsweringProvider:
    """A provider that answers every request with bytes that a test chooses, and its client."""

    client: Client

    def __init__(self) -> None:
        self.answer = b""
        self.keeps_connections = True

    def serve(self, connection: Connection) -> None:
        """Answer the requests of a connection."""
        while connection.request():
            connection.send(self.answer)
            if not self.keeps_connections:
                return

    def result_of_one(self, answer: bytes) -> Accepted:
        """Send MESSAGE, answer with these bytes, and return the client's result."""
        self.answer = answer
        return self.client.send(MESSAGE)

    def results_of_two(self, answer: bytes) -> list[Accepted | None]:
        """Send MESSAGE and a message "b", answer with these bytes, and return the client's results."""
        self.answer = answer
        return self.client.send_many([MESSAGE, message("b")])


@pytest.fixture(scope="module")
def answering_provider() -> Iterator[AnsweringProvider]:
    """A provider whose answers a test chooses."""
    provider = AnsweringProvider()
    with RawServer(provider.serve) as server:
        provider.client = Client(TOKEN, server.url, timeout_s=10)
        yield provider


def answering(raw: bytes) -> Callable[[Connection], None]:
    """Return a server that answers every request of a connection with these bytes."""

    def serve(connection: Connection) -> None:
        while connection.request():
            connection.send(raw)

    return serve
