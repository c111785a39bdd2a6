"""`make person` shows everything of one phone number, newest first, and nothing of another's."""

import json
from datetime import timedelta
from typing import Any

import pytest

from gatewayapi.clock import to_text
from tests.tools.conftest import Printed
from tests.tools.table_items import LONG_AGO, NUMBER, event, inbound, message, put
from tools import person
from tools.command import CommandError
from tools.deployed import Deployed
from tools.people import digits

DAY = timedelta(days=1)
OPT_OUT = {
    "pk": f"OPT_OUT#{NUMBER}",
    "sk": "OPT_OUT",
    "record_type": "opt_out",
    "status": "OUT",
    "changed_at": to_text(LONG_AGO),
    "source": "event-9",
}


def shown(printed: Printed, number: str = NUMBER) -> str:
    assert person.main(["--number", number]) == 0
    return printed()


def exported(printed: Printed) -> dict[str, Any]:
    assert person.main(["--number", NUMBER, "--format", "json"]) == 0
    document: dict[str, Any] = json.loads(printed())
    return document


def exported_keys(printed: Printed) -> list[tuple[str, str]]:
    document = exported(printed)
    return [(record["pk"], record["sk"]) for record in document["records"]]


def test_messages_and_inbound_texts_are_shown_newest_first(deployed: Deployed, printed: Printed) -> None:
    put(
        deployed,
        message("order-1"),
        event("order-1", "e1", LONG_AGO + timedelta(seconds=3)),
        inbound("e2", "Where is it?", LONG_AGO + DAY),
        message("order-2", LONG_AGO + 2 * DAY, status="INVALID", error={"code": "TOO_LONG", "details": "9 segments"}),
    )
    text = shown(printed)
    positions = [text.index(words) for words in ("order-2", "Where is it?", "order-1")]
    assert positions == sorted(positions)
    assert "DELIVERED: delivered to the phone" in text
    assert "DELIVERED reported at" in text
    assert "the text has more SMS segments than MaxSegments allows (TOO_LONG: 9 segments)" in text
    assert "2 messages, 1 other event" in text
    assert "none recorded" in text
    assert "index" in text


def test_an_opt_out_is_shown(deployed: Deployed, printed: Printed) -> None:
    put(deployed, OPT_OUT)
    assert "opted out at" in shown(printed)


def test_a_number_may_be_written_as_people_write_it(deployed: Deployed, printed: Printed) -> None:
    put(deployed, message("order-1"))
    assert "order-1" in shown(printed, number="+45 12-34 56 78")


def test_the_export_has_whole_records(deployed: Deployed, printed: Printed) -> None:
    put(deployed, message("order-1"), event("order-1", "e1"), inbound("e2", "Hi"), OPT_OUT)
    document = exported(printed)
    assert document["number"] == NUMBER
    assert document["opt_out"] == OPT_OUT
    assert sorted(document["records"], key=lambda it: str(it["sk"])) == [
        event("order-1", "e1"),
        inbound("e2", "Hi"),
        message("order-1"),
    ]


def test_another_persons_message_under_the_same_reference_is_left_out(deployed: Deployed, printed: Printed) -> None:
    # Another system of the account used our reference for this number; our message went to somebody else.
    put(
        deployed,
        message("order-1", phone_number="4599999999", recipient=4599999999),
        event("order-1", "ours", recipient=4599999999),
        event("order-1", "theirs", phone_number=NUMBER, recorded_at=to_text(LONG_AGO)),
    )
    assert exported_keys(printed) == [("order-1", "EVENT#theirs")]


def test_another_systems_event_about_another_number_is_left_out(deployed: Deployed, printed: Printed) -> None:
    put(
        deployed,
        message("order-1"),
        event("order-1", "ours"),
        event("order-1", "theirs", phone_number="4599999999", recorded_at=to_text(LONG_AGO)),
    )
    assert exported_keys(printed) == [("order-1", "MESSAGE"), ("order-1", "EVENT#ours")]


def test_more_messages_than_a_page_has_are_all_shown(deployed: Deployed, printed: Printed) -> None:
    long = "x" * 30_000
    put(deployed, *(inbound(f"e{number}", "Hi", body=long) for number in range(40)))
    assert len(exported_keys(printed)) == 40


@pytest.mark.parametrize("text", ["", "12", "0045123456", "order-1", "45123456789012345", "+"])
def test_what_is_no_phone_number_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="country code"):
        digits(text)
