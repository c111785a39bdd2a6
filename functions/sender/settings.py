"""The sender's settings: the template's parameters, read once from the environment."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gatewayapi.message import StackRules

if TYPE_CHECKING:
    from collections.abc import Mapping

LIVE, LISTED = "Live", "Listed"


class Settings(NamedTuple):
    """The operator's settings.

    Arguments:
        rules: the stack's rules for messages.
        send_mode, listed_recipients: Live sends to everyone, DryRun to no one, Listed to these prefixes only.
        reconcile_after: how long to wait for a webhook that settles a message in doubt.
        resend: whether a message in doubt is sent once more if no webhook settles it.
        max_receive_count: the number of deliveries after which SQS would move a message to the dead-letter queue.
        enforce_opt_outs: whether promotional messages to people who opted out are suppressed.

    """

    rules: StackRules = StackRules()
    send_mode: str = LIVE
    listed_recipients: tuple[str, ...] = ()
    reconcile_after: timedelta = timedelta(seconds=900)
    resend: bool = False
    max_receive_count: int = 8
    enforce_opt_outs: bool = False

    def may_send_to(self, recipient: int) -> bool:
        """Return whether the send mode allows a request for this recipient."""
        if self.send_mode == LISTED:
            return str(recipient).startswith(self.listed_recipients)
        return self.send_mode == LIVE


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings from the environment variables that template.yaml sets."""
    enforce_opt_outs = environment["OPT_OUTS"] == "Enforce"
    return Settings(
        rules=StackRules(
            default_sender=environment["DEFAULT_SENDER"],
            allowed_prefixes=_numbers(environment["ALLOWED_PREFIXES"]),
            max_segments=int(environment["MAX_SEGMENTS"]),
            require_message_type=enforce_opt_outs,
        ),
        send_mode=environment["SEND_MODE"],
        listed_recipients=_numbers(environment["LISTED_RECIPIENTS"]),
        reconcile_after=timedelta(seconds=int(environment["RECONCILE_AFTER_S"])),
        resend=environment["UNCERTAIN_SENDS"] == "Resend",
        max_receive_count=int(environment["MAX_RECEIVE_COUNT"]),
        enforce_opt_outs=enforce_opt_outs,
    )


def _numbers(text: str) -> tuple[str, ...]:
    """Return the phone numbers or prefixes of a comma-separated list, as digits."""
    plain = text.replace(" ", "").replace("+", "")
    return tuple(number for number in plain.split(",") if number)
