"""The sender's times. They are in one module because they depend on each other.

    |<------------------- function timeout, 30 s -------------------->|
    | claim | request, at most until the reserve begins    | reserve  |
    |<------------------------ lease of the claim -------------------|-- margin -->|
    |<------ visibility timeout: 6 function timeouts and the longest batch window ------ ... --->|

- A request without an answer is aborted when the reserve begins, so that its outcome can be recorded.
- A lease ends after its invocation. So if a record is SENDING after its lease, its invocation has ended.
- The queue's visibility timeout is six function timeouts and the batch window, as AWS advises, so it is longer than
  the lease. Source: "Configuring a queue to use with Lambda" in the Lambda developer guide.
- A retried message gets its own visibility timeout, of at most 12 hours from its receipt.

tests/stack/test_template_limits.py compares the template with these.
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

RESERVE_S = 8  # for the copies to the dead-letter queue, the records, and the visibility timeouts
# A call to AWS ends within this time, so no call begins later than this before the timeout. See gatewayapi.aws.
LAST_CALL_S = 6
MIN_REQUEST_S = 1
CLAIM_PATIENCE_S = 1.0  # longer waits for a contended record would delay the rest of the batch
QUEUE_RETENTION = timedelta(days=7)
DELETION_MARGIN = timedelta(hours=1)  # no retry this shortly before SQS deletes the message
LEASE_MARGIN = timedelta(seconds=5)  # for the difference between the clocks of two machines

# The back-off is at most 10 s, 30 s, 90 s … 1 h, and at least half of that. With the default MaxReceiveCount of 8, a
# message survives an outage of one to two hours.
FIRST_BACK_OFF_S = 10
BACK_OFF_FACTOR = 3
MAX_BACK_OFF_S = 3600
BUSY_PAUSE = timedelta(seconds=5)  # before another try, for example while another invocation handles the message
MAX_VISIBILITY_S = 39_600  # 11 of SQS's 12 hours, which count from the receipt


def lease_until(now: datetime, remaining_s: float) -> datetime:
    """Return the latest time at which an invocation with this much time left can be running."""
    return now + timedelta(seconds=remaining_s) + LEASE_MARGIN


def request_timeout_s(remaining_s: float) -> float | None:
    """Return the seconds that a request to the provider may take, or None if there is no time for one."""
    spare_s = remaining_s - RESERVE_S
    return spare_s if spare_s >= MIN_REQUEST_S else None


def recording_s(remaining_s: float) -> float:
    """Return how long the writing of results may be retried, in seconds."""
    return max(remaining_s - LAST_CALL_S, 0.0)


def back_off(tries: int, jitter: float, retry_after_s: float | None = None) -> timedelta:
    """Return how long to wait before a message is sent again. The wait grows with each try.

    The provider's Retry-After is honoured. Jitter is added, so that the messages do not all return at once.
    From the second try on, the wait is at least our own back-off of the previous try. Otherwise a provider that
    always asks for one second would use up the message's deliveries within a minute.

    Arguments:
        jitter: 0 to 1.
        retry_after_s: the provider's Retry-After in seconds.

    """
    if retry_after_s is None:
        return timedelta(seconds=_own_back_off_s(tries, jitter))
    asked_s = retry_after_s * (1 + jitter / 4) + jitter
    if tries > 1:
        asked_s = max(asked_s, _own_back_off_s(tries - 1, jitter))
    return timedelta(seconds=min(asked_s, MAX_VISIBILITY_S))


def _own_back_off_s(tries: int, jitter: float) -> float:
    exponent = min(max(tries, 1) - 1, 10)  # beyond that the maximum applies anyway
    longest_s: float = min(FIRST_BACK_OFF_S * BACK_OFF_FACTOR**exponent, MAX_BACK_OFF_S)
    return longest_s * (0.5 + jitter / 2)


def visibility_s(until: datetime, now: datetime) -> int:
    """Return the visibility timeout, in whole seconds, with which SQS delivers a message at `until`."""
    return max(1, min(math.ceil((until - now).total_seconds()) + 1, MAX_VISIBILITY_S))
