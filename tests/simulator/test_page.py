"""The page of the simulator in a real browser: messages, faults, phones and webhooks, also by keyboard alone."""

import re
import shlex
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from simulator.faults import KINDS
from simulator.provider import Provider
from tests import accessibility
from tests.browser import WAIT_MS, OpenPage
from tests.simulator.simulator_client import WAIT_S, Client, Receiver, SendAndWait, message, signed

pytestmark = pytest.mark.usefixtures("receiver")
expect.set_options(timeout=WAIT_MS)
NUMBER = "+45 12 34 56 78"
WIDTHS = (1440, 900, 390)


@pytest.fixture
def page(provider: Provider, open_page: OpenPage) -> Page:
    return open_page(provider.url)


def bubbles(page: Page, name: str | re.Pattern[str] = "") -> Locator:
    return page.get_by_role("region", name="Conversation").get_by_role("listitem").filter(has_text=name)


def open_phone(page: Page, number: str = NUMBER) -> None:
    page.get_by_role("region", name="Phones").get_by_role("link", name=number).click()


def open_dialog(page: Page, button: str) -> Locator:
    page.get_by_role("button", name=button).click()
    return page.get_by_role("dialog")


def open_message(page: Page, text: str) -> Locator:
    bubbles(page, text).get_by_role("link").first.click()
    return page.get_by_role("region", name="Details")


def test_a_message_arrives_and_is_delivered(page: Page, client: Client) -> None:
    client.single(reference="order-1", message="Your parcel is here")
    open_phone(page)
    expect(bubbles(page, "Your parcel is here")).to_contain_text("Delivered")
    details = open_message(page, "Your parcel is here")
    expect(details.get_by_role("heading", name="order-1")).to_be_visible()
    for words in ("Accepted", "On its way", "Webhook ENROUTE: 200 OK", "Webhook DELIVERED: 200 OK"):
        expect(details.get_by_text(words, exact=True)).to_be_visible()
    details.get_by_text("1 · /mobile/single").click()
    expect(details.get_by_label("Body of the request")).to_contain_text('"message": "Your parcel is here"')


def test_a_text_is_never_markup(page: Page, client: Client) -> None:
    text = '<img src=x onerror="document.title=1"><b>bold</b>'
    client.single(message=text, reference="<i>reference</i>", sender="<u>x</u>")
    open_phone(page)
    expect(bubbles(page, text)).to_be_visible()
    open_message(page, text)
    expect(page.get_by_role("heading", name="<i>reference</i>")).to_be_visible()
    assert page.locator("main :is(img, b, i, u)").count() == 0


def test_a_fault_is_set_by_clicks_applied_and_cleared(page: Page, client: Client, provider: Provider) -> None:
    dialog = open_dialog(page, "Faults")
    dialog.get_by_role("combobox", name="Fault").select_option("503")
    dialog.get_by_label("For the next requests").fill("2")
    dialog.get_by_label("Retry-After", exact=True).fill("7")
    dialog.get_by_role("button", name="Set the fault").click()
    expect(dialog.get_by_text("applied 0 of 2")).to_be_visible()
    answer = client.single(reference="refused")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    dialog.get_by_role("button", name="Close").click()
    open_phone(page)
    expect(bubbles(page)).to_contain_text("Not accepted: 503 Unavailable")
    page.get_by_role("button", name="Faults").click()
    expect(dialog.get_by_text("applied 1 of 2")).to_be_visible()
    dialog.get_by_role("button", name="Clear all").click()
    expect(dialog.get_by_text("No fault is set.")).to_be_visible()
    assert provider.faults() == []
    assert client.single().status == 202


def test_every_kind_of_fault_can_be_set_with_its_conditions(page: Page, provider: Provider) -> None:
    dialog = open_dialog(page, "Faults")
    dialog.get_by_text("Only for certain messages").click()
    for number, kind in enumerate(KINDS, 1):
        dialog.get_by_role("combobox", name="Fault").select_option(kind)
        dialog.get_by_label("Reference contains").fill("order")
        dialog.get_by_role("button", name="Set the fault").click()
        expect(dialog.get_by_role("listitem")).to_have_count(number)
    assert [fault.kind for fault, _ in provider.faults()] == list(KINDS)
    assert {fault.reference_contains for fault, _ in provider.faults()} == {"order"}


