"""The simulator's page beside the deployed stack: records, events and dead letters, in a real browser."""

import json
import uuid
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.stack import Stack
from local.waiting import wait_for
from tests import accessibility
from tests.browser import OpenPage
from tests.stack.simulator_control import SimulatorControl

WITHIN_MS = 60_000


@pytest.fixture
def page(stack: Stack, open_page: OpenPage) -> Page:
    opened = open_page(stack.provider_url)
    opened.set_default_timeout(WITHIN_MS)
    expect.set_options(timeout=WITHIN_MS)
    return opened


@pytest.fixture
def reference() -> str:
    return f"page-{uuid.uuid4()}"


@pytest.fixture
def number() -> int:
    return 4590000000 + uuid.uuid4().int % 9_000_000


def details(page: Page) -> Any:  # noqa: ANN401 - a locator
    return page.get_by_role("region", name="Details")


def test_a_composed_message_goes_through_the_queue_and_its_record_is_shown(
    page: Page, reference: str, number: int
) -> None:
    page.get_by_role("button", name="Compose").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="To").fill(f"+{number}")
    dialog.get_by_label("Text").fill("Through the queue")
    dialog.get_by_label("Reference").fill(reference)
    dialog.get_by_label("Urgent queue").check()
    dialog.get_by_role("button", name="Put on the queue").click()
    bubble = page.get_by_role("region", name="Conversation").get_by_role("listitem").filter(has_text="Through")
    expect(bubble).to_contain_text("Delivered")
    bubble.get_by_role("link").click()
    record = details(page).locator(".card", has=page.get_by_role("heading", name="Record in the table"))
    expect(record).to_contain_text("Delivered")
    expect(record).to_contain_text("urgent")
    for words in ("Queued", "Claimed, attempt 1", "Webhook DELIVERED: 200 OK", "Event stored: DELIVERED"):
        expect(details(page).get_by_text(words, exact=True)).to_be_visible()
    assert accessibility.problems(page) == []


def test_a_reply_of_the_person_shows_in_the_stream(page: Page, stack: Stack, number: int) -> None:
    SimulatorControl(stack.provider_url).ask("inbound", {"message": "Is it there?", "sender": number})
    page.goto(f"{stack.provider_url}/#/phone/{number}")
    page.get_by_label("Reply as the person").fill("Thank you")
    page.get_by_role("button", name="Reply").click()
    bubble = page.get_by_role("region", name="Conversation").get_by_role("listitem").filter(has_text="Thank you")
    expect(bubble).to_contain_text("Webhook delivered")
    bubble.get_by_role("link").click()
    expect(details(page).get_by_text("Event stored: user-message.text.sms")).to_be_visible()


def test_a_person_who_sends_stop_is_shown_as_opted_out(page: Page, stack: Stack, number: int) -> None:
    page.goto(f"{stack.provider_url}/#/phone/{number}")
    page.get_by_role("button", name="STOP").click()
    expect(page.get_by_text("Opted out")).to_be_visible()


def test_a_dead_letter_is_shown_with_its_reason_and_redriven_by_a_click(
    page: Page, stack: Stack, reference: str, number: int
) -> None:
    simulator = SimulatorControl(stack.provider_url)
    simulator.inject_faults({"kind": "422", "references": [reference]})
    body = {"recipient": number, "message": "Refused at first", "reference": reference, "sender": "Example"}
    stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=json.dumps(body))
    page.get_by_role("link", name="Dead letters").click()
    dead_letter = details(page).get_by_role("listitem").filter(has_text=reference)
    expect(dead_letter).to_contain_text("PROVIDER_REFUSED")
    assert accessibility.problems(page) == []
    dead_letter.get_by_role("button", name="Redrive").click()
    expect(page.get_by_role("status")).to_have_text(f"{reference} is on the queue again.")
    expect(dead_letter).to_have_count(0)
    wait_for(lambda: len(simulator.sms(reference)) == 1, "the redriven message to be accepted")
    page.goto(f"{stack.provider_url}/#/phone/{number}")
    expect(page.get_by_role("region", name="Conversation")).to_contain_text("Delivered")
