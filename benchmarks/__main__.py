"""`make bench`: measures the functions' processor time, and compares it with the usual way and with the minimum.

The functions run with Lambda's folders and environment, and cold starts under Lambda's own runtime client. AWS and
the provider are simulated in another process, whose time is not counted. The figures are written to
docs/performance.md, except with --quick. The command fails if a target is missed.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks import measures, parts, report, samples, scale
from benchmarks.layout import Layout, lay_out
from benchmarks.report import Figure, Limit
from benchmarks.services import Services, serving

DOCUMENT = Path(__file__).parents[1] / "docs/performance.md"
ROUNDS, DETAIL_ROUNDS, QUICK_ROUNDS = 15, 7, 3
MAX_LAYER_MB = 8

# Batch size; invocations of each function in a round; highest ratio to the minimal and to the usual sender.
BATCHES = (
    (1, (60, 60, 30), None, None),
    (10, (30, 30, 5), 1.3, 0.13),
    (100, (5, 5, 1), 1.1, 0.035),
)
CALLS = {"sender, batch of 100": ("sender", samples.batch(100)), "webhook": ("webhook", samples.webhook())}


def warm(layout: Layout, services: Services, folder: Path, rounds: int) -> list[Figure]:
    """Return the figures of warm invocations."""
    rows = []
    for size, counts, to_minimal, to_usual in BATCHES:
        invocations = dict(zip(("sender", "minimal_sender", "usual_sender"), counts, strict=True))
        series = measures.warm(layout, services, saved(folder, samples.batch(size)), invocations, rounds)
        limits = Limit("minimal_sender", to_minimal), Limit("usual_sender", to_usual)
        rows.append(Figure(f"a message, batch of {size}", series, "sender", *limits, per=size))
    invocations = {"webhook": 60, "minimal_webhook": 60, "usual_webhook": 30}
    series = measures.warm(layout, services, saved(folder, samples.webhook()), invocations, rounds)
    limits = Limit("minimal_webhook", 1.25), Limit("usual_webhook", 0.35)
    return [*rows, Figure("a webhook", series, "webhook", *limits)]


def cold(layout: Layout, services: Services, rounds: int, over: str = "") -> list[Figure]:
    """Return the figures of cold starts."""
    series = measures.cold(layout, services, rounds)
    return [
        Figure(
            f"a cold start of the {name}{over}",
            series,
            name,
            Limit("minimal_cold_start", 0.95),
            Limit(f"usual_{name}", 0.55),
        )
        for name in ("sender", "webhook")
    ]


def reconnected(layout: Layout, services: Services, folder: Path, rounds: int) -> Figure:
    """Return the figure of a webhook whose connections were closed while it was idle."""
    invocations = dict.fromkeys(("webhook", "minimal_webhook", "usual_webhook"), 1)
    event_file = saved(folder, samples.webhook())
    series = measures.warm(layout, services, event_file, invocations, rounds, before=services.close_connections)
    name = "a webhook after idle connections broke, over TLS"
    return Figure(name, series, "webhook", Limit("minimal_webhook"), Limit("usual_webhook"))


def details(layout: Layout, services: Services, folder: Path, rounds: int) -> list[str]:
    """Return the tables that show what takes the time."""
    sender, usual = layout.functions["sender"], layout.functions["usual_sender"]

    def timed(measured: tuple[parts.Part, ...], *, with_usual_packages: bool = False) -> list[tuple[str, float]]:
        function = usual if with_usual_packages else sender
        return [(part.name, parts.time_s(part, function, services, rounds, samples.batch(100))) for part in measured]

    source = layout.without_byte_code(sender, folder / "source")
    without = parts.SOURCE.name, parts.time_s(parts.SOURCE, source, services, rounds)
    return [
        report.parts("part of a cold start", [*timed(parts.COLD), without]),
        report.parts("part of a batch of 100", timed(parts.BATCH)),
        report.parts("time to import, after boto3 and a client", timed(parts.DEPENDENCIES, with_usual_packages=True)),
    ]


def saved(folder: Path, event: samples.Event) -> Path:
    """Write an event into a file for the worker, and return the file."""
    file = folder / "event.json"
    file.write_text(json.dumps(event))
    return file


def main() -> int:
    """Measure, print and write the figures; return the number of missed targets."""
    arguments = argparse.ArgumentParser(prog="make bench", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="run few rounds, and do not write the document")
    quick = arguments.parse_args().quick
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="gatewayapi-bench-") as name:
        folder = Path(name)
        layout = lay_out(folder / "lambda")
        with serving(folder / "plain") as services:
            rows = warm(layout, services, folder, rounds) + cold(layout, services, rounds)
            called = {
                name: measures.calls(layout, services, saved(folder, event), function)
                for name, (function, event) in CALLS.items()
            }
            tables = details(layout, services, folder, min(rounds, DETAIL_ROUNDS))
        with serving(folder / "tls", tls=True) as services:
            rows += cold(layout, services, rounds, over=", over TLS")
            rows.append(reconnected(layout, services, folder, rounds))
        size_mb = layout.size_mb()
    missed = [sentence for row in rows for sentence in row.missed()]
    introduction = (
        f"Measured by `make bench` on {report.machine()}, in {rounds} rounds."
        " Brackets hold the middle half of the ratios."
    )
    text = "\n\n".join(
        [
            introduction,
            report.figures(rows),
            report.calls(called),
            f"The layer, unpacked with byte code for one Python: {size_mb:.1f} MB (at most {MAX_LAYER_MB}).",
            *tables,
        ]
    )
    carried = scale.rates({row.per: row.median_s() for row in rows[: len(BATCHES)]}, rows[len(BATCHES)].median_s())
    print(f"{text}\n\n{carried}")
    if not quick:
        report.put(DOCUMENT, "processor time", text)
        report.put(DOCUMENT, "scale", carried)
    print(
        "\n" + "\n".join([f"missed: {sentence}" for sentence in missed] or ["every target is met"]), file=sys.stderr
    )
    return len(missed) + (size_mb > MAX_LAYER_MB)


if __name__ == "__main__":
    sys.exit(main())
