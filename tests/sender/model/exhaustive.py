"""Every run with at most one fault in each of its first invocations.

The search begins with the run without a fault. For each call of a run and each fault of that call, it then plays
another run with this fault. It ends when the first invocations have had every fault at every call.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from tests.sender.model import webhooks
from tests.sender.model.clock import START
from tests.sender.model.ending import settle
from tests.sender.model.parameters import Parameters
from tests.sender.model.system import System

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.sender.model.invocation import Invocation
    from tests.sender.model.webhooks import Event

Webhooks = Literal["none", "fast", "late", "overdue"]

# What happens elsewhere while an invocation waits at a call.
INTERRUPTIONS = (
    "redelivered",
    "redelivered near the time-out",
    "webhooks",
    "another system's webhook",
    "the rules change",
    "the person is forgotten",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """The fixed conditions of a search: the parameters, and when the webhooks come."""

    resend: bool = False
    webhooks: Webhooks = "none"
    max_receive_count: int = 8
    skew_s: float = 0  # how far the provider's clock is ahead

    def __str__(self) -> str:
        policy = "resend" if self.resend else "hold"
        return f"{policy}, webhooks {self.webhooks}, {self.max_receive_count} deliveries"


@dataclass(slots=True)
class Script:
    """The faults of one run: the prescribed ones, then none.

    `chosen` has the fault of each call so far. `alternatives` has the faults that each call could have had instead.
    """

    prescribed: tuple[str, ...]
    invocations: int
    only: frozenset[str] | None
    chosen: list[str] = field(default_factory=list)
    alternatives: list[Sequence[str]] = field(default_factory=list)

    def choose(self, invocation: Invocation, number: int) -> str:
        """Return the next fault."""
        assert invocation.call is not None
        position = len(self.chosen)
        fault = self.prescribed[position] if position < len(self.prescribed) else ""
        possible = [*invocation.call.faults, "killed", *INTERRUPTIONS]
        possible = [alternative for alternative in possible if self.only is None or alternative in self.only]
        is_open = number <= self.invocations and not any(self.chosen[self._began :])
        self.chosen.append(fault)
        self.alternatives.append(possible if is_open else [])
        return fault

    _began: int = 0

    def begin(self) -> None:
        """Begin a new invocation, which may have one fault."""
        self._began = len(self.chosen)


class Run:
    """One run: the queue is delivered until it is empty, once before and once after a redrive of all dead letters."""

    def __init__(self, setting: Setting, script: Script) -> None:
        parameters = Parameters(resend=setting.resend, max_receive_count=setting.max_receive_count)
        self.system = System(parameters, skew=timedelta(seconds=setting.skew_s))
        self._setting = setting
        self._script = script
        self._reported: set[str] = set()
        self._foreign = 0
        self._invocations = 0

    def play(self, prepare: Callable[[System], object]) -> None:
        """Play it to the end."""
        system = self.system
        try:
            prepare(system)
            self._drain()
            if self._setting.webhooks == "overdue":
                self._deliver_webhooks()
            system.redrive(system.queue.dead)
            self._drain()
            settle(system)
            if self._setting.webhooks != "none":
                self._deliver_webhooks()
            system.check()
        finally:
            system.close()

    def _drain(self) -> None:
        system = self.system
        while (due := system.queue.next_visible_at()) is not None and self._invocations < 200:
            system.clock.freeze(max(0.0, (due - system.clock.wall).total_seconds()))
            self._deliver()
            if self._setting.webhooks == "late":
                self._deliver_webhooks()
        system.check()

    def _deliver(self) -> None:
        invocation = self.system.start(self.system.queue.visible(self.system.clock.wall))
        self._invocations += 1
        self._script.begin()
        while invocation is not None and not invocation.ended:
            fault = self._script.choose(invocation, self._invocations)
            if fault in INTERRUPTIONS:
                self._interrupt(invocation, fault)
                fault = ""
            if not invocation.ended:  # it can time out during the interruption
                self.system.step(invocation, fault)
            if self._setting.webhooks == "fast":
                self._deliver_webhooks()

    def _interrupt(self, invocation: Invocation, interruption: str) -> None:
        system = self.system
        system.note(f"at {invocation.call and invocation.call.name}: {interruption}")
        if interruption == "webhooks":
            self._deliver_webhooks()
        elif interruption == "the person is forgotten":
            system.finish(system.forget())
        elif interruption == "the rules change":
            system.change(allowed_prefixes=("46",), default_sender="Store")
        elif interruption == "another system's webhook":
            for message in invocation.messages[:1]:
                self._foreign += 1
                system.deliver_webhook(self.foreign(message.identity))
        else:
            if interruption == "redelivered near the time-out":
                left = (invocation.deadline - system.clock.wall).total_seconds()
                system.clock.freeze(max(0.0, left - 1))
            again = [message for message in invocation.messages if message.receives < system.queue.max_receive_count]
            for message in [*again, *system.queue.visible(system.clock.wall)]:
                system.deliver([message])

    def foreign(self, reference: str) -> Event:
        """Return an event of another system with our reference and our recipient."""
        system = self.system
        return webhooks.Event(
            f"foreign {self._foreign}",
            system.provider.msg_id(system.clock.wall),
            reference,
            4512345678,
            "DELIVERED",
            START + timedelta(days=1),
            foreign=True,
        )

    def _deliver_webhooks(self) -> None:
        """Deliver the webhooks of newly accepted messages, in the wrong order and one of them twice."""
        for sent in list(self.system.provider.sent):
            if not sent.msg_id or sent.msg_id in self._reported:
                continue
            self._reported.add(sent.msg_id)
            delivered = webhooks.of(sent, "DELIVERED", START + timedelta(days=1))
            for event in (delivered, webhooks.of(sent, "ENROUTE", START), delivered):
                self.system.deliver_webhook(event)


def explore(
    setting: Setting,
    prepare: Callable[[System], object],
    invocations: int = 2,
    only: frozenset[str] | None = None,
) -> int:
    """Play every run, and return how many there were. Raises the first law that is broken, with the run's log.

    `only` limits the faults, so that a search over many invocations stays small enough.
    """
    runs = 0
    scripts: deque[tuple[str, ...]] = deque([()])
    while scripts:  # runs with the fewest faults come first, so the run that breaks a law is a short one
        script = Script(scripts.popleft(), invocations, only)
        run = Run(setting, script)
        random.seed(0)  # for the jitter of pauses
        try:
            run.play(prepare)
        except AssertionError as error:
            error.add_note(str(setting))
            raise
        runs += 1
        for position in range(len(script.prescribed), len(script.chosen)):
            before = tuple(script.chosen[:position])
            scripts += [(*before, fault) for fault in script.alternatives[position]]
    return runs
