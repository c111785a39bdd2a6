"""The simulator answers requests as the provider's description says, and tells what it saw."""

import json
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from simulator.provider import Provider
from tests.simulator.simulator_client import TOKEN, WAIT_S, Visitor, message, provider

ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")


@pytest.fixture
def running() -> Iterator[Provider]:
    with provider(max_body_bytes=2_000_000) as started:
        yield started


@pytest.fixture
def visitor(running: Provider) -> Iterator[Visitor]:
    with Visitor(running.url) as started:
        yield started


def is_accepted(entry: dict[str, Any], sent: dict[str, Any]) -> bool:
    """Whether an entry has exactly the fields of the description's MobileMessageResponse."""
    return (
        set(entry) == {"msg_id", "recipient", "reference"}
        and bool(ULID.fullmatch(entry["msg_id"]))
        and type(entry["recipient"]) is int
        and (entry["recipient"], entry["reference"]) == (sent["recipient"], sent["reference"])
    )


def test_a_single_message_is_accepted_with_its_id_recipient_and_reference(visitor: Visitor) -> None:
    answer = visitor.single(reference="order-1")
    assert answer.status == 202
    assert is_accepted(answer.json(), message("order-1"))


def test_a_recipient_that_is_whole_but_written_with_a_point_is_answered_as_an_integer(visitor: Visitor) -> None:
    assert is_accepted(visitor.single(recipient=4512345678.0).json(), message())


def test_many_messages_are_accepted_in_order_with_an_id_each(visitor: Visitor, running: Provider) -> None:
    sent = [message(f"order-{n}", recipient=4510000000 + n) for n in range(1000)]
    answer = visitor.multi(*sent)
    assert answer.status == 202
    assert set(answer.json()) == {"responses"}
    entries = answer.json()["responses"]
    assert all(is_accepted(entry, one) for entry, one in zip(entries, sent, strict=True))
    assert len({entry["msg_id"] for entry in entries}) == 1000
    assert [accepted.msg_id for accepted in running.messages()] == [entry["msg_id"] for entry in entries]


@pytest.mark.parametrize("authorization", [None, "", "Token", "Token ", f"Bearer {TOKEN}", TOKEN])
def test_without_credentials_a_request_is_401(visitor: Visitor, running: Provider, authorization: str | None) -> None:
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    answer = visitor.ask("POST", "/mobile/single", json.dumps(message()).encode(), headers=headers)
    assert (answer.status, answer.json()) == (401, {"description": "Unauthorized", "detail": []})
    assert not running.messages()


def test_a_wrong_token_is_403_and_a_rotated_one_is_taken(visitor: Visitor, running: Provider) -> None:
    running.token = "another"
    assert visitor.single().status == 403
    assert not running.messages()
    visitor.control("POST", "token", {"token": TOKEN})
    assert visitor.single().status == 202


def test_elsewhere_is_404_other_methods_405_and_too_much_413(visitor: Visitor) -> None:
    assert visitor.ask("POST", "/mobile", b"{}").status == 404
    answer = visitor.ask("GET", "/mobile/single")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert visitor.ask("POST", "/mobile/single", b" " * 2_000_001).status == 413


def test_a_chunked_body_is_read_whole_and_may_not_be_too_large(running: Provider) -> None:
    with urllib3.PoolManager(retries=False) as pool:
        headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
        for body, status in ((json.dumps(message("streamed")).encode(), 202), (b" " * 2_000_001, 413)):
            pieces = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
            answer = pool.request(
                "POST", running.url + "/mobile/single", body=iter(pieces), headers=headers, chunked=True
            )
            assert answer.status == status
    assert running.counts() == {"streamed": 1}


def test_a_client_that_is_told_of_a_too_large_body_may_still_finish_sending_it(running: Provider) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as stubborn:
        stubborn.sendall(b"POST /mobile/single HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n" + b" " * 1_000_000)
        assert stubborn.recv(100).startswith(b"HTTP/1.1 413 ")
        stubborn.sendall(b" " * 3_000_000)


def test_a_client_that_breaks_its_connection_is_no_error(
    running: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    running.order(kind="latency", seconds=600, when="after")
    body = json.dumps(message()).encode()
    head = f"POST /mobile/single HTTP/1.1\r\nAuthorization: Token {TOKEN}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", running.port)) as gone:
        gone.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert running.wait_for_requests(1, WAIT_S)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    running.stop()
    assert capfd.readouterr().err == ""


