"""The provider is unreachable: messages are sent when it can be reached again."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.stack.deployed_stack import DeployedStack, Fields

WAYS = ("refused", "unknown-host", "no-tls", "silent")


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Point the sender at four wrong places in turn with a message for each, then at the right one."""
    with ExitStack() as closing:
        places = {
            "refused": f"http://127.0.0.1:{closing.enter_context(bound())}",
            "unknown-host": "https://nowhere.invalid",
            "no-tls": deployed.stack.provider_url.replace("http:", "https:"),
            "silent": f"http://127.0.0.1:{closing.enter_context(full())}",
        }
        assert tuple(places) == WAYS
        deployed.begin()
        # Delivered by hand, since each setting ends the processes, and with them whatever a mapping had given them.
        with deployed.sender_function.paused():
            try:
                turned_away = [each for way, place in places.items() for each in turn_away(deployed, way, place)]
            finally:
                deployed.sender_function.configure(GATEWAYAPI_URL=deployed.stack.provider_url)
        deployed.sender_function.make_visible(turned_away)
    deployed.drain()


def turn_away(deployed: DeployedStack, way: str, place: str) -> list[Fields]:
    """Deliver a message while the provider is sought at this place, and return its delivery if it is to come back."""
    deployed.sender_function.configure(GATEWAYAPI_URL=place)
    records = deployed.sender_function.receive([deployed.send(deployed.message(f"place-{way}"))])
    return records if deployed.sender_function.deliver(records) else []


@contextmanager
def bound() -> Iterator[int]:
    """Give a port at which nobody listens, and nobody else can meanwhile."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]


@contextmanager
def full() -> Iterator[int]:
    """Give a port at which so many wait to be let in that a further connection is never made."""
    with ExitStack() as closing:
        listening = closing.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = closing.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@pytest.mark.parametrize("way", WAYS)
def test_a_message_is_sent_later_if_the_provider_is_unreachable(deployed: DeployedStack, way: str) -> None:
    reference = f"place-{way}"
    statuses = deployed.statuses(reference)
    assert statuses[:3] == ["SENDING", "RETRYING", "SENDING"]
    assert "UNCERTAIN" not in statuses
    assert statuses[-1] == "DELIVERED"
    refused = deployed.history(reference)[1].error
    assert refused is not None
    assert refused["code"] == "UNREACHABLE"
    assert len(deployed.simulator.sms(reference)) == 1
