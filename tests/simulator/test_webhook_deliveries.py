"""Webhooks are repeated with growing pauses until they are answered with 2xx, and only a few are in flight."""

import socket
import threading
from itertools import pairwise
from typing import Any

import pytest

from simulator.provider import Pace, Provider
from tests.simulator.simulator_client import WAIT_S, Client, Receiver, SendAndWait, message, new_provider


@pytest.mark.parametrize("refusal", [500, 401, 302, 404])
def test_a_webhook_is_repeated_unchanged_until_it_is_answered_with_2xx(
    client: Client, provider: Provider, receiver: Receiver, send_and_wait: SendAndWait, refusal: int
) -> None:
    answers = iter([refusal, refusal, refusal])
    receiver.answer = lambda _: next(answers, 204)
    send_and_wait(recipient=4512399903)
    assert [attempt.answer for attempt in provider.deliveries()] == [refusal, refusal, refusal, 204]
    assert [attempt.attempt for attempt in provider.deliveries()] == [1, 2, 3, 4]
    assert len(set(receiver.received)) == 1
    assert client.control("GET", "deliveries?since=3")["deliveries"][0]["status"] == "REJECTED"


def test_the_pauses_between_attempts_grow_up_to_a_limit() -> None:
    pauses_s = [Pace(retry_s=0.5, retry_at_most_s=30).pause_s(attempt) for attempt in range(1, 2000)]
    assert pauses_s[:3] == [0.5, 1, 2]
    assert all(earlier <= later for earlier, later in pairwise(pauses_s))
    assert pauses_s[-1] == 30


def test_a_webhook_is_repeated_if_the_endpoint_is_slow_or_unreachable() -> None:
    release = threading.Event()

    def answer(_: dict[str, Any]) -> int:
        release.wait(WAIT_S)
        return 200

    pace = Pace(enroute_s=0, final_s=0, retry_s=0.01, answer_timeout_s=0.1)
    taken = socket.socket()  # bound but not listening: connecting is refused for certain
    taken.bind(("127.0.0.1", 0))
    away = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with taken, new_provider(away, pace=pace) as provider, Client(provider.url) as client:
        client.single(recipient=4512399903)
        while not provider.deliveries():
            provider.wait_for_webhooks(0.01)
        assert provider.deliveries()[0].error == "NewConnectionError"
        with Receiver(answer) as receiver:
            provider.set_webhook(receiver.url)
            receiver.wait_for(2)
            release.set()
            assert provider.wait_for_webhooks(WAIT_S)
        assert "ReadTimeoutError" in {attempt.error for attempt in provider.deliveries()}
        assert provider.deliveries()[-1].answer == 200


def test_the_number_of_webhooks_in_flight_is_limited() -> None:
    full, release, lock = threading.Event(), threading.Event(), threading.Lock()
    now, most = 0, 0

    def answer(_: dict[str, Any]) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now == 3:
                full.set()
        release.wait(WAIT_S)
        with lock:
            now -= 1
        return 200

    pace = Pace(enroute_s=0, final_s=0, workers=3)
    with (
        Receiver(answer) as receiver,
        new_provider(receiver.url, pace=pace) as provider,
        Client(provider.url) as client,
    ):
        client.multi(*[message() for _ in range(20)])
        assert full.wait(WAIT_S)
        assert provider.pending() == 40
        release.set()
        assert provider.wait_for_webhooks(WAIT_S)
        assert (most, len(receiver.received)) == (3, 40)


def test_a_reset_drops_the_pending_webhooks() -> None:
    slow = Pace(enroute_s=600, final_s=600)
    with Receiver() as receiver, new_provider(receiver.url, slow) as provider, Client(provider.url) as client:
        client.single()
        assert provider.pending() == 2
        assert not provider.wait_for_webhooks(0.01)
        provider.reset()
        assert provider.wait_for_webhooks(WAIT_S)
        assert provider.messages() == []
        assert receiver.received == []