def test_an_invalid_fault_is_refused_with_the_reason(page: Page, provider: Provider) -> None:
    dialog = open_dialog(page, "Faults")
    dialog.get_by_role("combobox", name="Fault").select_option("status")
    dialog.get_by_label("Status", exact=True).fill("42")
    dialog.get_by_role("button", name="Set the fault").click()
    expect(dialog.get_by_role("alert")).to_contain_text("status")
    assert provider.faults() == []


def test_a_message_is_composed_and_sent_to_the_api(page: Page, provider: Provider) -> None:
    dialog = open_dialog(page, "Compose")
    dialog.get_by_role("textbox", name="To").fill("+45 20 30 40 50")
    dialog.get_by_label("Text").fill("Hello\nthere")
    dialog.get_by_label("Reference").fill("composed")
    dialog.get_by_role("button", name="Send").click()
    expect(bubbles(page, "Hello")).to_contain_text("Delivered")
    (accepted,) = provider.messages()
    assert (accepted.message.recipient, accepted.message.message) == (4520304050, "Hello\nthere")
    assert accepted.message.reference == "composed"


def test_a_refused_message_is_explained_in_the_dialog(page: Page, provider: Provider) -> None:
    dialog = open_dialog(page, "Compose")
    dialog.get_by_label("Sender").fill("x")
    dialog.get_by_label("Text").fill("Hello")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_role("alert")).to_contain_text("422")
    assert provider.messages() == []


def test_the_person_replies_and_sends_stop(page: Page, client: Client, receiver: Receiver) -> None:
    client.single()
    open_phone(page)
    page.get_by_label("Reply as the person").fill("Tak for det")
    page.get_by_role("button", name="Reply").click()
    expect(bubbles(page, "Tak for det")).to_contain_text("Webhook delivered")
    page.get_by_role("button", name="STOP").click()
    expect(bubbles(page, "STOP")).to_contain_text("Webhook delivered")
    inbound = [envelope["event"] for envelope in receiver.events() if "content" in envelope["event"]]
    assert [(event["sender"], event["content"]["message"]) for event in inbound] == [
        (4512345678, "Tak for det"),
        (4512345678, "STOP"),
    ]


def test_a_link_to_a_message_survives_a_reload(page: Page, client: Client, provider: Provider) -> None:
    client.single(reference="linked", message="Keep this")
    open_phone(page)
    open_message(page, "Keep this")
    page.get_by_role("button", name="Copy a link to this message").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.endswith(f"#/message/{provider.messages()[0].msg_id}")
    page.reload()
    expect(page.get_by_role("heading", name="linked")).to_be_visible()
    page.goto(f"{provider.url}/#/message/none")
    expect(page.get_by_role("heading", name="This message is not here")).to_be_visible()


def test_messages_are_found_by_number_reference_text_and_status(page: Page, client: Client) -> None:
    client.single(reference="order-1", message="First", recipient=4511111111)
    client.single(reference="bill-2", message="Second", recipient=4522299901)
    phones = page.get_by_role("region", name="Phones").get_by_role("listitem")
    expect(phones).to_have_count(2)
    search = page.get_by_role("searchbox")
    for words, count in (("+45 11 11", 1), ("bill", 1), ("second", 1), ("nothing", 0), ("", 2)):
        search.fill(words)
        expect(phones).to_have_count(count)
    page.get_by_label("Status").select_option(label="Not delivered")
    expect(phones).to_have_count(1)
    expect(phones).to_contain_text("Second")


