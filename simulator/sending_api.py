"""The provider's sending API: check the token and the messages, apply the faults, accept, and answer."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from threading import Event
from typing import Any

from simulator.conversations import Conversations, refused, sent
from simulator.faults import AFTER, BEFORE, Fault, Faults
from simulator.history import AcceptedMessage, History, SendRequest
from simulator.message_webhooks import plan
from simulator.phones import Phones
from simulator.server import Answer, Request, json_answer
from simulator.submission import Submission, Target, read
from simulator.webhook_deliveries import Deliveries
from simulator.webhook_events import Webhook, to_text

ROUTES = {"/mobile/single": False, "/mobile/multi": True}
SCHEME = "Token "


@dataclass(slots=True)
class SendingApi:
    """The API for clients. `stopping` ends every delay that a fault causes."""

    token: str
    faults: Faults
    phones: Phones
    history: History
    conversations: Conversations
    deliveries: Deliveries
    stopping: Event

    def answer(self, request: Request) -> Answer:
        """Answer one request as the provider would, or as a fault demands."""
        many = ROUTES.get(request.path)
        if many is None:
            return json_answer(404, {"detail": "Not Found"})
        if request.method != "POST":
            return json_answer(405, {"detail": "Method Not Allowed"}, (("Allow", "POST"),))
        now = datetime.now(UTC)
        number = self.history.next_number()
        received = SendRequest(number, to_text(now), request.path, request.connection, body=request.body)
        if refusal := self._check_token(request.authorization):
            self.history.add(replace(received, outcome=refusal.status, answer=refusal.body))
            return refusal
        submission = read(request.body, request.content_type, many=many, now=now)
        faults = self.faults.for_request(submission.targets, valid=not submission.problems)
        fault = next((fault for fault in faults if fault.kind != "latency"), None)
        self._delay(faults, BEFORE)
        accepted: list[AcceptedMessage] = []
        if fault is not None and fault.when == BEFORE:
            answer = _answer_of_fault(fault, submission)
        elif submission.problems:
            answer = _problems(submission)
        else:
            accepted = self.history.accept(submission.messages, number, to_text(datetime.now(UTC)))
            answer = _answer_after_acceptance(fault, accepted, submission)
        finished = replace(
            received,
            messages=len(submission.targets),
            references=tuple(target.reference for target in submission.targets),
            accepted=len(accepted),
            outcome=fault.kind if answer.cut and fault else answer.status,
            faults=tuple(fault.kind for fault in faults),
            answer=answer.body,
        )
        if not accepted:
            self.conversations.add(refused(finished, submission.targets))
        webhooks = self._webhooks(accepted, finished)
        self.history.add(finished)
        self.deliveries.send(webhooks)
        self._delay(faults, AFTER)
        if fault is not None and fault.kind == "hang":
            self.stopping.wait(fault.seconds)
        return answer

    def _check_token(self, authorization: str | None) -> Answer | None:
        given = (authorization or "").removeprefix(SCHEME).strip()
        if not given or not (authorization or "").startswith(SCHEME):
            return json_answer(401, {"description": "Unauthorized", "detail": []})
        # As bytes, because text beyond ASCII cannot be compared in constant time.
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return json_answer(403, {"description": "Forbidden", "detail": []})
        return None

    def _delay(self, faults: Sequence[Fault], when: str) -> None:
        seconds = sum(fault.seconds for fault in faults if fault.kind == "latency" and fault.when == when)
        if seconds:
            self.stopping.wait(seconds)

    def _webhooks(self, accepted: Sequence[AcceptedMessage], request: SendRequest) -> list[tuple[float, Webhook]]:
        now = datetime.now(UTC)
        webhooks: list[tuple[float, Webhook]] = []
        for entry in accepted:
            message = entry.message
            faults = self.faults.for_webhooks(Target(message.reference, message.recipient, message.message))
            planned = plan(entry, self.phones.outcome(message.recipient), faults, self.deliveries.pace, now)
            kinds = (*request.faults, *(fault.kind for fault in faults))
            self.conversations.add([sent(entry, planned.steps, kinds)])
            webhooks += planned.due
        return webhooks


def _accepted(accepted: Sequence[AcceptedMessage], submission: Submission) -> Answer:
    entries = [
        {"msg_id": entry.msg_id, "recipient": entry.message.recipient, "reference": entry.message.reference}
        for entry in accepted
    ]
    if submission.many:
        return json_answer(202, {"responses": entries})
    return json_answer(202, entries[0] if entries else {})


def _answer_after_acceptance(
    fault: Fault | None, accepted: Sequence[AcceptedMessage], submission: Submission
) -> Answer:
    if fault is None:
        return _accepted(accepted, submission)
    if fault.kind == "reorder":
        return _accepted(accepted[::-1], submission)
    if fault.kind == "omit":
        index = next((i for i, target in enumerate(submission.targets) if fault.matches(target)), 0)
        return _accepted([*accepted[:index], *accepted[index + 1 :]], submission)
    if fault.kind == "rubbish":
        return Answer(202, fault.body.encode())
    return _answer_of_fault(fault, submission)


def _answer_of_fault(fault: Fault, submission: Submission) -> Answer:
    if fault.kind in ("hang", "reset"):
        return Answer(0, cut="close" if fault.kind == "hang" else "reset")
    if fault.kind == "422":
        return json_answer(422, {"detail": _refused(fault, submission)})
    code = fault.status if fault.kind == "status" else int(fault.kind)
    if fault.kind in ("401", "403"):
        return json_answer(code, {"description": HTTPStatus(code).phrase, "detail": []})
    if fault.kind in ("400", "413"):
        return json_answer(code, {"detail": HTTPStatus(code).phrase})
    if fault.kind in ("429", "503"):
        headers = () if fault.retry_after is None else (("Retry-After", _retry_after(fault)),)
        return json_answer(code, {"detail": HTTPStatus(code).phrase}, headers)
    # A proxy in front of a provider answers these, and it does not answer with JSON.
    return Answer(code, f"<html><body>{code}</body></html>".encode(), content_type="text/html")


def _refused(fault: Fault, submission: Submission) -> list[dict[str, Any]]:
    indexes = [
        index
        for index, target in enumerate(submission.targets)
        if index in fault.indexes or target.reference in fault.references
    ]
    if not indexes:
        return [{"loc": ["body"], "msg": "Value error, the whole request is refused", "type": "value_error"}]
    words = {"msg": "Value error, refused by a fault", "type": "value_error"}
    return [
        {"loc": ["body", *(("messages", index) if submission.many else ()), "sender"], **words} for index in indexes
    ]


def _retry_after(fault: Fault) -> str:
    if not (fault.as_date and isinstance(fault.retry_after, int)):
        return str(fault.retry_after)
    return format_datetime(datetime.now(UTC) + timedelta(seconds=fault.retry_after), usegmt=True)


def _problems(submission: Submission) -> Answer:
    try:
        return json_answer(422, {"detail": submission.problems})
    except RecursionError:  # the value of a problem is nested too deeply to be written
        return json_answer(422, {"detail": [{**problem, "input": None} for problem in submission.problems]})
