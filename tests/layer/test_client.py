"""The client and the simulated provider: requests, acceptances and refusals."""

import json
from typing import Any

import pytest

from gatewayapi.client import Accepted, Client
from gatewayapi.errors import RefusedError, TokenRefusedError, UnknownOutcomeError
from simulator.provider import Provider
from tests.layer.raw_server import Connection, RawServer, Request, answer
from tests.layer.sending import MESSAGE, TOKEN, client, message, provider

__all__ = ["client", "provider"]


def test_a_sent_message_is_accepted_once_with_every_field(client: Client, provider: Provider) -> None:
    sent = message("order-1", priority="urgent", label="Orders", expiration="PT1H")
    accepted = client.send(sent)
    (entry,) = provider.messages()
    assert accepted == Accepted(entry.msg_id, 4512345678, "order-1")
    assert {name: getattr(entry.message, name) for name in sent} == sent


def test_a_reference_is_optional(client: Client, provider: Provider) -> None:
    assert client.send(message(None)).reference is None
    assert provider.counts() == {None: 1}


def test_many_messages_are_sent_in_one_request(client: Client, provider: Provider) -> None:
    references = [f"order-{number}" for number in range(100)]
    accepted = client.send_many([message(reference) for reference in references])
    assert [entry and entry.reference for entry in accepted] == references
    assert [entry and entry.msg_id for entry in accepted] == [entry.msg_id for entry in provider.messages()]
    assert [(request.path, request.messages) for request in provider.requests()] == [("/mobile/multi", 100)]


def test_acceptances_are_matched_by_reference_and_not_by_position(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="reorder")
    accepted = client.send_many([MESSAGE, message("b"), message("c")])
    by_reference = {entry.message.reference: entry.msg_id for entry in provider.messages()}
    assert [(entry and entry.reference, entry and entry.msg_id) for entry in accepted] == list(by_reference.items())


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [MESSAGE, MESSAGE],
        [MESSAGE, message(None)],
        [message(f"order-{number}") for number in range(1001)],
    ],
)
def test_messages_without_different_references_are_not_sent(
    client: Client, provider: Provider, messages: list[dict[str, Any]]
) -> None:
    with pytest.raises(ValueError, match="1 to 1000 messages, each with a reference of its own"):
        client.send_many(messages)
    assert not provider.requests()


def test_a_thousand_messages_can_be_sent(client: Client) -> None:
    accepted = client.send_many([message(f"order-{number}") for number in range(1000)])
    assert sum(entry is not None for entry in accepted) == 1000


def test_a_refusal_names_the_messages_and_their_fields(client: Client, provider: Provider) -> None:
    with pytest.raises(RefusedError) as caught:
        client.send_many([MESSAGE, message("b", sender="x"), message("c", recipient=5, message=7)])
    findings = [(finding.message_index, finding.field) for finding in caught.value.findings]
    assert findings == [(1, "sender"), (2, "recipient"), (2, "message")]
    assert caught.value.findings[0].reason == "String should have at least 3 characters"
    assert not provider.messages()


def test_a_wrong_token_is_refused_and_one_send_can_use_another_token(client: Client, provider: Provider) -> None:
    provider.token = "another"
    with pytest.raises(TokenRefusedError) as caught:
        client.send(MESSAGE)
    assert caught.value.status == 403
    assert client.send(MESSAGE, token="another").reference == "a"
    assert provider.counts() == {"a": 1}


@pytest.mark.parametrize("token", ["", "two\nlines", "trailing\n", "nul\x00", "blåbær", "bær\u2713"])
def test_a_token_that_is_not_a_valid_header_value_is_refused_without_a_request(
    provider: Provider, token: str
) -> None:
    with pytest.raises(TokenRefusedError):
        Client(token, provider.url).send(MESSAGE)
    assert not provider.requests()


def test_without_an_answer_within_the_clients_timeout_the_outcome_is_unknown(provider: Provider) -> None:
    provider.inject_fault(kind="hang", seconds=600)
    with pytest.raises(UnknownOutcomeError, match="ReadTimeoutError"):
        Client(TOKEN, provider.url, timeout_s=0.2).send(MESSAGE)


def test_a_request_is_utf_8_json_with_the_token_under_the_path_of_the_url() -> None:
    requests: list[Request | None] = []

    def serve(connection: Connection) -> None:
        requests.append(connection.request())
        connection.send(answer(202, b'{"msg_id": "m-1", "recipient": 1, "reference": "a"}'))

    with RawServer(serve) as server:
        Client(TOKEN, server.url + "/behind/a/proxy/").send(MESSAGE)
    (request,) = requests
    assert request is not None
    line, *headers = request.head.split("\r\n")
    assert line == "POST /behind/a/proxy/mobile/single HTTP/1.1"
    assert f"Authorization: Token {TOKEN}" in headers
    assert "Content-Type: application/json" in headers
    assert not any(header.startswith("Transfer-Encoding") for header in headers)
    assert json.loads(request.body) == MESSAGE
    assert "🍓".encode() in request.body
