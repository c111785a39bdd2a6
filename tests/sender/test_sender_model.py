"""Nothing lost, nothing sent twice, nothing taken back: in every run of the model, and in any that chance draws.

The exhaustive half plays each fault at each call of a message's first two invocations. The other half has hypothesis
play producers, queue, provider, webhooks, operator and clock against one another.
"""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.sender.model import Setting, Webhooks, World
from tests.sender.model_calls import Invocation
from tests.sender.model_search import (
    Prepare,
    a_broken_one,
    a_lapsing_one,
    a_pair,
    a_reused_reference,
    explore,
    once_more_later,
    one,
    twins,
    twins_apart,
)

pytestmark = pytest.mark.usefixtures("no_log")

HOLD, RESEND = Setting(), Setting(resend=True)
WEBHOOKS: list[tuple[Webhooks, int]] = [
    ("none", 8),
    ("fast", 8),
    ("late", 8),
    ("overdue", 8),
    ("none", 2),  # the second delivery is the last
    ("late", 2),
]
SETTINGS = [Setting(resend, webhooks, most) for resend in (False, True) for webhooks, most in WEBHOOKS]
SHORT = [each for each in SETTINGS if each.webhooks in ("none", "late")]
MEETINGS = [a_pair, twins, twins_apart, once_more_later, a_reused_reference, a_broken_one, a_lapsing_one]


def name(setting: Setting) -> str:
    policy = "resend" if setting.resend else "hold"
    return f"{policy}-webhooks {setting.webhooks}-{setting.max_receive_count} deliveries"


@pytest.mark.parametrize("setting", SETTINGS, ids=name)
def test_one_message_survives_every_fault_at_every_call_of_its_first_two_invocations(setting: Setting) -> None:
    assert explore(setting, one) > 400


@pytest.mark.parametrize("setting", SHORT, ids=name)
@pytest.mark.parametrize("prepare", MEETINGS, ids=lambda prepare: prepare.__name__)
def test_messages_that_meet_survive_every_fault_at_every_call_of_the_first_invocation(
    setting: Setting, prepare: Prepare
) -> None:
    assert explore(setting, prepare, invocations=1) > 25


@pytest.mark.parametrize("setting", [HOLD, RESEND], ids=name)
def test_twins_survive_every_fault_at_every_call_of_two_invocations(setting: Setting) -> None:
    assert explore(setting, twins_apart) > 400


@pytest.mark.parametrize("setting", SETTINGS, ids=name)
def test_a_provider_in_lasting_trouble_is_survived(setting: Setting) -> None:
    faults = frozenset({"429", "reset+", "500"})
    assert explore(setting, one, invocations=6, only=faults) >= 4


REFERENCES = st.sampled_from(["order-1", "order-2", "order-3"])
CHANCES = st.integers(0, 99)


class Chance(RuleBasedStateMachine):
    """Everything at once, in any order; each rule is something that the world does."""

    world: World

    @initialize(resend=st.booleans(), max_receive_count=st.sampled_from([2, 4, 8]))
    def begin(self, resend: bool, max_receive_count: int) -> None:  # noqa: FBT001 - drawn
        # "overdue": a webhook comes when this machine has it come.
        self.world = World(Setting(resend, "overdue", max_receive_count), self.fault)
        self.drawn: list[int] = []

    def fault(self, _invocation: Invocation, _name: str, faults: Sequence[str]) -> str:
        chance = self.drawn.pop() if self.drawn else 0
        return faults[chance // 2 % len(faults)] if chance % 2 else ""

    @rule(reference=REFERENCES, lapsing=st.booleans())
    def produce(self, reference: str, lapsing: bool) -> None:  # noqa: FBT001 - drawn
        fields = {"expiration": 600} if lapsing else {}
        self.world.produce(reference, "Hello", **fields)

    @precondition(lambda self: self.world.queue.messages)
    @rule(faults=st.lists(CHANCES, max_size=6), size=st.integers(1, 3))
    def deliver_what_is_visible(self, faults: list[int], size: int) -> None:
        self.drawn = faults
        self.world.deliver(self.world.queue.visible(self.world.now)[:size])

    @precondition(lambda self: self.world.queue.messages)
    @rule(faults=st.lists(CHANCES, max_size=6), number=CHANCES)
    def deliver_something_once_more(self, faults: list[int], number: int) -> None:
        self.drawn = faults
        messages = list(self.world.queue.messages.values())
        self.world.deliver([messages[number % len(messages)]])

    @rule(seconds=st.sampled_from([1, 20, 60, 500, 1000]))
    def wait(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.world.provider.accepted)
    @rule(number=CHANCES, status=st.sampled_from(["ENROUTE", "DELIVERED"]))
    def webhook(self, number: int, status: str) -> None:
        accepted = self.world.provider.accepted
        self.world.webhook(accepted[number % len(accepted)], status)

    @precondition(lambda self: self.world.queue.dead)
    @rule(number=CHANCES)
    def redrive(self, number: int) -> None:
        dead = self.world.queue.dead
        self.world.redrive([dead[number % len(dead)]])

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.drawn = []
        try:
            self.world.drain()
            self.world.check()
            self.world.tell()
            self.world.check()
        finally:
            note("\n".join(self.world.log))


TestChance = pytest.mark.timeout(900)(Chance.TestCase)  # what it finds it makes small, for up to five minutes
TestChance.settings = settings(max_examples=100, stateful_step_count=40)
