"""How the client reads answers: accepted, refused, try later, token refused, or unknown.

`result_of_one` sends the message "a". `results_of_two` sends the messages "a" and "b". The provider answers with the
given bytes.
"""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayapi.client import Accepted
from gatewayapi.errors import Finding, RefusedError, TokenRefusedError, TryLaterError, UnknownOutcomeError
from tests.layer.raw_server import answer
from tests.layer.sending import ACCEPTED, ENTRY, AnsweringProvider, answering_provider

__all__ = ["answering_provider"]


def document(status: int, content: object, **headers: str) -> bytes:
    return answer(status, json.dumps(content).encode(), **headers)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_acceptance_is_read_from_an_answer_with_any_success_status(
    answering_provider: AnsweringProvider, status: int
) -> None:
    assert answering_provider.result_of_one(document(status, ENTRY)) == ACCEPTED


def test_unknown_fields_of_an_acceptance_are_ignored(answering_provider: AnsweringProvider) -> None:
    assert answering_provider.result_of_one(document(202, {**ENTRY, "price": 0.07})).msg_id == "m-1"
    many = {"responses": [{**ENTRY, "price": 0.07}], "total": 1}
    assert answering_provider.results_of_two(document(202, many)) == [ACCEPTED, None]


def test_a_missing_or_unreadable_recipient_is_none(answering_provider: AnsweringProvider) -> None:
    for recipient in (None, "4512345678", [1]):
        assert answering_provider.result_of_one(document(202, {**ENTRY, "recipient": recipient})) == Accepted(
            "m-1", None, "a"
        )


UNREADABLE: list[object] = [
    None,
    7,
    "accepted",
    [],
    [ENTRY],
    {},
    {**ENTRY, "msg_id": None},
    {**ENTRY, "msg_id": ""},
    {**ENTRY, "msg_id": 7},
    {**ENTRY, "msg_id": "m" * 129},
    {**ENTRY, "msg_id": "m 1"},
    {**ENTRY, "msg_id": "\ud800"},
    {**ENTRY, "reference": None},
    {**ENTRY, "reference": "b"},
    {**ENTRY, "reference": 7},
    {"responses": None},
    {"responses": {"a": ENTRY}},
    {"responses": "none"},
]


@pytest.mark.parametrize("content", UNREADABLE)
def test_a_success_without_the_acceptance_is_an_unknown_outcome(
    answering_provider: AnsweringProvider, content: object
) -> None:
    with pytest.raises(UnknownOutcomeError):
        answering_provider.result_of_one(document(202, content))
    with pytest.raises(UnknownOutcomeError):
        answering_provider.results_of_two(
            document(202, {"responses": content} if isinstance(content, dict) else content)
        )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"<html></html>", b"[" * 100_000, b'{"msg_id": ' + b"9" * 5000 + b"}"]
)
def test_a_success_that_is_not_json_is_an_unknown_outcome(answering_provider: AnsweringProvider, body: bytes) -> None:
    for send in (answering_provider.result_of_one, answering_provider.results_of_two):
        with pytest.raises(UnknownOutcomeError):
            send(answer(202, body))


def test_entries_of_other_messages_and_unreadable_entries_are_ignored(answering_provider: AnsweringProvider) -> None:
    entries = [None, 7, {}, {**ENTRY, "reference": "z"}, {**ENTRY, "reference": ["a"]}, {**ENTRY, "reference": "b"}]
    assert answering_provider.results_of_two(document(202, {"responses": entries})) == [
        None,
        Accepted("m-1", 4512345678, "b"),
    ]


@pytest.mark.parametrize("status", [401, 403])
def test_401_and_403_refuse_the_token(answering_provider: AnsweringProvider, status: int) -> None:
    with pytest.raises(TokenRefusedError) as caught:
        answering_provider.result_of_one(document(status, {"description": "Unauthorized", "detail": []}))
    assert caught.value.status == status


@pytest.mark.parametrize("status", [402, 404, 405, 408, 429, 503])
def test_after_another_status_that_accepts_nothing_the_message_is_tried_later(
    answering_provider: AnsweringProvider, status: int
) -> None:
    with pytest.raises(TryLaterError) as caught:
        answering_provider.result_of_one(answer(status, b"<html>"))
    assert (caught.value.status, caught.value.retry_after_s) == (status, None)


@pytest.mark.parametrize("status", [400, 413])
def test_400_and_413_refuse_the_request_without_naming_a_message(
    answering_provider: AnsweringProvider, status: int
) -> None:
    with pytest.raises(RefusedError) as caught:
        answering_provider.results_of_two(answer(status, b"<html>"))
    assert (caught.value.status, caught.value.findings) == (status, ())


@pytest.mark.parametrize("status", [102, 103])
def test_an_interim_response_is_an_unknown_outcome(answering_provider: AnsweringProvider, status: int) -> None:
    before = f"HTTP/1.1 {status} Wait\r\n\r\n".encode()
    with pytest.raises(UnknownOutcomeError, match=str(status)):
        answering_provider.result_of_one(before + document(202, ENTRY))


