"""Child processes and a temporary folder that end with this process, however it ends.

A small guard process has a list of the started process groups and reads from a pipe to this process. The pipe closes
when this process closes it or ends, by Ctrl-C, SIGTERM or SIGKILL. Then the guard kills all groups on its list and
deletes the folder. So all endings are handled in the same way, without a signal handler.
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

# A process that was just killed can still write into the folder while it is deleted.
DELETE_WITHIN_S = 10


class Processes:
    """The processes of one run and their folder. A process has a group of its own, so its children end with it."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="gatewayapi-"))
        guard = [sys.executable, "-I", __file__, str(self.folder)]
        try:
            self._guard = Popen(guard, stdin=PIPE, text=True, start_new_session=True)
        except OSError:
            self.folder.rmdir()
            raise
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
        # Without the lock, a process that is started while another thread closes would stay.
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
            self._write(f"+{process.pid}")
        return process

    @contextmanager
    def lines(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, directory: Path, within_s: float
    ) -> Iterator[tuple[Popen[str], Iterable[str]]]:
        """Start a program that ends by itself, and give its lines as they come. It has its exit code afterwards."""
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
                self._write(f"-{process.pid}")  # another process can get this number soon

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

    def _write(self, line: str) -> None:
        if self._guard.stdin and not self._guard.stdin.closed:
            print(line, file=self._guard.stdin, flush=True)


def _kill(group: int) -> None:
    # The group has ended, or on macOS only its unread exit codes are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def guard(lines: Iterable[str], folder: Path) -> None:
    """Keep the list of groups until the lines end, then kill the groups and delete the folder."""
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
