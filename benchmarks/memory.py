"""`python -m benchmarks.memory`: how long cold starts and warm invocations take with the CPU share of a memory size.

Lambda gives a function one processor at 1769 MB, and a proportional share below. A cgroup limits the share here, so
this command needs Linux, root and cgroup version 1. AWS and the provider are simulated outside the cgroup, over TLS.

AWS does not document whether INIT, which imports the function's modules, is limited to the share. AWS's engineers
describe it as not limited. Both are measured: the share is applied from the start, or when the function asks for its
first event.

A time is the shortest of all rounds, because other programs on the machine add to the time that a clock shows.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from benchmarks import report, samples
from benchmarks.invocation import TIMEOUT_S, RuntimeApi, WarmFunction, check
from benchmarks.layout import Function, environment, lay_out, python
from benchmarks.services import Services, serving

DOCUMENT = Path(__file__).parents[1] / "docs/performance.md"
CGROUPS = Path("/sys/fs/cgroup/cpu")
SIZES_MB = (256, 512, 1024, 1769)
ONE_PROCESSOR_MB = 1769
BATCH = 10
ROUNDS = 15
MOST_SHARES = 262_144  # the kernel's limit
IDLE_S = 0.25  # longer than the scheduler's period, so that an invocation begins with its whole share
GB_SECOND = 0.0000133334  # dollars, Arm, US East (N. Virginia)
MILLION = 1_000_000
WEBHOOKS = 2  # of a message


@dataclass(frozen=True, slots=True)
class Share:
    """A cgroup that limits its processes to the CPU share of a memory size."""

    group: Path
    size_mb: int

    def limit(self) -> None:
        """Limit the processes from now on."""
        period_us = int((self.group / "cpu.cfs_period_us").read_text())
        quota_us = period_us * self.size_mb // ONE_PROCESSOR_MB
        (self.group / "cpu.cfs_quota_us").write_text(str(quota_us))

    def lift(self) -> None:
        """End the limit."""
        (self.group / "cpu.cfs_quota_us").write_text("-1")

    def add(self, pid: int) -> None:
        """Put a process into the group."""
        (self.group / "cgroup.procs").write_text(str(pid))

    def command(self, *command: str) -> list[str]:
        """Return a command that runs another one inside the group from its start."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.group / "cgroup.procs"), *command]


@contextmanager
def cpu_share(size_mb: int) -> Iterator[Share]:
    """Create the cgroup of a memory size, and remove it when its processes have ended."""
    group = CGROUPS / f"gatewayapi-benchmark-{os.getpid()}"
    group.mkdir()
    # Within its quota the function is never to wait for other programs.
    (group / "cpu.shares").write_text(str(MOST_SHARES))
    try:
        yield Share(group, size_mb)
    finally:
        deadline = time.monotonic() + TIMEOUT_S
        while (group / "cgroup.procs").read_text().strip() and time.monotonic() < deadline:
            time.sleep(0.01)
        group.rmdir()


class LimitingRuntimeApi(RuntimeApi):
    """Lambda's Runtime API, which calls `at_first` when the function has ended INIT and asks for its first event."""

    def __init__(self, event: Any, at_first: Callable[[], None]) -> None:  # noqa: ANN401 - any JSON
        self._at_first = at_first
        super().__init__(event)

    def next(self, request: BaseHTTPRequestHandler) -> None:
        """Call `at_first` before the first event is handed out."""
        if self.answer is None:
            self._at_first()
        super().next(request)


def cold_start_s(
    function: Function, event: samples.Event, services: Services, share: Share, *, limited: bool
) -> float:
    """Return the seconds from the start of the process to the response, with INIT limited or not."""
    if limited:
        share.limit()
    else:
        share.lift()
    api = LimitingRuntimeApi(event, share.limit)
    began = time.perf_counter()
    process = subprocess.Popen(
        share.command(*python("-m", "awslambdaric", f"{function.name}.handler")),
        env=environment(function, services) | {"AWS_LAMBDA_RUNTIME_API": api.address},
        cwd=function.folders[0],
        stdout=subprocess.DEVNULL,
    )
    try:
        api.idle.wait(TIMEOUT_S)
        took_s = time.perf_counter() - began
    finally:
        process.kill()
        process.wait()
        api.close()
    check(function, api.answer)
    return took_s


