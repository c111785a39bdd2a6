"""Every time the sender counts with, in one place, because each is only right beside the others.

    |<------------------- function time-out, 30 s ------------------->|
    | claim | request, up to what is left less the reserve | reserve   |
    |<------------------------ lease of the claim --------------------|-- margin -->|
    |<------ visibility: 6 time-outs, and the longest batch window -------- ... --->|

- A request that is still unanswered when the reserve begins is given up, so that its outcome can be recorded.
- A lease outlives the invocation that took it, so that a record found SENDING with its lease over has no one left.
- The visibility is six function time-outs and the batch window, as AWS advises for a queue that triggers Lambda, and
  so it outlives the lease. Source: "Configuring a queue to use with Lambda" in the Lambda developer guide.
- A message comes back by a visibility of its own, within the 12 hours that SQS allows from its receipt.

tests/stack/test_template.py holds the template against these.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

FUNCTION_TIMEOUT_S = 30
MAX_BATCH_WINDOW_S = 300
VISIBILITY_S = 6 * FUNCTION_TIMEOUT_S + MAX_BATCH_WINDOW_S

RESERVE_S = 8  # the copies to the dead-letter queue, the result, and the visibilities, with one slow try each
MIN_REQUEST_S = 1
QUEUE_RETENTION = timedelta(days=7)
LAST_CHANCE = timedelta(hours=1)  # what would come back later than this before its queue drops it is held instead
LEASE_MARGIN = timedelta(seconds=5)  # the clocks of two machines

# At most 10 s, 30 s, 90 s … 1 h, and half of that at least: the default MaxReceiveCount of 8 rides out an outage of
# one to two hours.
FIRST_PAUSE_S = 10
PAUSE_GROWTH = 3
MAX_PAUSE_S = 3600
BUSY_PAUSE = timedelta(seconds=5)  # another invocation has this message in hand
MAX_VISIBILITY_S = 39_600  # 11 of the 12 hours: the rest is for what the message has already been out


def lease_until(now: datetime, remaining_s: float) -> datetime:
    """Return until when an invocation with this much time left can still be at work."""
    return now + timedelta(seconds=remaining_s) + LEASE_MARGIN


def request_s(remaining_s: float) -> float | None:
    """Return the seconds that a request to the provider may take, or None where it had better not begin."""
    spare_s = remaining_s - RESERVE_S
    return spare_s if spare_s >= MIN_REQUEST_S else None


def pause(tries: int, retry_after_s: float | None, chance: float) -> timedelta:
    """Return how long a message waits that was not sent: growing, and spread by `chance` from 0 to 1.

    The provider's own Retry-After is kept and only added to, so that waiting messages do not return in one wave. What
    was put off before waits as long as without it, if that is more: a provider that asks for a second each time would
    use up a message's deliveries in no time.
    """
    if retry_after_s is None:
        return timedelta(seconds=_grown_s(tries, chance))
    kept_s = retry_after_s * (1 + chance / 4) + chance
    if tries > 1:
        kept_s = max(kept_s, _grown_s(tries - 1, chance))
    return timedelta(seconds=min(kept_s, MAX_VISIBILITY_S))


def _grown_s(tries: int, chance: float) -> float:
    exponent = min(max(tries, 1) - 1, 10)  # beyond that it is the longest pause anyway
    longest_s: float = min(FIRST_PAUSE_S * PAUSE_GROWTH**exponent, MAX_PAUSE_S)
    return longest_s * (0.5 + chance / 2)


def visibility_s(until: datetime, now: datetime) -> int:
    """Return the visibility time-out, in SQS's whole seconds, that brings a message back once `until` is over."""
    return max(1, min(math.ceil((until - now).total_seconds()) + 1, MAX_VISIBILITY_S))
