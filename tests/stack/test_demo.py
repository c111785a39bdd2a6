"""The table at the end of `make demo`."""

from datetime import UTC, datetime, timedelta

import pytest

from gatewayapi.record import MessageRecord
from local.demo import summary

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def record(status: str, updated_at: datetime) -> MessageRecord:
    return MessageRecord("order-1042", status, queued_at=NOW, updated_at=updated_at, expires_at=NOW, message_id="1")


def test_the_last_status_of_the_stream_counts_even_if_its_time_is_earlier(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = {"ENROUTE": record("ENROUTE", NOW + 2 * SECOND), "DELIVERED": record("DELIVERED", NOW + SECOND)}
    assert summary({"order-1042": steps}, {}) == 0
    assert "order-1042                            DELIVERED     1.00 s" in capsys.readouterr().out


def test_a_message_that_is_not_delivered_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert summary({"order-1042": {"ENROUTE": record("ENROUTE", NOW)}, "lost": {}}, {}) == 1
    printed = capsys.readouterr().out
    assert "not as expected: order-1042 should be DELIVERED, and is ENROUTE" in printed
    assert "not as expected: lost should be DELIVERED, and is not in the table" in printed
