"""Waiting for something by asking for it."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

BETWEEN_S = 0.05
REQUEST_S = 5


def wait_for(condition: Callable[[], bool], what: str, within_s: float = 60) -> None:
    """Ask until the answer is yes; raises TimeoutError."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"after {within_s} seconds still waiting for {what}")
        time.sleep(BETWEEN_S)


def answers(url: str, status: int, body: bytes | None = None) -> bool:
    """Return whether a request, a POST where there is a body, is answered with this status."""
    try:
        with urllib.request.urlopen(url, body, timeout=REQUEST_S) as answer:
            return bool(answer.status == status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == status
    except OSError:
        return False
