"""The measurements as the tables of docs/performance.md, ratios first."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.measures import Series


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure is compared with, by the name of its function, and the ratio that it may have."""

    base: str
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: a function's time, and what it is held against."""

    name: str
    series: Series
    function: str
    bare: Limit
    peer: Limit
    per: int = 1

    def missed(self) -> list[str]:
        """Return the targets that it misses, in words."""
        return [
            f"{self.name}: {self.series.ratio(self.function, limit.base):.3f} of {limit.base}, not {limit.most}"
            for limit in (self.bare, self.peer)
            if limit.most is not None and self.series.ratio(self.function, limit.base) > limit.most
        ]

    def median_s(self) -> float:
        """Return the processor seconds of an invocation."""
        return self.series.median_s(self.function)

    def row(self) -> list[str]:
        """Return its cells."""
        cells = [self._compared(self.peer), self._compared(self.bare)]
        return [self.name, *cells, *(self._time(each) for each in (self.function, self.bare.base, self.peer.base))]

    def _compared(self, limit: Limit) -> str:
        ratio, (low, high) = (
            self.series.ratio(self.function, limit.base),
            self.series.spread(self.function, limit.base),
        )
        text = f"**{digits(ratio)}** ({digits(low)} to {digits(high)})"
        return text if limit.most is None else f"{text}, {'≤' if ratio <= limit.most else 'missed:'} {limit.most}"

    def _time(self, name: str) -> str:
        return milliseconds(self.series.median_s(name) / self.per)


def figures(rows: Sequence[Figure]) -> str:
    """Return the table of the ratios."""
    head = (
        "processor time of",
        "ratio to the usual way",
        "ratio to the minimum",
        "this project",
        "minimum",
        "usual way",
    )
    return table(head, (row.row() for row in rows))


def calls(rows: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]]) -> str:
    """Return the table of what is called and connected."""
    named = ((name, counted(first), counted(rest)) for name, (first, rest) in rows.items())
    return table(("", "first invocation", "the next ten together"), named)


def parts(title: str, rows: Iterable[tuple[str, float]]) -> str:
    """Return a table of times."""
    return table((title, "ms"), ((name, milliseconds(seconds).removesuffix(" ms")) for name, seconds in rows))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def counted(counts: Mapping[str, int]) -> str:
    """Return counts in words, the calls before the connections."""
    ordered = sorted(counts.items(), key=lambda each: ("connections" in each[0], each[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered) or "none"


def digits(ratio: float) -> str:
    """Return a ratio with as many digits as mean something."""
    return f"{ratio:.{2 if ratio >= 0.1 else 3}f}"


def milliseconds(seconds: float) -> str:
    """Return milliseconds with as many digits as mean something."""
    value = seconds * 1000
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} ms"


def machine() -> str:
    """Return what measured, in general words."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} {platform.machine()} cores, {platform.system()}, {python}"
