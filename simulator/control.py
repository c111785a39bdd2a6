"""The control API under `/_control/`: inject faults, set the webhook URL, and read what was received and sent.

docs/simulator.md describes the routes. `simulator.access` decides who may use them.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from simulator import control_bodies, webhook_events
from simulator.control_bodies import ControlError
from simulator.conversations import received
from simulator.faults import Fault, kinds
from simulator.page_routes import PAGE_ROUTES
from simulator.phones import STATES, Phone
from simulator.sending_api import SendingApi
from simulator.server import Answer, Request, json_answer
from simulator.webhook_events import Webhook, sign, to_text

if TYPE_CHECKING:
    from simulator.stack_view import StackView

PREFIX = "/_control/"
TOO_OLD = timedelta(days=8)  # the stack's MaxEventAge is 7 days by default

Fields = dict[str, Any]


@dataclass(slots=True)
class Control:
    """The routes, and the parts of the simulator that they read and change."""

    api: SendingApi
    url: str
    disconnect: Callable[[], None]
    stack: "StackView | None" = None

    def answer(self, request: Request) -> Answer:
        """Answer one control request."""
        routes = self.ROUTES.get(request.path.removeprefix(PREFIX))
        if routes is None:
            return json_answer(404, {"error": f"no such route; the routes are {', '.join(sorted(self.ROUTES))}"})
        if request.method not in routes:
            return json_answer(405, {"error": f"use {' or '.join(sorted(routes))}"})
        try:
            return json_answer(200, routes[request.method](self, request))
        except ControlError as error:
            return json_answer(400, {"error": str(error)})

    def event(self, fields: object) -> Fields:
        """Make and sign a webhook, and send it unless the body has `send: false`."""
        body = control_bodies.validated(control_bodies.EventBody, fields)
        webhook = _webhook(body)
        if body.send:
            self._require_webhook_url()
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

    def reset(self) -> None:
        """Remove all faults, phone states, messages, requests and webhooks."""
        self.api.faults.clear()
        self.api.phones.reset()
        self.api.history.reset()
        self.api.conversations.reset()
        self.api.deliveries.reset()

    def _require_webhook_url(self) -> None:
        if self.api.deliveries.url is None:
            raise ControlError("no webhook URL is set")

    def _list_faults(self, _request: Request) -> Fields:
        return {"faults": self.api.faults.fields()}

    def _inject_faults(self, request: Request) -> Fields:
        given = control_bodies.read_json(request)
        faults = given if isinstance(given, list) else [given]
        self.api.faults.add([control_bodies.validated(Fault, fault) for fault in faults])
        return self._list_faults(request)

    def _clear_faults(self, request: Request) -> Fields:
        self.api.faults.clear()
        return self._list_faults(request)

    def _fault_kinds(self, _request: Request) -> Fields:
        return {"kinds": kinds(), "phone_states": STATES}

    def _list_phones(self, _request: Request) -> Fields:
        return {"phones": self.api.phones.fields()}

    def _set_phone(self, request: Request) -> Fields:
        self.api.phones.set(control_bodies.read(Phone, request))
        return self._list_phones(request)

    def _set_webhook(self, request: Request) -> Fields:
        body, deliveries = control_bodies.read(control_bodies.WebhookBody, request), self.api.deliveries
        if "url" in body.model_fields_set:
            deliveries.url = body.url
        if body.key is not None:
            deliveries.key = body.key
        return {"url": deliveries.url}

    def _set_token(self, request: Request) -> Fields:
        self.api.token = control_bodies.read(control_bodies.TokenBody, request).token
        return {}

    def _messages(self, request: Request) -> Fields:
        counts, accepted = self.api.history.counts(), self.api.history.accepted()
        return {
            "total": counts.total(),
            "without_reference": counts.pop(None, 0),
            "counts": counts,
            "messages": [message.fields() for message in accepted[control_bodies.number(request, "since") :]],
        }

    def _requests(self, request: Request) -> Fields:
        requests = self.api.history.requests()
        selected = requests[control_bodies.number(request, "since") :]
        return {"total": len(requests), "requests": [sent.fields() for sent in selected]}

    def _deliveries(self, request: Request) -> Fields:
        attempts = self.api.deliveries.attempts()
        selected = [attempt.fields() for attempt in attempts[control_bodies.number(request, "since") :]]
        return {"pending": self.api.deliveries.pending(), "total": len(attempts), "deliveries": selected}

    def _send_event(self, request: Request) -> Fields:
        return self.event(control_bodies.read_json(request))

    def _send_again(self, request: Request) -> Fields:
        body, deliveries = control_bodies.read(control_bodies.RepeatBody, request), self.api.deliveries
        self._require_webhook_url()
        sent = [attempt.webhook for attempt in deliveries.attempts() if attempt.webhook.event_id == body.event_id]
        if not sent:
            raise ControlError("event_id: no webhook with this id was sent")
        webhook, key = sent[-1], deliveries.key
        if body.change == "aged":
            webhook = webhook_events.aged(webhook, datetime.now(UTC) - TOO_OLD)
        signature = sign(webhook.body, f"not {key}" if body.change == "wrong-key" else key)
        if body.change == "tampered":
            webhook = replace(webhook, body=webhook.body + b" ")
        return deliveries.send_once(webhook, signature).details()

    def _receive_text(self, request: Request) -> Fields:
        body = control_bodies.read(control_bodies.InboundBody, request)
        webhook = webhook_events.inbound_event(body.message, body.sender, now := datetime.now(UTC))
        self.api.conversations.add([received(str(webhook.msg_id), body.sender, body.message, to_text(now))])
        self.api.deliveries.send([(0.0, webhook)])
        return {"event_id": webhook.event_id, "msg_id": webhook.msg_id}

    def _disconnect(self, _request: Request) -> Fields:
        self.disconnect()
        return {}

    def _reset(self, _request: Request) -> Fields:
        self.reset()
        return {}

    ROUTES: ClassVar[dict[str, dict[str, Callable[["Control", Request], Fields]]]] = {
        **PAGE_ROUTES,
        "faults": {"GET": _list_faults, "POST": _inject_faults, "DELETE": _clear_faults},
        "fault-kinds": {"GET": _fault_kinds},
        "phones": {"GET": _list_phones, "POST": _set_phone},
        "webhook": {"POST": _set_webhook},
        "token": {"POST": _set_token},
        "messages": {"GET": _messages},
        "requests": {"GET": _requests},
        "deliveries": {"GET": _deliveries},
        "event": {"POST": _send_event},
        "repeat": {"POST": _send_again},
        "inbound": {"POST": _receive_text},
        "disconnect": {"POST": _disconnect},
        "reset": {"POST": _reset},
    }


def _webhook(body: control_bodies.EventBody) -> Webhook:
    if body.event_type is not None:
        return webhook_events.webhook(body.event_type, body.event, datetime.now(UTC))
    if "envelope" in body.model_fields_set:
        return webhook_events.from_envelope(body.envelope)
    if body.raw is not None:
        return Webhook(body.raw.encode("utf-8", "surrogatepass"))
    if not body.raw_base64:
        raise ControlError("give event_type and event, or envelope, raw, or raw_base64")
    try:
        return Webhook(base64.b64decode(body.raw_base64, validate=True))
    except binascii.Error:
        raise ControlError("raw_base64: not base64") from None
