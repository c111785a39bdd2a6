"""Loading a function without a garbage collection in the middle of it.

Importing makes many objects and drops almost none, so that a full collection during it, some tens of milliseconds,
finds nothing. Importing this module stops the collector; `done()` starts it again, and moves all that was loaded out
of its sight. Measured in docs/performance.md.
"""

from __future__ import annotations

import gc

gc.disable()


def done() -> None:
    """Start collecting again, leaving out what is there now: it stays as long as the process."""
    gc.freeze()
    gc.enable()
