"""Wait for a condition by checking it again and again."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

BETWEEN_S = 0.05
REQUEST_S = 5


def wait_for(condition: Callable[[], bool], what: str, within_s: float = 60) -> None:
    """Check a condition until it holds; raises TimeoutError."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"Waited {within_s} seconds for {what}, in vain.")
        time.sleep(BETWEEN_S)


def answers(url: str, status: int, body: bytes | None = None) -> bool:
    """Return whether a request is answered with this status. With a body, the request is a POST."""
    try:
        with urllib.request.urlopen(url, body, timeout=REQUEST_S) as answer:
            return bool(answer.status == status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == status
    except OSError:
        return False
