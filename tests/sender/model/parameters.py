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
    dry_run: bool = False

    def allow(self, recipient: int) -> bool:
        """Return whether a recipient may be texted."""
        return not self.allowed_prefixes or str(recipient).startswith(self.allowed_prefixes)
