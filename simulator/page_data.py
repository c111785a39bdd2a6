"""What the page shows, as JSON."""

from dataclasses import asdict
from typing import Any

from simulator.errors import ControlError
from simulator.history import SendRequest
from simulator.sending_api import SendingApi
from simulator.webhook_deliveries import Attempt

RECENT_REQUESTS = 50

Fields = dict[str, Any]


def conversations(api: SendingApi, since: int) -> Fields:
    """Return the entries that changed after a cursor, and everything else that the page shows at a glance."""
    cursor, entries = api.conversations.since(since)
    requests = api.history.requests()
    return {
        "run": api.conversations.run,
        "cursor": cursor,
        "entries": entries,
        "faults": faults(api),
        "phones": [asdict(phone) for phone in api.phones.listing()],
        "requests": [entry.fields() for entry in requests[-RECENT_REQUESTS:]],
        "request_count": len(requests),
        "pending": api.deliveries.pending(),
        "token": api.token,
        "webhook_url": api.deliveries.url,
    }


def message(api: SendingApi, entry_id: str) -> Fields:
    """Return one entry of a conversation, with its requests, and its webhooks with all their attempts.

    Webhooks with the same reference but another msg_id are included: another system may use the same reference.
    """
    entry = api.conversations.get(entry_id)
    if entry is None:
        raise ControlError("id: there is no such message")
    requests = [
        _with_bodies(found)
        for found in api.history.requests()
        if found.number == entry.request or (entry.reference is not None and entry.reference in found.references)
    ]
    webhooks: dict[str | None, Fields] = {}
    for tried in api.deliveries.attempts():
        webhook = tried.webhook
        if webhook.msg_id != entry.id and (entry.reference is None or webhook.reference != entry.reference):
            continue
        fields = {name: getattr(webhook, name) for name in ("event_id", "event_type", "status", "msg_id")}
        body = webhook.body.decode("utf-8", "replace")
        found = webhooks.setdefault(webhook.event_id, {**fields, "body": body, "attempts": []})
        found["attempts"].append(attempt(tried))
    return {"entry": asdict(entry), "requests": requests, "webhooks": list(webhooks.values())}


def request(api: SendingApi, number: int) -> Fields:
    """Return one request with the bodies of request and answer."""
    found = next((entry for entry in api.history.requests() if entry.number == number), None)
    if found is None:
        raise ControlError(f"number: there is no request {number}")
    return {"request": _with_bodies(found)}


def attempt(tried: Attempt) -> Fields:
    """Return one attempt to deliver a webhook, with its signature and the body of the answer."""
    return tried.fields() | {"signature": tried.signature, "answer_body": tried.answer_body}


def faults(api: SendingApi) -> list[Fields]:
    """Return the ordered faults, with the number of times that each was applied."""
    return [{**fault.model_dump(), "hits": hits} for fault, hits in api.faults.listing()]


def _with_bodies(found: SendRequest) -> Fields:
    bodies = {"body": found.body.decode("utf-8", "replace"), "answer": found.answer.decode("utf-8", "replace")}
    return found.fields() | bodies
