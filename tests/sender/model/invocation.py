"""One invocation of a function. Its code runs in a thread, from one call to the next, whenever the run resumes it.

Between two calls the code has no effect outside. So pauses at the calls are enough to produce every order of events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tests.sender.model.expressions import Item
    from tests.sender.model.parameters import Parameters
    from tests.sender.model.queue import Queued
    from tests.sender.model.webhooks import Event, Inbound


class Killed(BaseException):
    """Ends the code of an invocation. It is a BaseException, so that the code does not catch it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the code is about to make, and what can go wrong with it."""

    name: str
    faults: Sequence[str] = ()


@dataclass(slots=True)
class Invocation:
    """An invocation of one function. `call` is the call at which it waits, or None if it has ended."""

    number: int
    code: Callable[[], Any]
    began: datetime
    deadline: datetime
    messages: list[Queued] = field(default_factory=list)
    call: Call | None = None
    killed: bool = False
    result: Any = None
    error: BaseException | None = None
    faults: list[str] = field(default_factory=list)
    before: dict[str, Item] = field(default_factory=dict)  # its messages' records when it began
    parameters: Parameters | None = None  # at its begin
    event: Event | Inbound | None = None  # for an invocation of the webhook function
    of_operator: bool = False
    opted_out_at_start: bool | None = None  # whether the person had opted out at its begin; None: not certain
    failed_calls: list[str] = field(default_factory=list)
    overlapped: bool = False  # something else happened while it was paused
    # The acceptances that it has read: reference, msg_id, and if the message was in doubt before.
    answers: list[tuple[str, str, bool]] = field(default_factory=list)
    _thread: Thread | None = None
    _fault: str = ""
    _to_code: Semaphore = field(default_factory=lambda: Semaphore(0))
    _to_run: Semaphore = field(default_factory=lambda: Semaphore(0))

    @property
    def ended(self) -> bool:
        """Whether the code has returned or was killed."""
        return self.call is None

    def start(self) -> None:
        """Run the code to its first call."""
        self.call = Call("start")
        self._thread = Thread(target=self._main, daemon=True)
        self._thread.start()
        self._to_run.acquire()

    def resume(self, fault: str = "") -> None:
        """Make the call that the code waits for, with a fault, and run the code to its next call."""
        self._fault = fault
        self._to_code.release()
        self._to_run.acquire()
        if self.call is None and self._thread is not None:
            self._thread.join()

    def kill(self) -> None:
        """End the invocation before the call that it waits for."""
        self.killed = True
        self.resume()

    def pause(self, name: str, faults: Sequence[str] = ()) -> str:
        """Wait at a call, in the code's thread. Return the fault of the call."""
        if self.killed:
            raise Killed
        self.call = Call(name, faults)
        self._to_run.release()
        self._to_code.acquire()
        if self.killed:
            raise Killed
        return self._fault

    def remaining_s(self, now: datetime) -> float:
        """Return the seconds until Lambda ends it."""
        return (self.deadline - now).total_seconds()

    def end_at(self, now: datetime) -> None:
        """End the invocation, in the code's thread, if its time is over."""
        if now >= self.deadline:
            self.killed = True
            raise Killed

    def _main(self) -> None:
        try:
            self.result = self.code()
            self.pause("return")
        except Killed:
            self.killed = True
        except BaseException as error:  # noqa: BLE001 - the laws check it
            self.error = error
        self.call = None
        self._to_run.release()
