"""`make screenshot`: write docs/phones.png, a picture of the simulator's page beside a stack on this machine."""

import json
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from local.stack import Stack
from local.waiting import wait_for
from tests.browser import ARGUMENTS, MISSING, chromium
from tests.stack.simulator_control import Desk

PICTURE = Path(__file__).parents[2] / "docs" / "phones.png"
SIZE = {"width": 1440, "height": 860}
CUSTOMER, PATIENT, CLIENT, GUEST = 4512345678, 4520304050, 14155550123, 4611199901
LAST = "order-1043"


def main() -> None:
    """Start a stack, send some messages through it, and take the picture."""
    path = chromium()
    if path is None:
        sys.exit(MISSING)
    with Stack() as stack, sync_playwright() as playwright:
        desk = Desk(stack.provider_url)
        converse(stack, desk)
        msg_id = desk.sms(LAST)[0]["msg_id"]
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        page.goto(f"{stack.provider_url}/#/message/{msg_id}")
        page.get_by_text("Event stored: DELIVERED", exact=True).wait_for()
        page.screenshot(path=PICTURE)
        browser.close()


def converse(stack: Stack, desk: Desk) -> None:
    """Send messages and replies, one after the other so that their order is the same every time."""
    desk.ask("phones", {"number": PATIENT, "state": "off"})
    send(stack, desk, GUEST, "Hotel", "Your room is ready. See you today!", "room-12")
    desk.ask("inbound", {"message": "STOP", "sender": GUEST})
    send(stack, desk, PATIENT, "Clinic", "Reminder: your appointment is on Monday at 9:30.", "visit-3")
    send(stack, desk, CLIENT, "Bank", "Your code is 482 913. It is valid for 10 minutes.", "code-7")
    send(
        stack, desk, CUSTOMER, "Parcels", "Your parcel is at the shop. Collect it before Friday, 18:00.", "order-1041"
    )
    desk.ask("inbound", {"message": "Can I collect it on Saturday?", "sender": CUSTOMER})
    send(stack, desk, CUSTOMER, "Parcels", "Yes, we keep it until Saturday at noon.", "order-1042")
    desk.order({"kind": "503", "retry_after": 1})
    send(stack, desk, CUSTOMER, "Parcels", "You collected your parcel. Thank you!", LAST)


def send(stack: Stack, desk: Desk, number: int, sender: str, text: str, reference: str) -> None:
    """Put a message on the queue, and wait until it was sent and its webhooks were delivered."""
    body = {"recipient": number, "sender": sender, "message": text, "reference": reference}
    stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=json.dumps(body))

    def delivered() -> bool:
        return bool(desk.sms(reference)) and not desk.ask("deliveries")["pending"]

    wait_for(delivered, f"{reference} to be delivered")


if __name__ == "__main__":
    main()
