"""The control API under `/_control/`: order faults, set the webhook URL, and read what was received and sent.

docs/simulator.md describes the routes. `simulator.access` decides who may use them.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator import page_data, webhook_events
from simulator.conversations import received
from simulator.errors import ControlError
from simulator.faults import kinds, parse
from simulator.phones import OUT_OF_REACH, STATES, Phone
from simulator.sending_api import SendingApi, document
from simulator.server import Answer, Request
from simulator.webhook_events import Webhook, moment, sign

if TYPE_CHECKING:
    from simulator.stack_view import StackView

PREFIX = "/_control/"
PERSON = 4587654321
TOO_OLD = timedelta(days=8)  # the stack's MaxEventAge is 7 days by default


class _Order(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class WebhookOrder(_Order):
    """Where webhooks go and how they are signed. What is not given stays as it is. A null URL stops new webhooks."""

    url: str | None = None
    key: Annotated[str, Field(min_length=1)] | None = None


class TokenOrder(_Order):
    """The only API token that is accepted from now on."""

    token: Annotated[str, Field(min_length=1)]


class EventOrder(_Order):
    """Any webhook: an event with its type, or the whole envelope, or the body as text or as base64."""

    event_type: str | None = None
    event: Any = None
    envelope: Any = None
    raw: str | None = None
    raw_base64: str | None = None
    send: bool = True


class InboundOrder(_Order):
    """A text that a person sends."""

    message: str
    sender: int = PERSON


class PhoneOrder(_Order):
    """The state of a phone."""

    number: Annotated[int, Field(gt=1000, le=999_999_999_999_999)]
    state: str
    hex_code: str = OUT_OF_REACH["hex_code"]
    details: str = OUT_OF_REACH["details"]


class StackOrder(_Order):
    """The name of the deployed stack that the page shows beside the simulator."""

    name: Annotated[str, Field(min_length=1)]


class QueueOrder(_Order):
    """A message for the stack's queue. Its body is not checked here: the stack does that."""

    body: dict[str, Any]
    urgent: bool = False


class RedriveOrder(_Order):
    """The dead letters to put back on the queue."""

    reference: Annotated[str, Field(min_length=1)]


class RepeatOrder(_Order):
    """A webhook that was sent before, to be sent once more: as it was, or changed."""

    event_id: str
    change: Literal["none", "tampered", "aged", "wrong-key"] = "none"


AnyOrder = TypeVar("AnyOrder", bound=_Order)


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
        order = _validated(EventOrder, fields)
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


def _webhook(order: EventOrder) -> Webhook:
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
    given = _json(request)
    orders = given if isinstance(given, list) else [given]
    control.api.faults.add([parse(order) for order in orders])
    return _list_faults(control, request)


def _clear_faults(control: Control, request: Request) -> object:
    control.api.faults.clear()
    return _list_faults(control, request)


def _fault_kinds(_control: Control, _request: Request) -> object:
    return {"kinds": kinds(), "phone_states": STATES}


def _set_webhook(control: Control, request: Request) -> object:
    order, deliveries = _order(WebhookOrder, request), control.api.deliveries
    if "url" in order.model_fields_set:
        deliveries.url = order.url
    if order.key is not None:
        deliveries.key = order.key
    return {"url": deliveries.url}


def _set_token(control: Control, request: Request) -> object:
    control.api.token = _order(TokenOrder, request).token
    return {}


def _messages(control: Control, request: Request) -> object:
    history = control.api.history
    counts = history.counts()
    total, without_reference = counts.total(), counts.pop(None, 0)
    entries = [entry.fields() for entry in history.accepted(_number(request, "since"))]
    return {"total": total, "without_reference": without_reference, "counts": counts, "messages": entries}


def _requests(control: Control, request: Request) -> object:
    requests = control.api.history.requests()
    selected = requests[_number(request, "since") :]
    return {"total": len(requests), "requests": [entry.fields() for entry in selected]}


