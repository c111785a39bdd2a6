"""The processes in which the local AWS runs a function, found by what stands in their command lines."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random

PROC = Path("/proc")


def processes(part: str) -> list[int]:
    """Return the processes with this text in their command line."""
    # Where there is no /proc there is a `ps`, and small containers have the one without the other.
    listing = _listed() if (PROC / "self").exists() else _told()
    return [number for number, command in listing if part in command]


def kill(part: str) -> int:
    """Kill them as a crash does, at once and without a word; return how many there were."""
    return _signal(part, signal.SIGKILL)


def kill_one(part: str, chance: Random) -> int:
    """Kill one of them, by chance; return 0 where there is none."""
    found = processes(part)
    if found:
        with suppress(ProcessLookupError):
            os.kill(chance.choice(found), signal.SIGKILL)
    return len(found[:1])


def freeze(part: str) -> int:
    """Stop them where they are, so that they run into their time limit; return how many there were."""
    return _signal(part, signal.SIGSTOP)


def _signal(part: str, number: signal.Signals) -> int:
    found = processes(part)
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process, number)
    return len(found)


def _listed() -> list[tuple[int, str]]:
    listing = []
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has ended meanwhile
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                listing.append((int(folder.name), command.decode(errors="replace")))
    return listing


def _told() -> list[tuple[int, str]]:
    said = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=True)  # noqa: S607
    lines = (line.strip().partition(" ") for line in said.stdout.splitlines())
    return [(int(number), command) for number, _, command in lines]
