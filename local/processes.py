"""Child processes and a temporary folder that end with this process, however it ends.

A small guard process holds the list of what was started and the reading end of a pipe. When this process closes the
pipe, or Ctrl-C, SIGTERM or SIGKILL closes it, the guard kills all groups on its list and deletes the folder. So
there is one way down for all endings, and no signal handler is needed for it.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from tempfile import mkdtemp
from threading import Lock, Timer
from typing import IO

# A process that was just killed may still be writing into the folder while it is deleted.
DELETE_WITHIN_S = 10


class Processes:
    """The processes of one run, each in a group of its own so that its children end with it, and their folder."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="gatewayapi-"))
        guard = [sys.executable, "-I", __file__, str(self.folder)]
        self._guard = Popen(guard, stdin=PIPE, text=True, start_new_session=True)
        self._running: list[Popen[str]] = []
        self._lock = Lock()
        self._closed = False

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        output: IO[str] | int,
        directory: Path,
    ) -> Popen[str]:
        """Start a program that runs until `close`."""
        # Under the lock, or what is started while another thread closes would stay.
        with self._lock:
            if self._closed:
                raise ProcessLookupError("the run has ended")
            process = Popen(
                arguments,
                env=environment,
                cwd=directory,
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                text=True,
                start_new_session=True,
            )
            self._running.append(process)
            self._tell(f"+{process.pid}")
        return process

    @contextmanager
    def lines(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, directory: Path, within_s: float
    ) -> Iterator[tuple[Popen[str], Iterable[str]]]:
        """Start a program that ends by itself, and give its lines as they come; its exit code is there afterwards."""
        process = self.start(arguments, environment, output=PIPE, directory=directory)
        timer = Timer(within_s, _kill, [process.pid])
        timer.daemon = True
        timer.start()
        try:
            yield process, process.stdout or ()
            process.wait()
        finally:
            timer.cancel()
            _kill(process.pid)
            process.wait()
            if process.stdout:
                process.stdout.close()
            with self._lock:
                self._running.remove(process)
                self._tell(f"-{process.pid}")  # the number may soon be somebody else's

    def close(self) -> None:
        """End everything and delete the folder."""
        with self._lock:
            self._closed = True
            if self._guard.stdin:
                self._guard.stdin.close()
        self._guard.wait()
        for process in tuple(self._running):
            process.wait()
            if process.stdout:
                process.stdout.close()

    def _tell(self, line: str) -> None:
        if self._guard.stdin and not self._guard.stdin.closed:
            print(line, file=self._guard.stdin, flush=True)


def _kill(group: int) -> None:
    # A group that is gone, or on macOS one of which only unread exit codes are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def guard(lines: Iterable[str], folder: Path) -> None:
    """Keep the list until its source ends, then end what is on it."""
    groups: set[int] = set()
    for line in lines:
        number = int(line[1:])
        if line.startswith("+"):
            groups.add(number)
        else:
            groups.discard(number)
    for group in groups:
        _kill(group)
    until = time.monotonic() + DELETE_WITHIN_S
    while folder.exists() and time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    guard(sys.stdin, Path(sys.argv[1]))
