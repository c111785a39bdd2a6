"""The one TLS context of this process, for AWS and the provider alike.

Reading the machine's certificate authorities takes longer than all the rest of a connection (docs/performance.md),
so it is done once, and only where there is something to connect to.
"""

from __future__ import annotations

import ssl
from functools import cache


@cache
def context() -> ssl.SSLContext:
    """Return a context that verifies hosts against the machine's authorities, made once."""
    return ssl.create_default_context()