def warm_s(function: Function, event_file: Path, services: Services, share: Share, rounds: int) -> list[float]:
    """Return the seconds of warm invocations, each after a pause."""
    worker = WarmFunction(function, event_file, services)
    try:
        share.lift()
        share.add(worker.pid)
        worker.run(3)
        share.limit()
        times = []
        for _ in range(rounds):
            time.sleep(IDLE_S)
            began = time.perf_counter()
            worker.run(1)
            times.append(time.perf_counter() - began)
        return times
    finally:
        worker.close()


def main() -> int:
    """Measure all memory sizes, and write the table into docs/performance.md."""
    parser = argparse.ArgumentParser(prog="memory", description="Measure the functions at Lambda's memory sizes")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--print-only", action="store_true", help="leave docs/performance.md as it is")
    given = parser.parse_args()
    if os.geteuid() != 0 or not (CGROUPS / "cpu.cfs_quota_us").exists():
        sys.exit("This needs Linux, root and cgroup version 1, whose cpu.cfs_quota_us limits the CPU share.")
    os.nice(-20)  # for the simulated AWS and provider, which the function waits for
    rows = []
    with tempfile.TemporaryDirectory() as name, serving(Path(name) / "tls", tls=True) as services:
        folder = Path(name)
        functions = lay_out(folder).functions
        for size_mb in SIZES_MB:
            rows.append(measured(size_mb, functions, services, folder, given.rounds))
            print(rows[-1], flush=True)
    text = table(rows, given.rounds)
    print(text)
    if not given.print_only:
        report.put(DOCUMENT, "memory", text)
    return 0


@dataclass(frozen=True, slots=True)
class Row:
    """The seconds of one memory size."""

    size_mb: int
    sender: tuple[float, float]  # a cold start with INIT limited, and with INIT not limited
    webhook: tuple[float, float]
    batch: float
    event: float

    def dollars(self) -> float:
        """Return what Lambda's time costs for a million messages; each invocation is rounded up to a millisecond."""
        batch_ms, event_ms = math.ceil(self.batch * 1000), math.ceil(self.event * 1000)
        seconds = MILLION * (batch_ms / BATCH + WEBHOOKS * event_ms) / 1000
        return seconds * self.size_mb / 1024 * GB_SECOND


def measured(size_mb: int, functions: dict[str, Function], services: Services, folder: Path, rounds: int) -> Row:
    """Measure both functions at one memory size."""
    events = {"sender": samples.batch(BATCH), "webhook": samples.webhook()}
    with cpu_share(size_mb) as share:
        cold: dict[str, tuple[float, float]] = {}
        for name, event in events.items():
            limited, unlimited = (
                min(cold_start_s(functions[name], event, services, share, limited=limited) for _ in range(rounds))
                for limited in (True, False)
            )
            cold[name] = limited, unlimited
        warm: dict[str, float] = {}
        for name, event in events.items():
            file = folder / f"{name}.json"
            file.write_text(json.dumps(event))
            warm[name] = min(warm_s(functions[name], file, services, share, rounds))
    return Row(size_mb, cold["sender"], cold["webhook"], warm["sender"], warm["webhook"])


def table(rows: list[Row], rounds: int) -> str:
    """Return the rows as Markdown, with the machine they were measured on."""
    head = "memory", "CPU share", "cold start: sender", "cold start: webhook", "batch of 10", "webhook", "a million"
    cells = [
        (
            f"{row.size_mb} MB",
            f"{row.size_mb / ONE_PROCESSOR_MB:.0%}",
            *(f"{limited:.2f} s / {unlimited:.2f} s" for limited, unlimited in (row.sender, row.webhook)),
            f"{row.batch * 1000:.0f} ms",
            f"{row.event * 1000:.0f} ms",
            f"${row.dollars():.2f}",
        )
        for row in rows
    ]
    measured_by = f"Measured by `python -m benchmarks.memory` on {report.machine()}, the shortest of {rounds} rounds."
    return f"{measured_by}\n\n{report.table(head, cells)}"


if __name__ == "__main__":
    sys.exit(main())
