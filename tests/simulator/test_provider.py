"""The simulator answers as the provider's description demands, and lists what it received."""

import json
import re
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import urllib3

from simulator.provider import Provider
from tests.simulator.simulator_client import (
    HEADERS,
    JSON,
    MAX_BODY_BYTES,
    TOKEN,
    WAIT_S,
    Client,
    message,
    new_provider,
)

ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")


def is_accepted(entry: dict[str, Any], sent: dict[str, Any]) -> bool:
    """Return whether an entry has exactly the fields of the description's MobileMessageResponse."""
    return (
        set(entry) == {"msg_id", "recipient", "reference"}
        and bool(ULID.fullmatch(entry["msg_id"]))
        and type(entry["recipient"]) is int
        and (entry["recipient"], entry["reference"]) == (sent["recipient"], sent["reference"])
    )


def test_a_single_message_is_accepted_with_its_id_recipient_and_reference(client: Client) -> None:
    answer = client.single(reference="order-1")
    assert answer.status == 202
    assert is_accepted(answer.json(), message("order-1"))


def test_a_recipient_with_a_decimal_point_is_answered_as_an_integer(client: Client) -> None:
    assert is_accepted(client.single(recipient=4512345678.0).json(), message())


def test_many_messages_are_accepted_in_order_with_different_ids(client: Client, provider: Provider) -> None:
    sent = [message(f"order-{n}", recipient=4510000000 + n) for n in range(1000)]
    answer = client.multi(*sent)
    assert answer.status == 202
    assert set(answer.json()) == {"responses"}
    entries = answer.json()["responses"]
    assert all(is_accepted(entry, one) for entry, one in zip(entries, sent, strict=True))
    assert len({entry["msg_id"] for entry in entries}) == 1000
    assert [accepted.msg_id for accepted in provider.messages()] == [entry["msg_id"] for entry in entries]


@pytest.mark.parametrize("authorization", [None, "", "Token", "Token ", f"Bearer {TOKEN}", TOKEN])
def test_without_credentials_a_request_is_401(client: Client, provider: Provider, authorization: str | None) -> None:
    headers = JSON | ({"Authorization": authorization} if authorization else {})
    answer = client.ask("POST", "/mobile/single", json.dumps(message()).encode(), headers=headers)
    assert (answer.status, answer.json()) == (401, {"description": "Unauthorized", "detail": []})
    assert not provider.messages()


def test_a_wrong_token_is_403_and_a_rotated_one_is_accepted(client: Client, provider: Provider) -> None:
    provider.token = "another"
    assert client.single().status == 403
    assert not provider.messages()
    client.control("POST", "token", {"token": TOKEN})
    assert client.single().status == 202


def test_an_unknown_path_is_404_another_method_405_and_a_large_body_413(client: Client) -> None:
    assert client.ask("POST", "/mobile", b"{}").status == 404
    answer = client.ask("GET", "/mobile/single")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert client.ask("POST", "/mobile/single", b" " * (MAX_BODY_BYTES + 1)).status == 413


def test_a_chunked_body_is_read_and_limited_in_size(provider: Provider) -> None:
    with urllib3.PoolManager(retries=False) as pool:
        url = provider.url + "/mobile/single"
        for body, status in ((json.dumps(message("streamed")).encode(), 202), (b" " * (MAX_BODY_BYTES + 1), 413)):
            pieces = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
            assert pool.request("POST", url, body=iter(pieces), headers=HEADERS, chunked=True).status == status
    assert provider.counts() == {"streamed": 1}


def test_a_client_can_finish_sending_a_body_that_was_refused_as_too_large(provider: Provider) -> None:
    with socket.create_connection(("127.0.0.1", provider.port)) as slow_client:
        slow_client.sendall(b"POST /mobile/single HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n" + b" " * 1_000_000)
        assert slow_client.recv(100).startswith(b"HTTP/1.1 413 ")
        slow_client.sendall(b" " * 3_000_000)


