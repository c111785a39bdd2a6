"""The measurements. Functions that are compared run in turn, for a number of rounds.

In turn, because a machine's speed changes over time, and then it changes for all of them. A ratio is the median of
the rounds' ratios, and a time is the median of the rounds' times.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import samples
from benchmarks.invocation import WarmFunction, cold_start
from benchmarks.layout import Layout
from benchmarks.services import Services

COLD = ("minimal_cold_start", "sender", "webhook", "usual_sender", "usual_webhook")
WARM_UP = 3  # invocations, at least


@dataclass(frozen=True, slots=True)
class Series:
    """The processor seconds of each function in each round."""

    times: Mapping[str, Sequence[float]]

    def median_s(self, name: str) -> float:
        """Return a function's median time."""
        return statistics.median(self.times[name])

    def ratio(self, name: str, base: str) -> float:
        """Return the median of the rounds' ratios."""
        return statistics.median(self._ratios(name, base))

    def spread(self, name: str, base: str) -> tuple[float, float]:
        """Return the quartiles of the rounds' ratios, which show the noise."""
        ratios = self._ratios(name, base)
        low, _, high = statistics.quantiles(ratios) if len(ratios) > 1 else (*ratios, 0, *ratios)
        return low, high

    def _ratios(self, name: str, base: str) -> list[float]:
        return [time / base_time for time, base_time in zip(self.times[name], self.times[base], strict=True)]


def cold(layout: Layout, services: Services, rounds: int, names: Sequence[str] = COLD) -> Series:
    """Measure cold starts, from the start of the process to the first response."""

    def start(name: str) -> float:
        event = samples.webhook() if name.endswith("webhook") else samples.batch(10)
        return cold_start(layout.functions[name], event, services)

    for name in names:  # fills the disk cache
        start(name)
    return in_turn({name: partial(start, name) for name in names}, rounds)


def warm(
    layout: Layout,
    services: Services,
    event_file: Path,
    invocations: Mapping[str, int],
    rounds: int,
    before: Callable[[], None] = lambda: None,
) -> Series:
    """Measure an invocation of warm functions: in every round, call `before` and average `invocations`."""

    def average(function: WarmFunction, count: int) -> float:
        before()
        return function.run(count) / count

    with ExitStack() as stack:
        measured = {}
        for name, count in invocations.items():
            function = _started(stack, layout, services, event_file, name)
            function.run(max(count, WARM_UP))
            measured[name] = partial(average, function, count)
        return in_turn(measured, rounds)


def calls(layout: Layout, services: Services, event_file: Path, name: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return the calls and connections of the first invocation, and those of the next ten together."""
    services.counts()
    with ExitStack() as stack:
        function = _started(stack, layout, services, event_file, name)
        function.run(1)
        first = services.counts()
        function.run(10)
        return first, services.counts()


def _started(stack: ExitStack, layout: Layout, services: Services, event_file: Path, name: str) -> WarmFunction:
    function = WarmFunction(layout.functions[name], event_file, services)
    stack.callback(function.close)
    return function


def in_turn(measured: Mapping[str, Callable[[], float]], rounds: int) -> Series:
    """Run each measurement once in every round, in reverse order in every second round."""
    times: dict[str, list[float]] = {name: [] for name in measured}
    for index in range(rounds):
        for name in list(measured)[:: -1 if index % 2 else 1]:
            times[name].append(measured[name]())
    return Series(times)
