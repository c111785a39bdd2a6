"""Stop the garbage collector while a function is loaded.

Imports create many objects and free almost none. A full collection during them takes some tens of milliseconds and
frees nothing. Importing this module stops the collector. `done()` starts it again, and excludes the objects that
exist by then. docs/performance.md has the measurements.
"""

from __future__ import annotations

import gc

gc.disable()


def done() -> None:
    """Start the collector again, without the objects that exist now: they live as long as the process."""
    gc.freeze()
    gc.enable()
