"""Statuses and error codes in plain words: what a message's record means, and what happens next."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tools.records import Values, time_of

REFERENCE_CODES = "https://gatewayapi.com/docs/error-codes"
UNTIL_EXPIRED = "GatewayAPI sends a webhook when the network reports more, at the latest when the message expires."

# Of GatewayAPI's codes those that a person can do something about. The others keep GatewayAPI's own details; the list
# is at REFERENCE_CODES.
PROVIDER_CODES = {
    "0x0213": "GatewayAPI does not accept requests from this IP address",
    "0x0214": "the number is blocked for a while",
    "0x0215": "the number is blocked at GatewayAPI",
    "0x0216": "the account at GatewayAPI has too little credit",
    "0x0217": "the account at GatewayAPI may not send to this country",
    "0x1905": "the network does not support this sender",
}

# Codes of this project: of records and of dead letters.
CODES = {
    "INVALID_JSON": "the queue message is not JSON",
    "INVALID_MESSAGE": "the queue message breaks a rule",
    "RECIPIENT_NOT_ALLOWED": "AllowedPrefixes does not include the number",
    "TOO_LONG": "the text has more SMS segments than MaxSegments allows",
    "REFERENCE_REUSED": "the reference belongs to another message",
    "PROVIDER_REFUSED": "GatewayAPI refused the message",
    "UNCERTAIN": "it is unknown whether GatewayAPI accepted the message",
    "RETRIES_EXHAUSTED": "the message could not be sent in any of its deliveries",
    "OPTED_OUT": "the person opted out of promotional messages",
    "DRY_RUN": "SendMode does not allow sending it",
    "UNREACHABLE": "GatewayAPI could not be reached",
    "TRY_LATER": "GatewayAPI asked to try later",
    "TABLE_UNAVAILABLE": "DynamoDB could not be used",
    "TOKEN_REFUSED": "GatewayAPI refused the API token",
    "TOKEN_UNREADABLE": "the API token could not be read from Secrets Manager",
    "PROVIDER": "GatewayAPI reports an error",
}

# What to do about a dead letter.
ADVICE = {
    "INVALID_JSON": "Correct the program that sends it.",
    "INVALID_MESSAGE": "Correct the program that sends it.",
    "RECIPIENT_NOT_ALLOWED": "Redrive it after a change of AllowedPrefixes, or delete it.",
    "TOO_LONG": "Shorten the text, or redrive it after a change of MaxSegments.",
    "REFERENCE_REUSED": "Give each message a reference of its own.",
    "PROVIDER_REFUSED": "Correct what GatewayAPI names. Redrive it if the cause was on their side.",
    "UNCERTAIN": "Redrive it to send it, perhaps for the second time. Delete it if twice is worse than never.",
    "RETRIES_EXHAUSTED": "It was not sent. Redrive it when the cause is gone.",
}
NO_ATTRIBUTES = "SQS moved it without a reason. `make redrive` gives it its reference, and it may be sent twice."

STATUSES = {
    "SENDING": "a sender invocation is sending it",
    "RETRYING": "not sent yet",
    "UNCERTAIN": "it is unknown whether GatewayAPI accepted it",
    "ACCEPTED": "GatewayAPI accepted it",
    "ENROUTE": "on its way to the phone",
    "UNKNOWN": "the network does not report what became of it",
    "DELIVERED": "delivered to the phone",
    "READ": "read on the phone",
    "EXPIRED": "not delivered in time",
    "DELETED": "deleted on its way, not delivered",
    "UNDELIVERABLE": "cannot be delivered",
    "REJECTED": "refused by the network",
    "INVALID": "never sent: it breaks a rule",
    "LAPSED": "never sent: its expiration passed while it was in the queue",
    "SUPPRESSED": "not sent: the person opted out",
    "HELD": "not sent: it waits for an operator",
}

# Where the status alone decides.
NEXT_STEPS = {
    "LAPSED": "Nothing is sent. If it is still wanted, put it on the queue again with a later expiration.",
    "SUPPRESSED": "Nothing is sent. A later message is sent if the person has opted in again.",
    "DELIVERED": "Nothing, unless the phone reports READ.",
    **dict.fromkeys(("READ", "EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED"), "Nothing. This status is final."),
}


def error(found: object) -> str:
    """Return an error of a record in plain words, with its code beside it."""
    if not isinstance(found, Mapping):
        return str(found)
    code = str(found.get("hex_code") or found.get("code") or "no code")
    details = found.get("details")
    meaning = CODES.get(code) or PROVIDER_CODES.get(code)
    if meaning and not (code == "UNCERTAIN" and details):  # its details are a whole explanation
        return f"{meaning} ({code}: {details})" if details else f"{meaning} ({code})"
    return f"{details} ({code})" if details else f"GatewayAPI reports {code}, see {REFERENCE_CODES}"


def status(message: Values) -> str:
    """Return a message's status in plain words."""
    code = (message.get("error") or {}).get("code")
    if message["status"] in {"RETRYING", "HELD"} and (message.get("in_doubt") or code == "UNCERTAIN"):
        return STATUSES["UNCERTAIN"]
    if code == "DRY_RUN":
        return "not sent: SendMode does not allow it"
    return STATUSES.get(message["status"], "a status that GatewayAPI has added")


