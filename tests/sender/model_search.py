"""Every run of the model with at most one fault in each of its first invocations.

A run is played with no fault; then again for each thing that could have gone wrong at each of its calls, and so on
for the runs that come of that, until the first invocations have been through all of it.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tests.sender.model import Setting, World
from tests.sender.model_calls import Invocation

Prepare = Callable[[World], object]

A_LITTLE = timedelta(seconds=1)
MUCH_LATER = timedelta(hours=1)


@dataclass(slots=True)
class Script:
    """The faults of one run: those prescribed, then none; it notes what could have been chosen instead."""

    prescribed: tuple[str, ...]
    invocations: int
    only: frozenset[str] | None
    chosen: list[str] = field(default_factory=list)
    alternatives: list[Sequence[str]] = field(default_factory=list)

    def choose(self, invocation: Invocation, _name: str, faults: Sequence[str]) -> str:
        """Return the next fault."""
        position = len(self.chosen)
        fault = self.prescribed[position] if position < len(self.prescribed) else ""
        possible = [each for each in faults if self.only is None or each in self.only]
        open_to_faults = invocation.number <= self.invocations and not invocation.faults
        self.chosen.append(fault)
        self.alternatives.append(possible if open_to_faults else [])
        return fault


def explore(setting: Setting, prepare: Prepare, invocations: int = 2, only: frozenset[str] | None = None) -> int:
    """Play every run, and return how many there were; raises the first law that is broken, with the run's log.

    `only` leaves all other faults out, which lets many invocations in a row be faulty.
    """
    runs = 0
    ahead: deque[tuple[str, ...]] = deque([()])
    while ahead:  # those with the fewest faults first, so that a broken law is shown by the shortest run
        script = Script(ahead.popleft(), invocations, only)
        world = World(setting, script.choose)
        random.seed(0)  # the pauses' jitter
        try:
            play(world, prepare)
        except AssertionError as error:
            error.add_note("\n".join([str(setting), *world.log]))
            raise
        runs += 1
        for position in range(len(script.prescribed), len(script.chosen)):
            before = tuple(script.chosen[:position])
            ahead += [(*before, fault) for fault in script.alternatives[position]]
    return runs


def play(world: World, prepare: Prepare) -> None:
    """Have what `prepare` put on the queue delivered, to the end; and once more after a redrive of all the dead."""
    prepare(world)
    world.drain()
    world.check()
    if world.setting.webhooks == "overdue":
        world.tell()
    world.redrive(world.queue.dead)
    world.drain()
    world.tell()
    world.check()


def one(world: World) -> None:
    """One message."""
    world.produce()


def a_pair(world: World) -> None:
    """Two messages that are delivered together."""
    world.produce("order-1")
    world.produce("order-2", "Hello you")


def twins(world: World) -> None:
    """One message that its producer put on the queue twice, delivered together."""
    world.produce()
    world.produce()


def twins_apart(world: World) -> None:
    """The same, delivered apart."""
    world.produce()
    world.produce().visible_at += A_LITTLE


def once_more_later(world: World) -> None:
    """One message that its producer puts on the queue again when all doubt about the first has been held."""
    world.produce()
    again = world.produce()
    again.sent_at = again.visible_at = again.sent_at + MUCH_LATER


def a_reused_reference(world: World) -> None:
    """Two messages under one reference."""
    world.produce()
    world.produce(text="Hello you").visible_at += A_LITTLE


def a_broken_one(world: World) -> None:
    """A message that cannot be sent, together with one that can."""
    world.produce("order-1", recipient=1)
    world.produce("order-2")


def a_lapsing_one(world: World) -> None:
    """A message that is not to be sent after the second delivery, and hardly at the first."""
    world.produce(expiration=20)
