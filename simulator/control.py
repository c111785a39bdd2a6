"""The control API under `/_control/`: order faults, set the webhook URL, and read what was received and sent.

docs/simulator.md describes the routes. `simulator.access` decides who may use them.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator import orders, page_data, webhook_events
from simulator.conversations import received
from simulator.errors import ControlError
from simulator.faults import kinds, parse
from simulator.page_routes import PAGE_ROUTES
from simulator.phones import STATES, Phone
from simulator.sending_api import SendingApi, document
from simulator.server import Answer, Request
from simulator.webhook_events import Webhook, moment, sign

if TYPE_CHECKING:
    from simulator.stack_view import StackView

PREFIX = "/_control/"
TOO_OLD = timedelta(days=8)  # the stack's MaxEventAge is 7 days by default


@dataclass(slots=True)
class Control:
    """The routes, and the parts of the simulator that they read and change."""

    api: SendingApi
    url: str
    disconnect: Callable[[], None]
    stack: "StackView | None" = None

    def answer(self, request: Request) -> Answer:
        """Answer one control request."""
        routes = ROUTES.get(request.path.removeprefix(PREFIX))
        if routes is None:
            return document(404, {"error": f"no such route; the routes are {', '.join(sorted(ROUTES))}"})
        if request.method not in routes:
            return document(405, {"error": f"use {' or '.join(sorted(routes))}"})
        try:
            return document(200, routes[request.method](self, request))
        except ControlError as error:
            return document(400, {"error": str(error)})

    def event(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Make and sign a webhook, and send it unless the order has `send: false`."""
        order = orders.validated(orders.EventOrder, fields)
        webhook = _webhook(order)
        if order.send:
            if self.api.deliveries.url is None:
                raise ControlError("no webhook URL is set")
            self.api.deliveries.send([(0.0, webhook)])
        return {
            "event_id": webhook.event_id,
            "body_base64": base64.b64encode(webhook.body).decode(),
            "signature": sign(webhook.body, self.api.deliveries.key),
        }

    def show_stack(self, name: str) -> None:
        """Show a deployed stack on the page, beside what the simulator has."""
        # Imported only here, because it needs the layer and an AWS SDK, and the simulator alone does not.
        from simulator.stack_view import StackView  # noqa: PLC0415

        self.stack = StackView(name)

    def connected_stack(self) -> "StackView":
        """Return the stack, or raise ControlError if there is none."""
        if self.stack is None:
            raise ControlError("there is no stack; start the simulator with --stack NAME")
        return self.stack

    def reset(self) -> None:
        """Remove all faults, phone states, messages, requests and webhooks."""
        self.api.faults.clear()
        self.api.phones.reset()
        self.api.history.reset()
        self.api.conversations.reset()
        self.api.deliveries.reset()


def _webhook(order: orders.EventOrder) -> Webhook:
    given = order.model_fields_set
    if order.event_type is not None:
        return webhook_events.webhook(order.event_type, order.event, datetime.now(UTC))
    if "envelope" in given:
        return webhook_events.from_envelope(order.envelope)
    if order.raw is not None:
        return Webhook(order.raw.encode("utf-8", "surrogatepass"))
    try:
        return Webhook(base64.b64decode(order.raw_base64 or "", validate=True) if order.raw_base64 else _no_webhook())
    except binascii.Error:
        raise ControlError("raw_base64: not base64") from None


def _no_webhook() -> bytes:
    raise ControlError("give event_type and event, or envelope, raw, or raw_base64")


def _list_faults(control: Control, _request: Request) -> object:
    return {"faults": page_data.faults(control.api)}


def _order_faults(control: Control, request: Request) -> object:
    given = orders.read_json(request)
    control.api.faults.add([parse(order) for order in (given if isinstance(given, list) else [given])])
    return _list_faults(control, request)


def _clear_faults(control: Control, request: Request) -> object:
    control.api.faults.clear()
    return _list_faults(control, request)


def _fault_kinds(_control: Control, _request: Request) -> object:
    return {"kinds": kinds(), "phone_states": STATES}


