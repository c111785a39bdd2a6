"""Every response leads to an acceptance of the right message, or to one of the client's errors."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewayapi.errors import Finding, RefusedError, SendError, UnknownOutcomeError
from tests.layer.raw_server import answer
from tests.layer.sending import AnsweringProvider, answering_provider

__all__ = ["answering_provider"]


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["a", "b", "\ud800"])),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(json_values, st.sampled_from(["a", "b"])) for name in ("msg_id", "recipient", "reference")
    },
)
acceptances = st.one_of(
    json_values,
    entries,
    st.fixed_dictionaries({"responses": st.one_of(json_values, st.lists(st.one_of(json_values, entries)))}),
)
details = st.fixed_dictionaries(
    {},
    optional={
        "loc": st.one_of(json_values, st.lists(st.one_of(json_values, st.just("messages"), st.integers(0, 3)))),
        "msg": json_values,
    },
)
refusal_bodies = st.one_of(
    json_values, st.fixed_dictionaries({"detail": st.one_of(json_values, st.lists(st.one_of(json_values, details)))})
)


def as_bytes(documents: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    return st.one_of(st.binary(), documents.map(lambda document: json.dumps(document).encode()))


@given(status=st.sampled_from([200, 202, 204, 299]), body=as_bytes(acceptances), many=st.booleans())
@example(status=202, body=b"[" * 990 + b"]" * 990, many=True)
@example(status=202, body=b'{"responses": ' + b"[" * 980 + b"]" * 980 + b"}", many=True)
def test_a_success_is_an_acceptance_of_the_message_or_an_unknown_outcome(
    answering_provider: AnsweringProvider, status: int, body: bytes, *, many: bool
) -> None:
    raw = answer(status, body) if status != 299 else answer(200, body).replace(b"200", b"299", 1)
    try:
        accepted = answering_provider.results_of_two(raw) if many else [answering_provider.result_of_one(raw)]
    except UnknownOutcomeError:
        return
    for entry, reference in zip(accepted, "ab", strict=False):
        if entry is not None:
            assert entry.reference == reference
            assert entry.msg_id
            assert isinstance(entry.msg_id, str)
            assert isinstance(entry.recipient, int | None)


@given(body=as_bytes(refusal_bodies), many=st.booleans())
@example(body=b'{"detail": [{"loc": ' + b"[" * 980 + b"]" * 980 + b"}]}", many=True)
def test_every_422_is_a_refusal(answering_provider: AnsweringProvider, body: bytes, *, many: bool) -> None:
    send = answering_provider.results_of_two if many else answering_provider.result_of_one
    with pytest.raises(RefusedError) as caught:
        send(answer(422, body))
    for finding in caught.value.findings:
        assert isinstance(finding, Finding)
        assert finding.message_index is None or type(finding.message_index) is int
        assert isinstance(finding.field, str)
        assert isinstance(finding.reason, str)


lines = st.one_of(
    st.sampled_from(
        [
            b"HTTP/1.1 202 Accepted",
            b"HTTP/1.1 100 Continue",
            b"HTTP/1.0 202",
            b"HTTP/2 202",
            b"Content-Length: 5",
            b"Content-Length: -5",
            b"Content-Length: x",
            b"Transfer-Encoding: chunked",
            b"Content-Encoding: gzip",
            b"Connection: close",
            b"Retry-After: 1",
            b"x" * 70_000,
            b"",
            b"5",
            b"ffffffffffffffff",
            b"{}",
        ]
    ),
    st.binary(),
)


@given(st.one_of(st.binary(), st.lists(lines, min_size=1).map(b"\r\n".join)))
@example(b"HTTP/1.1 202 Accepted\r\n" + b"X: y\r\n" * 200 + b"\r\n")
@example(b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\n{}")
@example(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}")
@example(b"HTTP/1.1 202 Accepted\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")
@example(b"HTTP/1.1 99999 What\r\n\r\n")
def test_invalid_http_leads_to_an_error_of_the_client(answering_provider: AnsweringProvider, raw: bytes) -> None:
    answering_provider.keeps_connections = False
    try:
        with pytest.raises(SendError):
            answering_provider.result_of_one(raw)
    finally:
        answering_provider.keeps_connections = True