def test_a_phone_is_switched_off_and_made_undeliverable_with_a_code(page: Page, client: Client) -> None:
    client.single(message="First")
    open_phone(page)
    page.get_by_label("State of this phone").select_option("off")
    expect(page.get_by_role("region", name="Phones").locator("use[href='#icon-phone-off']")).to_have_count(1)
    client.single(message="Second")
    expect(bubbles(page, "Second")).to_contain_text("Expired")
    page.get_by_label("State of this phone").select_option("undeliverable")
    page.get_by_role("button", name="0x1701").click()
    page.get_by_label("Code").fill("0x0215")
    page.get_by_role("button", name="Set").click()
    expect(page.get_by_role("button", name="0x0215")).to_be_visible()
    client.single(message="Third", reference="third")
    expect(bubbles(page, "Third")).to_contain_text("Undeliverable")
    expect(open_message(page, "Third").get_by_text("(0x0215)")).to_be_visible()


def test_a_webhook_is_sent_again_changed_and_its_answer_is_shown(
    page: Page, provider: Provider, receiver: Receiver, send_and_wait: SendAndWait
) -> None:
    def answer(_: dict[str, Any]) -> int:
        body, signature = receiver.received[-1]
        return 200 if signature == signed(body) else 401

    receiver.answer = answer
    send_and_wait(recipient=4512399903, message="Rejected")
    page.goto(f"{provider.url}/#/message/{provider.messages()[0].msg_id}")
    details = page.get_by_role("region", name="Details")
    details.locator("summary", has_text="REJECTED").click()
    details.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_contain_text("200 OK")
    details.get_by_role("button", name="Send tampered with").click()
    expect(page.get_by_role("status")).to_contain_text("401 Unauthorized")
    expect(details.locator(".attempts").get_by_role("listitem")).to_have_count(3)
    expect(details.locator(".attempts").get_by_text("Signature v1=")).to_have_count(3)


