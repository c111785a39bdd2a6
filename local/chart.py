"""A CloudWatch dashboard drawn as SVG: each of its widgets with the lines that its metrics have here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import quantiles
from typing import Any

Metric = tuple[str, str, str]  # namespace, name, value of its one dimension
Samples = Mapping[Metric, Sequence[tuple[float, float]]]  # each with its second

UNIT_W, UNIT_H, GAP = 40, 36, 8  # of CloudWatch's grid, in pixels
TITLE_H, LINE_H, MARGIN = 24, 13, 36
COLOURS = (
    "#1f77b4",
    "#d62728",
    "#2ca02c",
    "#ff7f0e",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#17becf",
    "#7f7f7f",
    "#bcbd22",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a widget: its name in the legend, the metric and the statistic."""

    name: str
    metric: Metric
    stat: str


def draw(widgets: Sequence[Mapping[str, Any]], samples: Samples, span_s: float, bucket_s: float) -> str:
    """Return the picture; `samples` cover the time from 0 to `span_s`."""
    width = max(it["x"] + it["width"] for it in widgets) * UNIT_W
    height = max(it["y"] + it["height"] for it in widgets) * UNIT_H
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"',
        ' font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#f2f3f3"/>',
    ]
    for widget in widgets:
        place = widget["x"] * UNIT_W, widget["y"] * UNIT_H
        parts.append(f'<g transform="translate({place[0]},{place[1]})">')
        parts += _widget(widget, samples, span_s, bucket_s)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def lines(properties: Mapping[str, Any]) -> list[Line]:
    """Return a widget's lines, with CloudWatch's dots for "as above" written out."""
    found: list[Line] = []
    above: list[str] = []
    for entry in properties["metrics"]:
        options = entry[-1] if isinstance(entry[-1], dict) else {}
        given = [part for part in entry if isinstance(part, str)]
        if given[0] == "...":
            given = above[: len(above) - len(given) + 1] + given[1:]
        above = [above[index] if part == "." else part for index, part in enumerate(given)]
        namespace, name, _, value = above
        stat = options.get("stat", properties.get("stat", "Average"))
        label = options.get("label", f"{name} {stat}" if stat.startswith("p") else name)
        found.append(Line(label, (namespace, name, value), stat))
    return found


def buckets(line: Line, samples: Samples, bucket_s: float) -> list[tuple[float, float]]:
    """Return a line's points: a statistic of each bucket that has samples."""
    found: dict[int, list[float]] = {}
    for second, value in samples.get(line.metric, ()):
        found.setdefault(int(second // bucket_s), []).append(value)
    statistic = STATISTICS[line.stat]
    return [((index + 0.5) * bucket_s, statistic(values)) for index, values in sorted(found.items())]


def _widget(widget: Mapping[str, Any], samples: Samples, span_s: float, bucket_s: float) -> Iterable[str]:
    properties = widget["properties"]
    width, height = widget["width"] * UNIT_W - GAP, widget["height"] * UNIT_H - GAP
    drawn = [(line, buckets(line, samples, bucket_s)) for line in lines(properties)]
    bottom = height - LINE_H * ((len(drawn) + 1) // 2) - 8
    top = max((value for _, points in drawn for _, value in points), default=0) or 1
    yield f'<rect width="{width}" height="{height}" rx="4" fill="#fff" stroke="#d5dbdb"/>'
    yield f'<text x="8" y="16" font-size="12" font-weight="bold">{escape(properties["title"])}</text>'
    if not any(points for _, points in drawn):
        yield f'<text x="{width / 2}" y="{bottom / 2}" text-anchor="middle" fill="#687078">nothing in this run</text>'
    for share in (0, 0.5, 1):
        y = bottom - share * (bottom - TITLE_H - 8)
        yield f'<path d="M{MARGIN} {y:.0f}H{width - 8}" stroke="#e5e8e8"/>'
        yield f'<text x="{MARGIN - 4}" y="{y + 4:.0f}" text-anchor="end" fill="#687078">{top * share:.3g}</text>'
    for index, (line, points) in enumerate(drawn):
        colour = COLOURS[index % len(COLOURS)]
        place = [
            (MARGIN + second / span_s * (width - MARGIN - 8), bottom - value / top * (bottom - TITLE_H - 8))
            for second, value in points
        ]
        # A line ends where there is nothing: no sum is not a small sum.
        near = bucket_s / span_s * (width - MARGIN) * 1.5
        for (x, y), (to_x, to_y) in pairwise(place):
            if to_x - x < near:
                yield f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" stroke="{colour}" stroke-width="1.5"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" fill="{colour}"/>' for x, y in place)
        x, y = 8 + index % 2 * width / 2, bottom + LINE_H * (index // 2 + 1)
        yield f'<text x="{x:.0f}" y="{y:.0f}" font-size="9" fill="{colour}">{escape(line.name)}</text>'


def _percentile(share: int) -> Callable[[Sequence[float]], float]:
    return lambda values: quantiles([*values, *values], n=100, method="inclusive")[share - 1]


STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "p50": _percentile(50),
    "p95": _percentile(95),
}
