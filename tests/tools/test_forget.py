"""`make forget` removes what identifies a person, and keeps what prevents a second SMS."""

from datetime import timedelta

import pytest

from gatewayapi.clock import from_text, to_text
from tests.moto_aws import Aws
from tests.tools.conftest import Items, Printed
from tests.tools.table_items import LONG_AGO, MSG_ID, NOW, NUMBER, event, inbound, message, put
from tools import forget, person
from tools.deployed import Deployed
from tools.records import plain

PERSONAL = ("4512345678", "Example", "Orders", "trace-1", "0000", "Where is it")
LIST, FORGET = ["--number", NUMBER], ["--number", NUMBER, "--confirm", "yes"]
ERROR = {"hex_code": "0x0215", "details": f"MSISDN {NUMBER} blacklisted"}


def fill(stack: Deployed) -> None:
    put(
        stack,
        message("order-1", error={"code": "0x0215", "details": f"MSISDN {NUMBER} blacklisted"}),
        event("order-1", "e1", error=ERROR),
        event("order-1", "e2"),
        inbound("e3", "Where is it?"),
    )


def test_without_confirmation_nothing_changes(deployed: Deployed, items: Items, printed: Printed) -> None:
    fill(deployed)
    before = items()
    assert forget.main(LIST) == 0
    assert items() == before
    output = printed()
    assert "1 message with all events, and 1 event without a message record" in output
    assert f"make forget NUMBER={NUMBER} CONFIRM=yes" in output


def test_what_identifies_the_person_is_gone_and_the_rest_stays(
    deployed: Deployed, items: Items, printed: Printed
) -> None:
    fill(deployed)
    assert forget.main(FORGET) == 0
    after = items()
    assert sorted(after) == [
        ("msg-e3", "EVENT#e3"),
        ("order-1", "EVENT#e1"),
        ("order-1", "EVENT#e2"),
        ("order-1", "MESSAGE"),
    ]
    assert not [word for word in PERSONAL if word in str(after)]
    kept = plain(after["order-1", "MESSAGE"])
    assert (kept["status"], kept["msg_id"], kept["error"]) == ("DELIVERED", MSG_ID, {"code": "0x0215"})
    assert kept["updated_at"] == to_text(LONG_AGO)
    assert from_text(kept["forgotten_at"]) > NOW
    assert plain(after["order-1", "EVENT#e1"])["status"] == "DELIVERED"
    output = printed()
    for words in ("2 forgotten", "stream", "point-in-time recovery: 35 days", "queue", "GatewayAPI", "90 days"):
        assert words in output


def test_the_person_is_not_found_afterwards(deployed: Deployed, printed: Printed) -> None:
    fill(deployed)
    forget.main(FORGET)
    printed()
    person.main(["--number", NUMBER])
    assert "0 messages, 0 other events" in printed()


@pytest.mark.parametrize("arguments", [LIST, FORGET])
def test_a_message_that_can_still_be_in_a_queue_is_listed_with_its_date(
    deployed: Deployed, items: Items, printed: Printed, arguments: list[str]
) -> None:
    put(deployed, message("order-1", NOW - timedelta(days=20, hours=23)), event("order-1", "e1"))
    before = items()
    assert forget.main(arguments) == 3
    assert items() == before
    forgettable_from = NOW + timedelta(hours=1)  # 21 days after the last change
    assert f"order-1  can be forgotten from {forgettable_from:%Y-%m-%d %H:%M} UTC" in printed()


def test_after_21_days_a_message_is_forgotten(deployed: Deployed, items: Items) -> None:
    put(deployed, message("order-1", NOW - timedelta(days=21)))
    assert forget.main(FORGET) == 0
    assert "phone_number" not in items()["order-1", "MESSAGE"]


def test_an_inbound_text_need_not_wait(deployed: Deployed, items: Items) -> None:
    put(deployed, inbound("e1", "Forget me", NOW))
    assert forget.main(FORGET) == 0
    assert "Forget me" not in str(items())


def test_a_message_that_changed_after_the_list_is_left_alone(aws: Aws, deployed: Deployed, items: Items) -> None:
    put(deployed, message("order-1"))
    aws.calls.before("UpdateItem", lambda _: put(deployed, message("order-1", updated_at=to_text(NOW))))
    assert forget.main(FORGET) == 1
    assert "forgotten_at" not in items()["order-1", "MESSAGE"]


def interrupt(_: object) -> None:
    raise KeyboardInterrupt


# The five updates: one to mark the message, two for its events, one to remove its number, one for the inbound text.
@pytest.mark.parametrize("writes_before", range(5))
def test_an_interrupted_run_is_finished_by_the_next(
    aws: Aws, deployed: Deployed, items: Items, writes_before: int
) -> None:
    fill(deployed)
    aws.calls.before("UpdateItem", interrupt, skip=writes_before)
    with pytest.raises(KeyboardInterrupt):
        forget.main(FORGET)
    assert forget.main(FORGET) == 0
    assert not [word for word in PERSONAL if word in str(items())]


def test_a_webhook_that_arrives_meanwhile_is_cleared_too(aws: Aws, deployed: Deployed, items: Items) -> None:
    put(deployed, message("order-1"), event("order-1", "e1"))
    aws.calls.after("UpdateItem", lambda _: put(deployed, event("order-1", "late")), skip=1)
    assert forget.main(FORGET) == 0
    assert "body" not in items()["order-1", "EVENT#late"]


def test_a_record_that_the_ttl_deleted_meanwhile_is_not_created_again(
    aws: Aws, deployed: Deployed, items: Items
) -> None:
    fill(deployed)

    def delete_all(_: object) -> None:
        for pk, sk in items():
            key = {"pk": {"S": pk}, "sk": {"S": sk}}
            aws.dynamodb.delete_item(TableName=deployed.output("TableName"), Key=key)

    aws.calls.before("UpdateItem", delete_all)
    forget.main(FORGET)
    assert items() == {}


def test_another_numbers_event_under_the_same_reference_is_left_alone(deployed: Deployed, items: Items) -> None:
    other = event("order-1", "theirs", phone_number="4599999999", recorded_at=to_text(LONG_AGO))
    put(deployed, message("order-1"), other)
    forget.main(FORGET)
    assert plain(items()["order-1", "EVENT#theirs"]) == other
