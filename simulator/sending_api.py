"""The provider's two routes: token, rules, acceptance, answer, and the ordered faults between them."""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from threading import Event
from typing import Any

from simulator.accepted_messages import Accepted, Ledger, Seen
from simulator.faults import AFTER, BEFORE, Faults, Rule
from simulator.server import Answer, Request
from simulator.submission import Submission, read
from simulator.webhook_deliveries import Deliveries
from simulator.webhook_events import life, moment, status

ROUTES = {"/mobile/single": False, "/mobile/multi": True}
SCHEME = "Token "


@dataclass(slots=True)
class Mobile:
    """The API that a client talks to. `stopping` ends every wait that a fault asked for."""

    token: str
    faults: Faults
    ledger: Ledger
    deliveries: Deliveries
    stopping: Event

    def answer(self, request: Request) -> Answer:
        """Answer one request, as the provider or as the ordered fault would."""
        many = ROUTES.get(request.path)
        if many is None:
            return document(404, {"detail": "Not Found"})
        if request.method != "POST":
            return replace(document(405, {"detail": "Method Not Allowed"}), headers=(("Allow", "POST"),))
        now = datetime.now(UTC)
        seen = Seen(self.ledger.number(), moment(now), request.path, request.connection, 0, (), 0, 0, ())
        if refusal := self._refusal(request.authorization):
            self.ledger.note(replace(seen, outcome=refusal.status))
            return refusal
        submission = read(request.body, request.content_type, many=many, now=now)
        struck = self.faults.strike_request(submission.targets, valid=not submission.problems)
        fault = next((rule for rule in struck if rule.kind != "latency"), None)
        self._pause(struck, BEFORE)
        accepted: list[Accepted] = []
        if fault is not None and fault.when == BEFORE:
            answer = _fault(fault, submission, many=many)
        elif submission.problems:
            answer = _problems(submission)
        else:
            accepted = self.ledger.accept(submission.messages, seen.number, moment(datetime.now(UTC)))
            answer = _lost(fault, accepted, submission, many=many)
        self.ledger.note(
            replace(
                seen,
                messages=len(submission.targets),
                references=tuple(reference for reference, _ in submission.targets),
                accepted=len(accepted),
                outcome=fault.kind if answer.cut and fault else answer.status,
                faults=tuple(rule.kind for rule in struck),
            )
        )
        self._report(accepted)
        self._pause(struck, AFTER)
        if fault is not None and fault.kind == "hang":
            self.stopping.wait(fault.seconds)
        return answer

    def _refusal(self, authorization: str | None) -> Answer | None:
        given = (authorization or "").removeprefix(SCHEME).strip()
        if not given or not (authorization or "").startswith(SCHEME):
            return document(401, {"description": "Unauthorized", "detail": []})
        # As bytes, since text beyond ASCII cannot be compared in constant time.
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return document(403, {"description": "Forbidden", "detail": []})
        return None

    def _pause(self, struck: Sequence[Rule], when: str) -> None:
        seconds = sum(rule.seconds for rule in struck if rule.kind == "latency" and rule.when == when)
        if seconds:
            self.stopping.wait(seconds)

    def _report(self, accepted: Sequence[Accepted]) -> None:
        now = datetime.now(UTC)
        for entry in accepted:
            message = entry.message
            rules = self.faults.strike_webhooks((message.reference, message.recipient))
            path = life(message.recipient)
            pace = self.deliveries.pace
            step_s = pace.final_s - pace.enroute_s
            delays_s = [pace.enroute_s + index * step_s for index in range(len(path.statuses))]
            target = (entry.msg_id, message.recipient, message.reference)
            events = [
                status(path.event_type, step, now + timedelta(seconds=delay_s), target)
                for step, delay_s in zip(path.statuses, delays_s, strict=True)
            ]
            if any(rule.kind == "webhook-reorder" for rule in rules):
                events.reverse()
            due = []
            for event, delay_s in zip(events, delays_s, strict=True):
                mine = [rule for rule in rules if rule.only in (None, event.status)]
                late_s = sum(rule.seconds for rule in mine if rule.kind == "webhook-late")
                copies = 0 if any(rule.kind == "webhook-drop" for rule in mine) else 1
                for rule in mine:
                    copies *= rule.copies if rule.kind == "webhook-duplicate" else 1
                due += [(delay_s + late_s, event)] * copies
            self.deliveries.send(due)


def document(code: int, content: object) -> Answer:
    """An answer with a JSON body."""
    return Answer(code, json.dumps(content).encode())


def _accepted(accepted: Sequence[Accepted], *, many: bool) -> Answer:
    entries = [
        {"msg_id": entry.msg_id, "recipient": entry.message.recipient, "reference": entry.message.reference}
        for entry in accepted
    ]
    if many:
        return document(202, {"responses": entries})
    return document(202, entries[0] if entries else {})


def _lost(fault: Rule | None, accepted: Sequence[Accepted], submission: Submission, *, many: bool) -> Answer:
    """What the client gets to hear of messages that were accepted."""
    if fault is None:
        return _accepted(accepted, many=many)
    if fault.kind == "reorder":
        return _accepted(accepted[::-1], many=many)
    if fault.kind == "omit":
        index = next((i for i, target in enumerate(submission.targets) if fault.matches(target)), 0)
        return _accepted([*accepted[:index], *accepted[index + 1 :]], many=many)
    if fault.kind == "rubbish":
        return Answer(202, fault.body.encode())
    return _fault(fault, submission, many=many)


def _fault(fault: Rule, submission: Submission, *, many: bool) -> Answer:
    if fault.kind in ("hang", "reset"):
        return Answer(0, cut="close" if fault.kind == "hang" else "reset")
    if fault.kind == "422":
        return document(422, {"detail": _named(fault, submission, many=many)})
    if fault.kind in ("401", "403"):
        words = HTTPStatus(int(fault.kind)).phrase
        return document(int(fault.kind), {"description": words, "detail": []})
    if fault.kind in ("429", "503"):
        headers = () if fault.retry_after is None else (("Retry-After", _retry_after(fault)),)
        words = HTTPStatus(int(fault.kind)).phrase
        return replace(document(int(fault.kind), {"detail": words}), headers=headers)
    # What stands before a provider answers these, and it does not speak JSON.
    code = fault.status if fault.kind == "status" else int(fault.kind)
    return Answer(code, f"<html><body>{code}</body></html>".encode(), content_type="text/html")


def _named(fault: Rule, submission: Submission, *, many: bool) -> list[dict[str, Any]]:
    indexes = [
        index
        for index, (reference, _) in enumerate(submission.targets)
        if index in fault.indexes or reference in fault.references
    ]
    if not indexes:
        return [{"loc": ["body"], "msg": "Value error, refused as a whole", "type": "value_error"}]
    words = {"msg": "Value error, refused on order", "type": "value_error"}
    return [{"loc": ["body", *(("messages", index) if many else ()), "sender"], **words} for index in indexes]


def _retry_after(fault: Rule) -> str:
    if not (fault.as_date and isinstance(fault.retry_after, int)):
        return str(fault.retry_after)
    return format_datetime(datetime.now(UTC) + timedelta(seconds=fault.retry_after), usegmt=True)


def _problems(submission: Submission) -> Answer:
    try:
        return document(422, {"detail": submission.problems})
    except RecursionError:  # a value nested just little enough to be read
        return document(422, {"detail": [{**problem, "input": None} for problem in submission.problems]})
