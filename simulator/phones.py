"""The simulated phones: the statuses that a message to a number gets.

The last five digits of the recipient decide. A campaign that counts recipients up from a round number does not reach
them by accident. A phone can also be given a state of its own, for example switched off.

    …99901  ENROUTE, UNDELIVERABLE with an error      …99905  ENROUTE, UNKNOWN, and no more
    …99902  ENROUTE, EXPIRED with an error            …99906  ENROUTE, and no more
    …99903  REJECTED with an error                    …99907  ENROUTE, DELIVERED, READ as RCS
    …99904  ENROUTE, DELETED                          …99908  no webhook at all

All others: ENROUTE, DELIVERED.
"""

from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any

from pydantic import Field

from simulator.control_bodies import ControlBody, ControlError
from simulator.webhook_events import RCS, SMS, EventError

STATES = ("on", "off", "unknown", "undeliverable")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The statuses that a message gets, in order, with their errors, and the type of the events that report them."""

    event_type: str
    statuses: tuple[tuple[str, EventError | None], ...]


ENROUTE = ("ENROUTE", None)
OUT_OF_REACH = {"hex_code": "0x1701", "details": "Handset not in reach"}
OUT_OF_TIME = {"hex_code": "0x1502", "details": "Not delivered in time"}
SENDER_NOT_ALLOWED = {"hex_code": "0x1905", "details": "Sender not allowed"}

DELIVERED = Outcome(SMS, (ENROUTE, ("DELIVERED", None)))
EXPIRED = Outcome(SMS, (ENROUTE, ("EXPIRED", OUT_OF_TIME)))
UNKNOWN = Outcome(SMS, (ENROUTE, ("UNKNOWN", None)))
BY_ENDING = {
    "99901": Outcome(SMS, (ENROUTE, ("UNDELIVERABLE", OUT_OF_REACH))),
    "99902": EXPIRED,
    "99903": Outcome(SMS, (("REJECTED", SENDER_NOT_ALLOWED),)),
    "99904": Outcome(SMS, (ENROUTE, ("DELETED", None))),
    "99905": UNKNOWN,
    "99906": Outcome(SMS, (ENROUTE,)),
    "99907": Outcome(RCS, (ENROUTE, ("DELIVERED", None), ("READ", None))),
    "99908": Outcome(SMS, ()),
}


class Phone(ControlBody):
    """The state of one phone. The error belongs to `undeliverable`."""

    number: Annotated[int, Field(gt=1000, le=999_999_999_999_999)]
    state: str
    hex_code: str = OUT_OF_REACH["hex_code"]
    details: str = OUT_OF_REACH["details"]

    def outcome(self) -> Outcome:
        """Return how a message to this phone ends."""
        if self.state == "off":
            return EXPIRED
        if self.state == "unknown":
            return UNKNOWN
        error = {"hex_code": self.hex_code, "details": self.details}
        return Outcome(SMS, (ENROUTE, ("UNDELIVERABLE", error)))


class Phones:
    """The phones with a state of their own. All others are switched on."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._phones: dict[int, Phone] = {}

    def set(self, phone: Phone) -> None:
        """Set the state of a phone from its next message on."""
        if phone.state not in STATES:
            raise ControlError(f"state: use one of {', '.join(STATES)}")
        with self._lock:
            self._phones.pop(phone.number, None)
            if phone.state != "on":
                self._phones[phone.number] = phone

    def fields(self) -> list[dict[str, Any]]:
        """Return the phones that are not simply switched on, for JSON."""
        with self._lock:
            return [phone.model_dump() for phone in self._phones.values()]

    def outcome(self, recipient: int) -> Outcome:
        """Return how a message to this number ends."""
        with self._lock:
            phone = self._phones.get(recipient)
        return phone.outcome() if phone else BY_ENDING.get(str(recipient)[-5:], DELIVERED)

    def reset(self) -> None:
        """Switch all phones on."""
        with self._lock:
            self._phones = {}