def next_step(message: Values, parameters: Mapping[str, str], now: datetime) -> str:
    """Return what happens next to a message and when; `parameters` are the stack's."""
    if message.get("forgotten_at"):
        return "Nothing. Its personal data was removed. A later message under this reference is refused."
    code = (message.get("error") or {}).get("code")
    match message["status"]:
        case "SENDING":
            return _sending(message, now)
        case "RETRYING":
            deliveries = parameters.get("MaxReceiveCount", "MaxReceiveCount")
            return (
                "SQS delivers it again after a pause. The pauses grow from seconds to one hour. "
                f"After {deliveries} deliveries it goes to the dead-letter queue."
            )
        case "UNCERTAIN":
            return _uncertain(message, parameters, now)
        case "HELD":
            return _held(message, code)
        case "INVALID":
            advice = ADVICE.get(str(code), "")
            return f"Nothing is sent. A copy is in the dead-letter queue as {code}. {advice}".rstrip()
        case "ACCEPTED" if not message.get("status_at"):
            return f"{UNTIL_EXPIRED} No webhook has come so far."
    return NEXT_STEPS.get(message["status"], UNTIL_EXPIRED)


def _sending(message: Values, now: datetime) -> str:
    until = time_of(message, "lease_until")
    if until is None or until <= now:
        return "The invocation that sent it has ended without a result. The next delivery makes it UNCERTAIN."
    return f"Its result is recorded by {clock(until)}. If the invocation dies, the message becomes UNCERTAIN then."


def _uncertain(message: Values, parameters: Mapping[str, str], now: datetime) -> str:
    seconds = parameters.get("ReconcileAfter", "")
    since = time_of(message, "updated_at")
    if not seconds.isdecimal() or since is None:
        return "A webhook can settle it."
    until = since + timedelta(seconds=int(seconds))
    resend = parameters.get("UncertainSends") == "Resend" and not message.get("resent")
    then = "it is sent once more" if resend else "it goes to the dead-letter queue as UNCERTAIN"
    if until <= now:
        return f"The time for a webhook ended at {clock(until)}. With its next delivery, {then}."
    return f"A webhook can settle it until {clock(until)}. If none comes, {then}."


def _held(message: Values, code: object) -> str:
    if code == "DRY_RUN":
        return "Nothing is sent, and nothing waits. Put it on the queue again when SendMode is Live."
    if message.get("in_doubt") or code == "UNCERTAIN":
        return (
            "It waits in the dead-letter queue, at most 14 days. A webhook still settles it. "
            f"`make redrive REFERENCE={message['pk']}` sends it, perhaps for the second time."
        )
    return (
        "It waits in the dead-letter queue, at most 14 days. "
        f"`make redrive REFERENCE={message['pk']}` puts it on the queue again."
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clock(at: datetime) -> str:
    """Return a time of day in UTC."""
    return f"{at:%H:%M:%S} UTC"
