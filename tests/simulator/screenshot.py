"""`make screenshot`: write docs/phones.png, a picture of the simulator's page beside a stack on this machine."""

import json
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from local.stack import Stack
from local.waiting import wait_for
from tests.browser import ARGUMENTS, MISSING, chromium
from tests.stack.simulator_control import SimulatorControl

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
        simulator = SimulatorControl(stack.provider_url)
        converse(stack, simulator)
        msg_id = simulator.sms(LAST)[0]["msg_id"]
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        page.goto(f"{stack.provider_url}/#/message/{msg_id}")
        page.get_by_text("Event stored: DELIVERED", exact=True).wait_for()
        page.screenshot(path=PICTURE)
        browser.close()


def converse(stack: Stack, simulator: SimulatorControl) -> None:
    """Send messages and replies, one after the other so that their order is the same every time."""
    simulator.ask("phones", {"number": PATIENT, "state": "off"})
    send(stack, simulator, GUEST, "Hotel", "Your room is ready. See you today!", "room-12")
    simulator.ask("inbound", {"message": "STOP", "sender": GUEST})
    send(stack, simulator, PATIENT, "Clinic", "Reminder: your appointment is on Monday at 9:30.", "visit-3")
    send(stack, simulator, CLIENT, "Bank", "Your code is 482 913. It is valid for 10 minutes.", "code-7")
    text = "Your parcel is at the shop. Collect it before Friday, 18:00."
    send(stack, simulator, CUSTOMER, "Parcels", text, "order-1041")
    simulator.ask("inbound", {"message": "Can I collect it on Saturday?", "sender": CUSTOMER})
    send(stack, simulator, CUSTOMER, "Parcels", "Yes, we keep it until Saturday at noon.", "order-1042")
    simulator.inject_faults({"kind": "503", "retry_after": 1})
    send(stack, simulator, CUSTOMER, "Parcels", "You collected your parcel. Thank you!", LAST)


def send(stack: Stack, simulator: SimulatorControl, number: int, sender: str, text: str, reference: str) -> None:
    """Put a message on the queue, and wait until it was sent and its webhooks were delivered."""
    body = {"recipient": number, "sender": sender, "message": text, "reference": reference}
    stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=json.dumps(body))

    def delivered() -> bool:
        return bool(simulator.sms(reference)) and not simulator.ask("deliveries")["pending"]

    wait_for(delivered, f"{reference} to be delivered")


if __name__ == "__main__":
    main()
