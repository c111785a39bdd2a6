"""A running simulator and a client of it."""

from collections.abc import Iterator

import pytest

from simulator.provider import Provider
from tests.simulator.simulator_client import Client, new_provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    with new_provider() as started:
        yield started


@pytest.fixture
def client(provider: Provider) -> Iterator[Client]:
    with Client(provider.url) as started:
        yield started
