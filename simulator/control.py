"""The simulator's own routes under `/_control/`: order faults, set the webhook, and ask what was seen.

Answered on the simulator's port to callers on the same machine alone, without a token; all bodies are JSON.

    GET    /_control/faults       the rules, each with its `hits`
    POST   /_control/faults       a rule or a list of rules, as in `simulator.faults`, behind those that are there
    DELETE /_control/faults       clear them
    POST   /_control/webhook      {"url": …, "key": …}, either alone too; a null url stops new webhooks
    POST   /_control/token        {"token": …}: the only one accepted from now on
    GET    /_control/messages     accepted messages, `counts` per reference, `total`
    GET    /_control/requests     requests to send: time, path, connection, references, outcome, faults
    GET    /_control/deliveries   attempts at webhooks with their answers, `pending`, `total`
    POST   /_control/event        a webhook of one's own, signed and sent now; see below
    POST   /_control/inbound      {"message": …, "sender": …}: a person's text message arrives
    POST   /_control/disconnect   close every open connection, this one too
    POST   /_control/reset        forget faults, messages, requests and webhooks; keep webhook and token

The three lists take `?since=n` to leave out the first n entries; the totals count all. An event is given as
{"event_type": …, "event": …} and gets a fresh id and time, or whole as {"envelope": any JSON},
{"raw": "text"} or {"raw_base64": "…"}. The answer has its `body_base64` and `signature`, and with
{"send": false} that is all.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from simulator import webhook_events as envelope
from simulator.faults import OrderError, parse
from simulator.sending_api import Mobile, document
from simulator.server import Answer, Request

PREFIX = "/_control/"
PERSON = 4587654321


@dataclass(frozen=True, slots=True)
class Control:
    """The routes, over the parts that they look into."""

    mobile: Mobile
    disconnect: Callable[[], None]

    def answer(self, request: Request) -> Answer:
        """Answer one order or question."""
        if not request.loopback:
            return document(403, {"error": "only from this machine"})
        routes = ROUTES.get(request.path.removeprefix(PREFIX))
        if routes is None:
            return document(404, {"error": f"no such route; there are: {', '.join(sorted(ROUTES))}"})
        if request.method not in routes:
            return document(405, {"error": f"only {', '.join(sorted(routes))}"})
        try:
            return document(200, routes[request.method](self, request))
        except OrderError as error:
            return document(400, {"error": str(error)})

    def event(self, order: dict[str, Any]) -> dict[str, Any]:
        """Make, sign and, unless told otherwise, send one webhook."""
        webhook = _webhook(order)
        if order.get("send", True):
            if self.mobile.deliveries.url is None:
                raise OrderError("no webhook url is set")
            self.mobile.deliveries.send([(0.0, webhook)])
        return {
            "event_id": webhook.event_id,
            "body_base64": base64.b64encode(webhook.body).decode(),
            "signature": envelope.sign(webhook.body, self.mobile.deliveries.key),
        }

    def reset(self) -> None:
        """Forget what was ordered and seen."""
        self.mobile.faults.clear()
        self.mobile.ledger.reset()
        self.mobile.deliveries.reset()


def _webhook(order: dict[str, Any]) -> envelope.Webhook:
    if "event_type" in order:
        return envelope.wrap(order["event_type"], order.get("event"), datetime.now(UTC))
    if "envelope" in order:
        whole = order["envelope"]
        event_id = whole.get("event_id") if isinstance(whole, dict) else None
        return envelope.Webhook(json.dumps(whole).encode(), event_id=event_id)
    if isinstance(order.get("raw"), str):
        return envelope.Webhook(order["raw"].encode("utf-8", "surrogatepass"))
    try:
        return envelope.Webhook(base64.b64decode(order["raw_base64"], validate=True))
    except (KeyError, TypeError, binascii.Error):
        raise OrderError("give event_type and event, or envelope, raw, or raw_base64") from None


def _list_faults(control: Control, _request: Request) -> object:
    return {"faults": [{**asdict(rule), "hits": hits} for rule, hits in control.mobile.faults.listing()]}


def _order_faults(control: Control, request: Request) -> object:
    given = _json(request)
    orders = given if isinstance(given, list) else [given]
    control.mobile.faults.order([parse(order) for order in orders])
    return _list_faults(control, request)


def _clear_faults(control: Control, request: Request) -> object:
    control.mobile.faults.clear()
    return _list_faults(control, request)


def _set_webhook(control: Control, request: Request) -> object:
    order, deliveries = _object(request), control.mobile.deliveries
    url, key = order.get("url", deliveries.url), order.get("key", deliveries.key)
    if not isinstance(url, str | None) or not isinstance(key, str):
        raise OrderError("url is text or null, key is text")
    deliveries.url, deliveries.key = url, key
    return {"url": url}


def _set_token(control: Control, request: Request) -> object:
    token = _object(request).get("token")
    if not isinstance(token, str) or not token:
        raise OrderError("token is text")
    control.mobile.token = token
    return {}


def _messages(control: Control, request: Request) -> object:
    ledger = control.mobile.ledger
    counts = ledger.counts()
    total, bare = counts.total(), counts.pop(None, 0)
    entries = [{**asdict(entry), **asdict(entry.message)} for entry in ledger.accepted(_since(request))]
    return {"total": total, "without_reference": bare, "counts": counts, "messages": entries}


def _requests(control: Control, request: Request) -> object:
    seen = control.mobile.ledger.seen()
    return {"total": len(seen), "requests": [asdict(entry) for entry in seen[_since(request) :]]}


def _deliveries(control: Control, request: Request) -> object:
    deliveries = control.mobile.deliveries
    attempts = deliveries.attempts()
    entries = [asdict(entry) for entry in attempts[_since(request) :]]
    return {"pending": deliveries.pending(), "total": len(attempts), "deliveries": entries}


def _event(control: Control, request: Request) -> object:
    return control.event(_object(request))


def _inbound(control: Control, request: Request) -> object:
    order = _object(request)
    message, sender = order.get("message"), order.get("sender", PERSON)
    if not isinstance(message, str) or not isinstance(sender, int):
        raise OrderError("message is text, sender is a number")
    webhook = envelope.inbound(message, sender, datetime.now(UTC))
    control.mobile.deliveries.send([(0.0, webhook)])
    return {"event_id": webhook.event_id, "msg_id": webhook.msg_id}


def _disconnect(control: Control, _request: Request) -> object:
    control.disconnect()
    return {}


def _reset(control: Control, _request: Request) -> object:
    control.reset()
    return {}


ROUTES: dict[str, dict[str, Callable[[Control, Request], object]]] = {
    "faults": {"GET": _list_faults, "POST": _order_faults, "DELETE": _clear_faults},
    "webhook": {"POST": _set_webhook},
    "token": {"POST": _set_token},
    "messages": {"GET": _messages},
    "requests": {"GET": _requests},
    "deliveries": {"GET": _deliveries},
    "event": {"POST": _event},
    "inbound": {"POST": _inbound},
    "disconnect": {"POST": _disconnect},
    "reset": {"POST": _reset},
}


def _json(request: Request) -> Any:  # noqa: ANN401 - whatever the caller sent
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        raise OrderError("the body is not JSON") from None


def _object(request: Request) -> dict[str, Any]:
    order = _json(request)
    if not isinstance(order, dict):
        raise OrderError("the body is not a JSON object")
    return order


def _since(request: Request) -> int:
    since = request.query.get("since", "0")
    if not (since.isascii() and since.isdecimal()):
        raise OrderError("since: a whole number")
    return int(since)
