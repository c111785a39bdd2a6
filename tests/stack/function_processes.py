"""The processes in which the local AWS runs a function, found by a text in their command lines."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random

PROC = Path("/proc")


def processes(part: str) -> list[int]:
    """Return the processes with this text in their command line."""
    # Systems without /proc have `ps`. Small containers have /proc and no `ps`.
    listing = _from_proc() if (PROC / "self").exists() else _from_ps()
    return [number for number, command in listing if part in command]


def kill(part: str) -> int:
    """Kill them at once, as a crash does, and return their number."""
    return _signal(part, signal.SIGKILL)


def kill_one(part: str, chance: Random) -> int:
    """Kill a random one, and return the number of killed processes, 0 or 1."""
    found = processes(part)
    if found:
        with suppress(ProcessLookupError):
            os.kill(chance.choice(found), signal.SIGKILL)
    return len(found[:1])


def freeze(part: str) -> int:
    """Stop them, so that their invocations time out, and return their number."""
    return _signal(part, signal.SIGSTOP)


def _signal(part: str, number: signal.Signals) -> int:
    found = processes(part)
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process, number)
    return len(found)


def _from_proc() -> list[tuple[int, str]]:
    listing = []
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # the process has ended
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                listing.append((int(folder.name), command.decode(errors="replace")))
    return listing


def _from_ps() -> list[tuple[int, str]]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=True)  # noqa: S607
    lines = (line.strip().partition(" ") for line in listing.stdout.splitlines())
    return [(int(number), command) for number, _, command in lines]