def test_a_connection_reset_by_the_client_is_not_reported_as_an_error(
    provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    provider.inject_fault(kind="latency", seconds=600, when="after")
    body = json.dumps(message()).encode()
    head = f"POST /mobile/single HTTP/1.1\r\nAuthorization: Token {TOKEN}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", provider.port)) as leaving:
        leaving.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert provider.wait_for_requests(1, WAIT_S)
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    provider.stop()
    assert capfd.readouterr().err == ""


def test_an_incomplete_request_is_ignored(client: Client, provider: Provider) -> None:
    with socket.create_connection(("127.0.0.1", provider.port)) as half:
        half.sendall(b"POST /mobile/single HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1) == b""
    assert client.single(reference="whole").status == 202
    assert [request.references for request in provider.requests()] == [("whole",)]


def test_requests_are_listed_with_the_number_of_their_connection(client: Client, provider: Provider) -> None:
    for _ in range(3):
        client.single()
    first, second, third = provider.requests()
    assert first.connection == second.connection == third.connection
    provider.disconnect()
    with Client(provider.url) as other:
        other.single()
    assert provider.requests()[-1].connection != first.connection


def test_the_control_api_lists_requests_and_messages(client: Client) -> None:
    client.multi(message("a"), message("b"))
    client.single(reference="a", message="Twice")
    client.single(sender="x", reference="c")
    messages = client.control("GET", "messages?since=2")
    assert (messages["total"], messages["counts"]) == (3, {"a": 2, "b": 1})
    assert [entry["message"] for entry in messages["messages"]] == ["Twice"]
    requests = client.control("GET", "requests")["requests"]
    assert [(r["number"], r["messages"], r["accepted"], r["outcome"]) for r in requests] == [
        (1, 2, 2, 202),
        (2, 1, 1, 202),
        (3, 1, 0, 422),
    ]
    client.control("POST", "reset", {})
    assert client.control("GET", "messages")["total"] == 0
    assert client.control("GET", "requests")["total"] == 0


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
def test_an_invalid_control_request_is_refused_with_the_reason(
    client: Client, method: str, route: str, body: bytes, status: int
) -> None:
    answer = client.ask(method, f"/_control/{route}", body, headers=JSON)
    assert (answer.status, list(answer.json())) == (status, ["error"])


def test_connections_can_be_refused_and_accepted_again_without_losing_the_history(
    client: Client, provider: Provider
) -> None:
    client.single(reference="before")
    provider.refuse_connections()
    with pytest.raises(urllib3.exceptions.NewConnectionError), Client(provider.url) as other:
        other.single()
    provider.accept_connections()
    client.single(reference="after")
    assert provider.counts() == {"before": 1, "after": 1}


def test_stopping_ends_every_thread_also_with_open_connections() -> None:
    before = set(threading.enumerate())
    with new_provider() as provider, Client(provider.url) as client:
        client.single()
        provider.stop()
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
def test_the_command_prints_the_page_and_the_url_and_a_signal_ends_it(end: str) -> None:
    command = [sys.executable, "-m", "simulator", "--faults", '[{"kind": "503", "retry_after": 7}]']
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as alone:
        try:
            assert alone.stdout is not None
            page = alone.stdout.readline().removeprefix("phones: ").strip()
            url = alone.stdout.readline().removeprefix("provider: ").strip()
            assert page == f"{url}/"
            token = alone.stdout.readline().removeprefix("token: ").strip()
            assert alone.stdout.readline().startswith("webhook-key: ")
            with Client(url) as client:
                headers, body = JSON | {"Authorization": f"Token {token}"}, json.dumps(message()).encode()
                answers = [client.ask("POST", "/mobile/single", body, headers=headers) for _ in range(2)]
                assert [answer.status for answer in answers] == [503, 202]
                assert answers[0].headers["Retry-After"] == "7"
        finally:
            alone.terminate() if end == "terminate" else alone.send_signal(2)
        assert alone.wait(30) == 0
        assert alone.stderr is not None
        assert alone.stderr.read() == ""