@pytest.mark.parametrize("status", [500, 501, 502, 504, 505, 507])
def test_a_server_error_is_an_unknown_outcome(answering_provider: AnsweringProvider, status: int) -> None:
    with pytest.raises(UnknownOutcomeError, match=str(status)):
        answering_provider.result_of_one(document(status, ENTRY))


def retry_after_s(answering_provider: AnsweringProvider, header: str) -> float | None:
    with pytest.raises(TryLaterError) as caught:
        answering_provider.result_of_one(answer(429, Retry_After=header))
    return caught.value.retry_after_s


# Only the first 12 digits count.
@pytest.mark.parametrize(
    ("header", "seconds"), [("0", 0), ("3", 3), (" 120 ", 120), ("9" * 50, 999_999_999_999), ("\x0b" * 12 + "3", 3)]
)
def test_retry_after_in_seconds_is_read(answering_provider: AnsweringProvider, header: str, seconds: float) -> None:
    assert retry_after_s(answering_provider, header) == seconds


@pytest.mark.parametrize("gmt", [True, False])
def test_retry_after_with_a_date_is_the_seconds_until_then(
    answering_provider: AnsweringProvider, *, gmt: bool
) -> None:
    moment = datetime.now(UTC) + timedelta(hours=1)
    before = datetime.now(UTC)
    # HTTP dates are in UTC, so one without a time zone is too.
    seconds = retry_after_s(
        answering_provider, format_datetime(moment, usegmt=True) if gmt else f"{moment:%a, %d %b %Y %H:%M:%S}"
    )
    assert seconds is not None
    whole = moment.replace(microsecond=0)
    assert (whole - datetime.now(UTC)).total_seconds() <= seconds <= (whole - before).total_seconds()


@pytest.mark.parametrize("header", ["Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 +0200"])
def test_retry_after_with_a_past_date_is_zero(answering_provider: AnsweringProvider, header: str) -> None:
    assert retry_after_s(answering_provider, header) == 0


@pytest.mark.parametrize(
    "header",
    [
        *("", "soon", "-1", "3.5", "3s", "1e3", "\xb2", "+5", "0x10", "Mon, 32 Jan 2024 00:00:00 GMT"),
        *("Mon, 01 Jan 99999 00:00:00 GMT", "Mon, 99999999999999999999 Jan 2024 00:00:00 GMT"),
        *("1 Jan 2024 00:00:00 +99999999999999999999", "1 Jan 2024 00:00:00 +9999"),
    ],
)
def test_an_unreadable_retry_after_is_ignored(answering_provider: AnsweringProvider, header: str) -> None:
    assert retry_after_s(answering_provider, header) is None


@given(st.one_of(st.text(st.characters(max_codepoint=255)), st.text("0123456789:+-, JanMoGTUC")))
def test_every_retry_after_is_read_or_ignored(answering_provider: AnsweringProvider, header: str) -> None:
    header = "".join(character for character in header if character.isprintable())
    seconds = retry_after_s(answering_provider, header)
    assert seconds is None or seconds >= 0


REFUSAL_OF_B = {"loc": ["body", "messages", 1, "sender"], "msg": "too short", "type": "string_too_short"}


@pytest.mark.parametrize(
    ("detail", "findings"),
    [
        ([REFUSAL_OF_B], [Finding(1, "sender", "too short")]),
        (
            [REFUSAL_OF_B, {**REFUSAL_OF_B, "loc": ["body", "messages", 0]}],
            [Finding(1, "sender", "too short"), Finding(0, "0", "too short")],
        ),
        ([{**REFUSAL_OF_B, "loc": ["body", "sender"]}], [Finding(None, "sender", "too short")]),
        ([{**REFUSAL_OF_B, "loc": ["body"]}], [Finding(None, "body", "too short")]),
        ([{**REFUSAL_OF_B, "loc": []}], [Finding(None, "", "too short")]),
        ([{**REFUSAL_OF_B, "loc": "sender"}], [Finding(None, "", "too short")]),
        ([{**REFUSAL_OF_B, "loc": ["body", True, 1.5, {}]}], [Finding(None, "{}", "too short")]),
        ([{**REFUSAL_OF_B, "msg": None}], [Finding(1, "sender", "refused without a reason")]),
        ([{"loc": ["body", "messages", 1]}], [Finding(1, "1", "refused without a reason")]),
        ([{}], [Finding(None, "", "refused without a reason")]),
        ([None, 7, "text", [], REFUSAL_OF_B], [Finding(1, "sender", "too short")]),
        ([], []),
        ({}, []),
        (None, []),
        ("refused", []),
    ],
)
def test_the_readable_parts_of_a_refusal_are_read(
    answering_provider: AnsweringProvider, detail: object, findings: list[Finding]
) -> None:
    with pytest.raises(RefusedError) as caught:
        answering_provider.results_of_two(document(422, {"detail": detail}))
    assert list(caught.value.findings) == findings


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"7", b"{}", b"null", b'"x"', b"[" * 100_000])
def test_an_unreadable_refusal_names_no_message(answering_provider: AnsweringProvider, body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        answering_provider.result_of_one(answer(422, body))
    assert caught.value.findings == ()
