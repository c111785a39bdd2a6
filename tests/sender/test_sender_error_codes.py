"""The record of a message that was not sent has the code of the reason."""

from collections.abc import Callable

import pytest

from tests.sender.sender_function import Sender, function
from tests.sender.sqs_records import message

__all__ = ["function"]


@pytest.mark.parametrize(
    ("fail", "code"),
    [
        (lambda provider: provider.refuse_connections(), "UNREACHABLE"),
        (lambda provider: provider.inject_fault(kind="429"), "TRY_LATER"),
        (lambda provider: provider.inject_fault(kind="403"), "TOKEN_REFUSED"),
    ],
    ids=["connection refused", "429", "403"],
)
def test_a_message_that_is_sent_later_has_the_code_of_the_reason(
    function: Sender, fail: Callable[[object], None], code: str
) -> None:
    fail(function.provider)
    function.send(message())
    record = function.record("order-1")
    assert record.status == "RETRYING"
    assert record.error is not None
    assert record.error["code"] == code
