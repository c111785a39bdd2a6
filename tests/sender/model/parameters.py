"""What an operator sets, and may change between two deliveries of a message."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameters:
    """The stack's parameters, as far as the sender decides by them."""

    resend: bool = False
    max_receive_count: int = 8
    reconcile_after_s: int = 900
    default_sender: str = "Shop"
    allowed_prefixes: tuple[str, ...] = ()
    enforce_opt_outs: bool = False
    send_mode: str = "Live"
    listed_recipients: tuple[str, ...] = ()

    def let_all_through(self) -> bool:
        """Return whether no message is kept from the provider."""
        return self.send_mode == "Live" and not self.allowed_prefixes and bool(self.default_sender)

    def allow(self, recipient: int) -> bool:
        """Return whether a recipient may be texted."""
        if self.send_mode == "Listed" and not str(recipient).startswith(self.listed_recipients or ("-",)):
            return False
        allowed = not self.allowed_prefixes or str(recipient).startswith(self.allowed_prefixes)
        return self.send_mode != "DryRun" and allowed
