"""The time of a run. A call or the run itself moves it forward, so a test never waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK_S = 0.001


class Clock:
    """A wall clock, and the monotonic clock of a process that Lambda freezes between invocations."""

    def __init__(self) -> None:
        self.wall = START
        self.monotonic_s = 1000.0

    def now(self) -> datetime:
        """Return the time. Each call moves it forward a little, so that no two writes have the same time."""
        self.run(TICK_S)
        return self.wall

    def run(self, seconds: float) -> None:
        """Let time pass while a process runs."""
        self.wall += timedelta(seconds=seconds)
        self.monotonic_s += seconds

    def freeze(self, seconds: float) -> None:
        """Let time pass while all processes are frozen. Their monotonic clocks do not move."""
        self.wall += timedelta(seconds=seconds)

    def time_s(self) -> float:
        """Return the wall clock's time as Python's `time.time` does."""
        return self.wall.timestamp()

    def text(self) -> str:
        """Return the time for the log: the seconds since the run began."""
        return f"{(self.wall - START).total_seconds():10.3f}"
