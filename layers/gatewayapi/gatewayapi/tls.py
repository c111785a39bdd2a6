"""The TLS context of this process, for both AWS and the provider.

Reading the machine's certificate authorities takes longer than the rest of a connection (docs/performance.md), so it
is done once, and only for the first connection.
"""

from __future__ import annotations

import ssl
from functools import cache


@cache
def context() -> ssl.SSLContext:
    """Return a context that verifies hosts against the machine's authorities, made once."""
    return ssl.create_default_context()