def test_a_copied_curl_command_does_what_the_page_shows(page: Page, client: Client, provider: Provider) -> None:
    client.single(reference="copied", message="It's $5 & more")
    open_phone(page)
    details = open_message(page, "It's $5")
    details.get_by_text("1 · /mobile/single").click()
    details.get_by_role("button", name="Copy as curl").first.click()
    expect(page.get_by_role("status")).to_have_text("Copied.")
    program, url, *rest = shlex.split(page.evaluate("navigator.clipboard.readText()").replace("\\\n", ""))
    options = list(zip(rest[::2], rest[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    (body,) = [value for option, value in options if option == "-d"]
    assert program == "curl"
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers)) as answer:
        assert answer.status == 202
    first, second = provider.messages()
    assert first.message == second.message


def test_an_empty_page_shows_the_first_command(page: Page, provider: Provider) -> None:
    expect(page.get_by_role("heading", name="No messages yet")).to_be_visible()
    expect(page.get_by_label("Command")).to_contain_text(f"curl {provider.url}/mobile/single")
    expect(page.get_by_label("Command")).to_contain_text(provider.token)


def test_every_request_is_listed_with_its_body_also_an_unreadable_one(page: Page, client: Client) -> None:
    client.ask("POST", "/mobile/single", b"no JSON")
    requests = page.get_by_role("region", name="Details")
    requests.get_by_role("link", name="422 Unprocessable").click()
    expect(requests.get_by_label("Body of the request")).to_have_text("no JSON")
    expect(requests.get_by_label("Body of the answer")).to_contain_text("json_invalid")


def test_the_page_reports_a_stopped_simulator_and_goes_on_with_it(
    page: Page, client: Client, provider: Provider
) -> None:
    expect(page.get_by_role("heading", name="No messages yet")).to_be_visible()
    provider.refuse_connections()
    expect(page.get_by_role("alert")).to_have_text("The simulator does not answer.")
    provider.accept_connections()
    expect(page.get_by_role("alert")).to_be_hidden()
    client.single(message="Back")
    expect(page.get_by_role("region", name="Phones")).to_contain_text("Back")
    client.control("POST", "reset", {})
    expect(page.get_by_role("heading", name="No messages yet")).to_be_visible()


def test_everything_can_be_done_by_keyboard(page: Page, provider: Provider) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the conversation")).to_be_focused()
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("textbox", name="To")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(bubbles(page, "By keyboard")).to_contain_text("Delivered")
    page.keyboard.press("/")
    page.keyboard.type("keyboard")
    expect(page.get_by_role("searchbox")).to_have_value("keyboard")
    press_until_focused(page, page.get_by_role("region", name="Conversation").get_by_role("link", name="By keyboard"))
    page.keyboard.press("Enter")
    details = page.get_by_role("region", name="Details")
    expect(details.get_by_role("heading", name="No reference")).to_be_visible()
    press_until_focused(page, details.locator("summary").first)
    page.keyboard.press("Enter")
    expect(details.get_by_label("Body of the request")).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert len(provider.messages()) == 1


def press_until_focused(page: Page, target: Locator) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            outline = target.evaluate("element => getComputedStyle(element).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"not reached by Tab: {target}")


def test_a_key_works_although_the_focus_is_still_in_a_dialog_that_was_closed(page: Page) -> None:
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Send a message")).to_be_visible()
    # A browser moves the focus out of a closed dialog only when it renders the page again.
    page.evaluate("""() => {
      const input = document.querySelector("dialog input");
      input.closest("dialog").close();
      input.dispatchEvent(new KeyboardEvent("keydown", { key: "f", bubbles: true }));
    }""")
    expect(page.get_by_role("heading", name="Faults")).to_be_visible()


def test_a_new_message_is_announced_to_a_screen_reader(page: Page, client: Client) -> None:
    expect(page.get_by_role("heading", name="No messages yet")).to_be_visible()
    client.single(message="Hear this")
    expect(page.locator("[aria-live=polite]")).to_contain_text(f"Message to {NUMBER}: Hear this")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_view_is_accessible_and_fits_the_screen(
    open_page: OpenPage, client: Client, provider: Provider, width: int, scheme: str
) -> None:
    provider.inject_fault(kind="503")
    client.single(reference="order-1", message="A long word: " + "x" * 100)
    client.single(reference="order-1", message="A long word: " + "x" * 100)
    client.single(recipient=4512399901)
    client.multi(message("a", message="ø" * 200), {"no": "message"})
    client.control("POST", "inbound", {"message": "STOP", "sender": 4512345678})
    client.control("POST", "phones", {"number": 4512345678, "state": "undeliverable"})
    assert provider.wait_for_webhooks(WAIT_S)
    page = open_page(provider.url, width=width, scheme=scheme)
    expect(page.get_by_role("region", name="Phones")).to_contain_text(NUMBER)
    msg_id = provider.messages()[0].msg_id
    for route, landmark in (
        ("", "+45 12 39 99 01"),
        ("requests", "4 requests"),
        ("request/1", "Received at"),
        ("phone/4512345678", NUMBER),
        (f"message/{msg_id}", "order-1"),
    ):
        page.goto(f"{provider.url}/#/{route}")
        expect(page.locator("main").get_by_text(landmark).filter(visible=True).first).to_be_visible()
        for summary in page.locator(".details summary:visible").all():
            summary.click()
        assert accessibility.problems(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for key, landmark in (("c", "Send a message"), ("f", "Faults")):
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=landmark)).to_be_visible()
        assert accessibility.problems(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_check_for_accessibility_finds_what_is_wrong(page: Page) -> None:
    page.evaluate("""() => {
      const make = (tag, attributes, text) => {
        const element = Object.assign(document.createElement(tag), attributes);
        element.textContent = text;
        document.querySelector("main").append(element);
        return element;
      };
      make("button", {}, "");
      make("input", {}, "");
      make("h6", {}, "Deep");
      make("p", { id: "dialog" }, "Twice");
      make("p", { className: "pale" }, "Pale");
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(".pale { color: #999; background: #fff; }");
      document.adoptedStyleSheets.push(sheet);
    }""")
    found = "\n".join(accessibility.problems(page))
    for words in ("no name: button", "no name: input", "leaves out a level: h6", "id used twice", "contrast 2.85"):
        assert words in found