def _deliveries(control: Control, request: Request) -> object:
    deliveries = control.api.deliveries
    attempts = deliveries.attempts()
    selected = [attempt.fields() for attempt in attempts[_number(request, "since") :]]
    return {"pending": deliveries.pending(), "total": len(attempts), "deliveries": selected}


def _event(control: Control, request: Request) -> object:
    return control.event(_object(request))


def _inbound(control: Control, request: Request) -> object:
    order = _order(InboundOrder, request)
    webhook = webhook_events.inbound_event(order.message, order.sender, now := datetime.now(UTC))
    control.api.conversations.add([received(str(webhook.msg_id), order.sender, order.message, moment(now))])
    control.api.deliveries.send([(0.0, webhook)])
    return {"event_id": webhook.event_id, "msg_id": webhook.msg_id}


def _list_phones(control: Control, _request: Request) -> object:
    return {"phones": [asdict(phone) for phone in control.api.phones.listing()]}


def _set_phone(control: Control, request: Request) -> object:
    control.api.phones.set(Phone(**_order(PhoneOrder, request).model_dump()))
    return _list_phones(control, request)


def _repeat(control: Control, request: Request) -> object:
    order, deliveries = _order(RepeatOrder, request), control.api.deliveries
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


def _conversations(control: Control, request: Request) -> object:
    # A cursor of an earlier run, before a restart or a reset, is of no use.
    current = request.query.get("run", control.api.conversations.run) == control.api.conversations.run
    since = _number(request, "since") if current else 0
    shown = page_data.conversations(control.api, since) | {"url": control.url}
    if control.stack is None:
        return shown
    try:
        return shown | control.stack.changes(_number(request, "records_since") if current else 0)
    except ControlError as error:
        return shown | {"problem": str(error)}


def _request_details(control: Control, request: Request) -> object:
    return page_data.request(control.api, _number(request, "number"))


def _message_details(control: Control, request: Request) -> object:
    return page_data.message(control.api, request.query.get("id", ""))


def _show_stack(control: Control, request: Request) -> object:
    control.show_stack(_order(StackOrder, request).name)
    return {}


def _stack_message(control: Control, request: Request) -> object:
    return control.connected_stack().message(request.query.get("reference", ""))


def _dead_letters(control: Control, _request: Request) -> object:
    return {"dead_letters": control.connected_stack().dead_letters()}


def _redrive(control: Control, request: Request) -> object:
    return {"redriven": control.connected_stack().redrive(_order(RedriveOrder, request).reference)}


def _put_on_queue(control: Control, request: Request) -> object:
    order = _order(QueueOrder, request)
    return {"message_id": control.connected_stack().put_on_queue(order.body, urgent=order.urgent)}


def _disconnect(control: Control, _request: Request) -> object:
    control.disconnect()
    return {}


def _reset(control: Control, _request: Request) -> object:
    control.reset()
    return {}


ROUTES: dict[str, dict[str, Callable[[Control, Request], object]]] = {
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
    "conversations": {"GET": _conversations},
    "message": {"GET": _message_details},
    "request": {"GET": _request_details},
    "stack": {"POST": _show_stack},
    "stack-message": {"GET": _stack_message},
    "dead-letters": {"GET": _dead_letters},
    "redrive": {"POST": _redrive},
    "queue": {"POST": _put_on_queue},
    "disconnect": {"POST": _disconnect},
    "reset": {"POST": _reset},
}


def _order(model: type[AnyOrder], request: Request) -> AnyOrder:
    return _validated(model, _object(request))


def _validated(model: type[AnyOrder], fields: dict[str, Any]) -> AnyOrder:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise ControlError("; ".join(problems)) from None


def _json(request: Request) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        raise ControlError("the body is not JSON") from None


def _object(request: Request) -> dict[str, Any]:
    fields = _json(request)
    if not isinstance(fields, dict):
        raise ControlError("the body is not a JSON object")
    return fields


def _number(request: Request, name: str) -> int:
    text = request.query.get(name, "0")
    if not (text.isascii() and text.isdecimal()):
        raise ControlError(f"{name}: a whole number")
    return int(text)
