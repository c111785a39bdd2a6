"""The measurements: each figure of ours and of what it is compared with, taken in turn, round after round.

Taken in turn, because a machine's speed wanders: what is compared has then met the same moods. A ratio is the median
of the rounds' ratios, a time the median of the rounds' times.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import samples
from benchmarks.running import Warm, cold_start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.layout import Layout
    from benchmarks.services import Services

COLD = ("floor", "sender", "webhook", "peer_sender", "peer_webhook")


@dataclass(frozen=True, slots=True)
class Series:
    """The seconds of processor time of each function, round by round."""

    times: Mapping[str, Sequence[float]]

    def median_s(self, name: str) -> float:
        """Return a function's median time."""
        return statistics.median(self.times[name])

    def ratio(self, name: str, base: str) -> float:
        """Return the median of the rounds' ratios."""
        return statistics.median(self._ratios(name, base))

    def spread(self, name: str, base: str) -> tuple[float, float]:
        """Return the quartiles of the rounds' ratios: what noise there was."""
        ratios = self._ratios(name, base)
        low, _, high = statistics.quantiles(ratios) if len(ratios) > 1 else (*ratios, 0, *ratios)
        return low, high

    def _ratios(self, name: str, base: str) -> list[float]:
        return [mine / other for mine, other in zip(self.times[name], self.times[base], strict=True)]


def cold(layout: Layout, services: Services, rounds: int, names: Sequence[str] = COLD) -> Series:
    """Measure cold starts, from spawn to the first answer."""

    def start(name: str) -> float:
        event = samples.webhook() if name.endswith("webhook") else samples.batch(10)
        return cold_start(layout.functions[name], event, services)

    for name in names:  # which warms the disk's cache
        start(name)
    return in_turn({name: partial(start, name) for name in names}, rounds)


def warm(layout: Layout, services: Services, event_file: Path, invocations: Mapping[str, int], rounds: int) -> Series:
    """Measure one invocation of warm functions, each round over so many of them."""

    def each(function: Warm, count: int) -> float:
        return function.run(count) / count

    with ExitStack() as stack:
        measured = {}
        for name, count in invocations.items():
            function = _started(stack, layout, services, event_file, name)
            function.run(count)
            measured[name] = partial(each, function, count)
        return in_turn(measured, rounds)


def reconnected(layout: Layout, services: Services, event_file: Path, names: Sequence[str], rounds: int) -> Series:
    """Measure a warm invocation whose connections were all closed while it was idle."""

    def again(function: Warm) -> float:
        services.hang_up()
        return function.run(1)

    with ExitStack() as stack:
        measured = {}
        for name in names:
            function = _started(stack, layout, services, event_file, name)
            function.run(3)
            measured[name] = partial(again, function)
        return in_turn(measured, rounds)


def calls(layout: Layout, services: Services, event_file: Path, name: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return what the first invocation calls and connects, and what the next ten do together."""
    services.counts()
    with ExitStack() as stack:
        function = _started(stack, layout, services, event_file, name)
        function.run(1)
        first = services.counts()
        function.run(10)
        return first, services.counts()


def _started(stack: ExitStack, layout: Layout, services: Services, event_file: Path, name: str) -> Warm:
    function = Warm(layout.functions[name], event_file, services)
    stack.callback(function.close)
    return function


def in_turn(measured: Mapping[str, Callable[[], float]], rounds: int) -> Series:
    """Run each measurement once a round, every second round from the other end."""
    times: dict[str, list[float]] = {name: [] for name in measured}
    for index in range(rounds):
        for name in list(measured)[:: -1 if index % 2 else 1]:
            times[name].append(measured[name]())
    return Series(times)