def test_a_client_that_leaves_in_the_middle_of_its_request_sends_nothing(visitor: Visitor, running: Provider) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as half:
        half.sendall(b"POST /mobile/single HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1) == b""
    assert visitor.single(reference="whole").status == 202
    assert [seen.references for seen in running.requests()] == [("whole",)]


def test_a_kept_connection_is_seen_as_one_and_a_broken_one_as_another(visitor: Visitor, running: Provider) -> None:
    for _ in range(3):
        visitor.single()
    first, second, third = running.requests()
    assert first.connection == second.connection == third.connection
    running.disconnect()
    with Visitor(running.url) as other:
        other.single()
    assert running.requests()[-1].connection != first.connection


def test_requests_and_messages_can_be_asked_for_from_outside(visitor: Visitor) -> None:
    visitor.multi(message("a"), message("b"))
    visitor.single(reference="a", message="Twice")
    visitor.single(sender="x", reference="c")
    messages = visitor.control("GET", "messages?since=2")
    assert (messages["total"], messages["counts"]) == (3, {"a": 2, "b": 1})
    assert [entry["message"] for entry in messages["messages"]] == ["Twice"]
    requests = visitor.control("GET", "requests")["requests"]
    assert [(r["number"], r["messages"], r["accepted"], r["outcome"]) for r in requests] == [
        (1, 2, 2, 202),
        (2, 1, 1, 202),
        (3, 1, 0, 422),
    ]
    visitor.control("POST", "reset", {})
    assert visitor.control("GET", "messages")["total"] == 0
    assert visitor.control("GET", "requests")["total"] == 0


@pytest.mark.parametrize(
    ("method", "route", "body", "status"),
    [
        ("GET", "nothing", b"", 404),
        ("PUT", "faults", b"", 405),
        ("POST", "faults", b"{", 400),
        ("POST", "faults", b'{"kind": "429", "cuont": 1}', 400),
        ("POST", "token", b'{"token": 5}', 400),
        ("POST", "webhook", b'{"url": 5}', 400),
        ("POST", "event", b'{"raw_base64": "?", "send": false}', 400),
        ("GET", "messages?since=x", b"", 400),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_in_words(
    visitor: Visitor, method: str, route: str, body: bytes, status: int
) -> None:
    answer = visitor.ask(method, f"/_control/{route}", body, headers={})
    assert (answer.status, list(answer.json())) == (status, ["error"])


def test_while_it_is_gone_connecting_is_refused_and_then_it_is_back_with_its_memory(
    visitor: Visitor, running: Provider
) -> None:
    visitor.single(reference="before")
    running.refuse_connections()
    with pytest.raises(urllib3.exceptions.NewConnectionError), Visitor(running.url) as other:
        other.single()
    running.accept_connections()
    visitor.single(reference="after")
    assert running.counts() == {"before": 1, "after": 1}


def test_stopping_ends_every_thread_even_with_open_connections() -> None:
    before = set(threading.enumerate())
    with provider() as running, Visitor(running.url) as visitor:
        visitor.single()
        running.stop()
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
def test_alone_it_prints_its_url_first_and_a_signal_ends_it(end: str) -> None:
    command = [sys.executable, "-m", "simulator", "--faults", '[{"kind": "503", "retry_after": 7}]']
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as alone:
        try:
            assert alone.stdout is not None
            url = alone.stdout.readline().removeprefix("provider: ").strip()
            token = alone.stdout.readline().removeprefix("token: ").strip()
            assert alone.stdout.readline().startswith("webhook-key: ")
            with Visitor(url) as visitor:
                headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
                body = json.dumps(message()).encode()
                answers = [visitor.ask("POST", "/mobile/single", body, headers=headers) for _ in range(2)]
                assert [answer.status for answer in answers] == [503, 202]
                assert answers[0].headers["Retry-After"] == "7"
        finally:
            alone.terminate() if end == "terminate" else alone.send_signal(2)
        assert alone.wait(30) == 0
        assert alone.stderr is not None
        assert alone.stderr.read() == ""
