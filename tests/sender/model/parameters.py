"""The stack's parameters. An operator may change them between two deliveries of a message."""

from __future__ import annotations

from dataclasses import dataclass

CHARACTERS_OF_ONE_SEGMENT = 160


@dataclass(frozen=True, slots=True)
class Parameters:
    """The stack's parameters that affect the sender's decisions."""

    resend: bool = False
    max_receive_count: int = 8
    reconcile_after_s: int = 900
    default_sender: str = "Shop"
    allowed_prefixes: tuple[str, ...] = ()
    enforce_opt_outs: bool = False
    send_mode: str = "Live"
    listed_recipients: tuple[str, ...] = ()
    max_segments: int = 255

    def let_all_through(self) -> bool:
        """Return whether these parameters let every message be sent."""
        unlimited = not self.allowed_prefixes and self.max_segments > 1
        return self.send_mode == "Live" and unlimited and bool(self.default_sender)

    def allow(self, recipient: int, text: str) -> bool:
        """Return whether a text may be sent to a recipient."""
        if self.send_mode == "Listed" and not str(recipient).startswith(self.listed_recipients or ("-",)):
            return False
        allowed = not self.allowed_prefixes or str(recipient).startswith(self.allowed_prefixes)
        return self.send_mode != "DryRun" and allowed and not self.is_too_long(text)

    def is_too_long(self, text: str) -> bool:
        """Return whether a text has more segments than allowed. The texts of a run have one or two, in GSM-7."""
        return len(text) > CHARACTERS_OF_ONE_SEGMENT and self.max_segments == 1