def _set_webhook(control: Control, request: Request) -> object:
    order, deliveries = orders.read(orders.WebhookOrder, request), control.api.deliveries
    if "url" in order.model_fields_set:
        deliveries.url = order.url
    if order.key is not None:
        deliveries.key = order.key
    return {"url": deliveries.url}


def _set_token(control: Control, request: Request) -> object:
    control.api.token = orders.read(orders.TokenOrder, request).token
    return {}


def _messages(control: Control, request: Request) -> object:
    history = control.api.history
    counts = history.counts()
    total, without_reference = counts.total(), counts.pop(None, 0)
    entries = [entry.fields() for entry in history.accepted(orders.number(request, "since"))]
    return {"total": total, "without_reference": without_reference, "counts": counts, "messages": entries}


def _requests(control: Control, request: Request) -> object:
    requests = control.api.history.requests()
    selected = requests[orders.number(request, "since") :]
    return {"total": len(requests), "requests": [entry.fields() for entry in selected]}


def _deliveries(control: Control, request: Request) -> object:
    deliveries = control.api.deliveries
    attempts = deliveries.attempts()
    selected = [attempt.fields() for attempt in attempts[orders.number(request, "since") :]]
    return {"pending": deliveries.pending(), "total": len(attempts), "deliveries": selected}


def _event(control: Control, request: Request) -> object:
    return control.event(orders.read_json(request))


def _inbound(control: Control, request: Request) -> object:
    order = orders.read(orders.InboundOrder, request)
    webhook = webhook_events.inbound_event(order.message, order.sender, now := datetime.now(UTC))
    control.api.conversations.add([received(str(webhook.msg_id), order.sender, order.message, moment(now))])
    control.api.deliveries.send([(0.0, webhook)])
    return {"event_id": webhook.event_id, "msg_id": webhook.msg_id}


def _list_phones(control: Control, _request: Request) -> object:
    return {"phones": [asdict(phone) for phone in control.api.phones.listing()]}


def _set_phone(control: Control, request: Request) -> object:
    control.api.phones.set(Phone(**orders.read(orders.PhoneOrder, request).model_dump()))
    return _list_phones(control, request)


def _repeat(control: Control, request: Request) -> object:
    order, deliveries = orders.read(orders.RepeatOrder, request), control.api.deliveries
    if deliveries.url is None:
        raise ControlError("no webhook URL is set")
    attempts = deliveries.attempts()
    original = next((a.webhook for a in reversed(attempts) if a.webhook.event_id == order.event_id), None)
    if original is None:
        raise ControlError("event_id: no webhook with this id was sent")
    key, webhook = deliveries.key, original
    if order.change == "aged":
        webhook = webhook_events.aged(original, datetime.now(UTC) - TOO_OLD)
    signature = sign(webhook.body, f"not {key}" if order.change == "wrong-key" else key)
    if order.change == "tampered":
        webhook = replace(original, body=original.body + b" ")
    return page_data.attempt(deliveries.send_once(webhook, signature))


def _disconnect(control: Control, _request: Request) -> object:
    control.disconnect()
    return {}


def _reset(control: Control, _request: Request) -> object:
    control.reset()
    return {}


ROUTES: dict[str, dict[str, Callable[[Control, Request], object]]] = {
    **PAGE_ROUTES,
    "faults": {"GET": _list_faults, "POST": _order_faults, "DELETE": _clear_faults},
    "fault-kinds": {"GET": _fault_kinds},
    "webhook": {"POST": _set_webhook},
    "token": {"POST": _set_token},
    "messages": {"GET": _messages},
    "requests": {"GET": _requests},
    "deliveries": {"GET": _deliveries},
    "event": {"POST": _event},
    "repeat": {"POST": _repeat},
    "inbound": {"POST": _inbound},
    "phones": {"GET": _list_phones, "POST": _set_phone},
    "disconnect": {"POST": _disconnect},
    "reset": {"POST": _reset},
}
