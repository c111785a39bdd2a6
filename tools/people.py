"""Everything that a table has of one phone number."""

from collections.abc import Sequence
from dataclasses import dataclass

from gatewayapi.message_fields import phone_number
from tools.command import MISUSED, CommandError
from tools.deployed import Deployed
from tools.records import Values, is_event, is_message, keys_of_number, under


@dataclass(frozen=True, slots=True)
class Entry:
    """A message sent to a person with its events, or an event that no message of the stack explains."""

    message: Values | None
    events: tuple[Values, ...]

    @property
    def recorded_at(self) -> str:
        """When it was queued or received; as text, times sort as times."""
        found = self.message or self.events[0]
        return str(found.get("queued_at") or found.get("received_at"))


@dataclass(frozen=True, slots=True)
class Person:
    """A phone number, its messages and inbound texts (newest first), and its opt-out record if there is one."""

    number: str
    entries: tuple[Entry, ...]
    opt_out: Values | None

    @property
    def sent(self) -> list[Entry]:
        """The messages to the number."""
        return [entry for entry in self.entries if entry.message]

    @property
    def received(self) -> list[Entry]:
        """The events without a message: texts from the number, and other systems' messages to it."""
        return [entry for entry in self.entries if not entry.message]


def digits(text: str) -> str:
    """Return a phone number's digits, as the index has them."""
    try:
        return str(phone_number(text))
    except ValueError:
        raise CommandError(
            "The number must be digits that start with the country code, as 4512345678.", MISUSED
        ) from None


def find(stack: Deployed, number: str) -> Person:
    """Read everything that the table has of a phone number, with queries alone."""
    partition_keys = dict.fromkeys(str(key["pk"]) for key in keys_of_number(stack, number))
    entries = [entry for key in partition_keys for entry in _entries(under(stack, key), number)]
    entries.sort(key=lambda entry: entry.recorded_at, reverse=True)
    opt_out = next(iter(under(stack, f"OPT_OUT#{number}")), None)
    return Person(number, tuple(entries), opt_out)


def _entries(items: Sequence[Values], number: str) -> list[Entry]:
    """Return the entries of a number among the items under one partition key.

    An event of our own message has no phone number, because the message leads to it. An event with a phone number
    belongs to that number, even under our reference: another system of the account can use the same reference.
    """
    message = next((it for it in items if is_message(it) and it.get("phone_number") == number), None)
    events = [it for it in items if is_event(it)]
    entries = [Entry(None, (event,)) for event in events if event.get("phone_number") == number]
    if message:
        entries.append(Entry(message, tuple(event for event in events if "phone_number" not in event)))
    return entries
