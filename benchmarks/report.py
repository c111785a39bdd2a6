"""Formats measurements as tables, and writes them into the documents."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measures import Series


@dataclass(frozen=True, slots=True)
class Limit:
    """The function that a figure is compared with, and the highest ratio allowed."""

    base: str
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: a function's time, compared with the minimal and the usual function."""

    name: str
    series: Series
    function: str
    minimal: Limit
    usual: Limit
    per: int = 1

    def missed(self) -> list[str]:
        """Return a sentence for every target that it misses."""
        return [
            f"{self.name}: {self.series.ratio(self.function, limit.base):.3f} of {limit.base}, at most {limit.most}"
            for limit in (self.minimal, self.usual)
            if limit.most is not None and self.series.ratio(self.function, limit.base) > limit.most
        ]

    def median_s(self) -> float:
        """Return the median processor seconds of an invocation."""
        return self.series.median_s(self.function)

    def row(self) -> list[str]:
        """Return the cells of the row."""
        cells = [self._compared(self.usual), self._compared(self.minimal)]
        return [
            self.name,
            *cells,
            *(self._time(name) for name in (self.function, self.minimal.base, self.usual.base)),
        ]

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
    """Return the table of calls and connections."""
    named = ((name, counted(first), counted(rest)) for name, (first, rest) in rows.items())
    return table(("", "first invocation", "the next ten together"), named)


def parts(title: str, rows: Iterable[tuple[str, float]]) -> str:
    """Return a table of times."""
    return table((title, "ms"), ((name, milliseconds(seconds).removesuffix(" ms")) for name, seconds in rows))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def counted(counts: Mapping[str, int]) -> str:
    """Return counts in words, calls before connections."""
    ordered = sorted(counts.items(), key=lambda count: ("connections" in count[0], count[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered) or "none"


def digits(ratio: float) -> str:
    """Return a ratio with its significant digits."""
    return f"{ratio:.{2 if ratio >= 0.1 else 3}f}"


def milliseconds(seconds: float) -> str:
    """Return milliseconds with their significant digits."""
    value = seconds * 1000
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} ms"


def machine() -> str:
    """Return the machine and the Python that measured, without names."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} {platform.machine()} cores, {platform.system()}, {python}"


def put(document: Path, name: str, text: str) -> None:
    """Replace the text between the two comments of this name, or raise ValueError if the document has none."""
    begin, end = f"<!-- figures: {name} -->\n", f"<!-- end of figures: {name} -->"
    content = document.read_text()
    start, stop = content.index(begin) + len(begin), content.index(end)
    document.write_text(f"{content[:start]}{text.strip()}\n{content[stop:]}")
