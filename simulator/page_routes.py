"""The routes of the control API that the page uses: what it shows, and what it does with a deployed stack."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from simulator import control_bodies
from simulator.control_bodies import ControlError
from simulator.history import SendRequest
from simulator.server import Request

if TYPE_CHECKING:
    from simulator.control import Control
    from simulator.stack_view import StackView

RECENT_REQUESTS = 50

Fields = dict[str, Any]


def _conversations(control: "Control", request: Request) -> Fields:
    """Return the entries that changed after a cursor, and everything else that the page shows at a glance."""
    api = control.api
    # A cursor from before a restart or a reset is of no use.
    current = request.query.get("run", api.conversations.run) == api.conversations.run
    cursor, entries = api.conversations.since(control_bodies.number(request, "since") if current else 0)
    requests = api.history.requests()
    shown: Fields = {
        "run": api.conversations.run,
        "cursor": cursor,
        "entries": entries,
        "faults": api.faults.fields(),
        "phones": api.phones.fields(),
        "requests": [recent.fields() for recent in requests[-RECENT_REQUESTS:]],
        "request_count": len(requests),
        "pending": api.deliveries.pending(),
        "token": api.token,
        "webhook_url": api.deliveries.url,
        "url": control.url,
    }
    if control.stack is not None:
        try:
            shown |= control.stack.changes(control_bodies.number(request, "records_since") if current else 0)
        except ControlError as error:
            shown["problem"] = str(error)
    return shown


def _message(control: "Control", request: Request) -> Fields:
    """Return one entry of a conversation, with its requests, and its webhooks with all their attempts.

    Webhooks with the same reference but another msg_id are included: another system may use the same reference.
    """
    entry = control.api.conversations.get(request.query.get("id", ""))
    if entry is None:
        raise ControlError("id: there is no such message")
    requests = [
        _with_bodies(sent)
        for sent in control.api.history.requests()
        if sent.number == entry.request or (entry.reference is not None and entry.reference in sent.references)
    ]
    webhooks: dict[str | None, Fields] = {}
    for attempt in control.api.deliveries.attempts():
        webhook = attempt.webhook
        if webhook.msg_id != entry.id and (entry.reference is None or webhook.reference != entry.reference):
            continue
        fields = {name: getattr(webhook, name) for name in ("event_id", "event_type", "status", "msg_id")}
        fields |= {"body": webhook.body.decode("utf-8", "replace"), "attempts": []}
        webhooks.setdefault(webhook.event_id, fields)["attempts"].append(attempt.details())
    return {"entry": asdict(entry), "requests": requests, "webhooks": list(webhooks.values())}


def _request(control: "Control", request: Request) -> Fields:
    number = control_bodies.number(request, "number")
    found = next((sent for sent in control.api.history.requests() if sent.number == number), None)
    if found is None:
        raise ControlError(f"number: there is no request {number}")
    return {"request": _with_bodies(found)}


def _with_bodies(sent: SendRequest) -> Fields:
    bodies = {"body": sent.body.decode("utf-8", "replace"), "answer": sent.answer.decode("utf-8", "replace")}
    return sent.fields() | bodies


def _show_stack(control: "Control", request: Request) -> Fields:
    control.show_stack(control_bodies.read(control_bodies.StackBody, request).name)
    return {}


def _stack(control: "Control") -> "StackView":
    if control.stack is None:
        raise ControlError("there is no stack; start the simulator with --stack NAME")
    return control.stack


def _stack_message(control: "Control", request: Request) -> Fields:
    return _stack(control).message(request.query.get("reference", ""))


def _dead_letters(control: "Control", _request: Request) -> Fields:
    return {"dead_letters": _stack(control).dead_letters()}


def _redrive(control: "Control", request: Request) -> Fields:
    return {"redriven": _stack(control).redrive(control_bodies.read(control_bodies.RedriveBody, request).reference)}


def _put_on_queue(control: "Control", request: Request) -> Fields:
    body = control_bodies.read(control_bodies.QueueBody, request)
    return {"message_id": _stack(control).put_on_queue(body.body, urgent=body.urgent)}


PAGE_ROUTES: dict[str, dict[str, Callable[["Control", Request], Fields]]] = {
    "conversations": {"GET": _conversations},
    "message": {"GET": _message},
    "request": {"GET": _request},
    "stack": {"POST": _show_stack},
    "stack-message": {"GET": _stack_message},
    "dead-letters": {"GET": _dead_letters},
    "redrive": {"POST": _redrive},
    "queue": {"POST": _put_on_queue},
}
