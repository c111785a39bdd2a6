"""`make unheard` lists the accepted messages that no webhook has moved, and names the cost of looking first."""

from datetime import timedelta

import pytest

from gatewayapi.clock import to_text
from tests.tools.conftest import Printed
from tests.tools.table_items import NOW, event, message, put
from tools import unheard
from tools.deployed import Deployed

AN_HOUR_AGO = NOW - timedelta(minutes=61)


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unheard, "now", lambda: NOW)


def test_a_message_without_a_webhook_is_listed_after_the_cost(deployed: Deployed, printed: Printed) -> None:
    put(deployed, message("silent", AN_HOUR_AGO, status="ACCEPTED"))
    assert unheard.main([]) == 1
    cost, line, summary, _ = printed().splitlines()
    assert "reads the whole table: 1 records" in cost
    assert line.startswith("silent  accepted ")
    assert "61 minutes ago" in line
    assert summary.startswith("1 message without a webhook, accepted more than 60 minutes ago")


@pytest.mark.parametrize(
    "record",
    [
        message("recent", NOW - timedelta(minutes=59), status="ACCEPTED"),
        message("reported", AN_HOUR_AGO, status="ACCEPTED", status_at=to_text(NOW)),
        message("delivered", AN_HOUR_AGO),
        message("never-sent", AN_HOUR_AGO, status="INVALID", accepted_at=None),
        event("foreign", "e1", AN_HOUR_AGO, status="ACCEPTED"),
    ],
    ids=lambda record: str(record["pk"]),
)
def test_nothing_else_is_listed(deployed: Deployed, printed: Printed, record: dict[str, object]) -> None:
    put(deployed, record)
    assert unheard.main([]) == 0
    assert str(record["pk"]) not in printed()


def test_every_segment_of_the_table_is_read(deployed: Deployed, printed: Printed) -> None:
    put(deployed, *(message(f"silent-{number}", AN_HOUR_AGO, status="ACCEPTED") for number in range(50)))
    unheard.main([])
    assert "50 messages without a webhook" in printed()


def test_the_time_may_be_chosen(deployed: Deployed) -> None:
    put(deployed, message("silent", AN_HOUR_AGO, status="ACCEPTED"))
    assert unheard.main(["--minutes", "120"]) == 0


@pytest.mark.parametrize("minutes", ["0", "-1", "soon"])
def test_what_is_no_number_of_minutes_is_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        unheard.main(["--minutes", minutes])
    assert "minutes" in capsys.readouterr().err
