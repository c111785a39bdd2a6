"""Random runs, in which everything can happen in any order. Hypothesis draws them, and shortens one that fails."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from gatewayapi.clock import to_text
from tests.sender.model import trouble, webhooks
from tests.sender.model.clock import START
from tests.sender.model.ending import deliver_unstored_webhooks, settle
from tests.sender.model.parameters import Parameters
from tests.sender.model.records import LONG
from tests.sender.model.system import RECIPIENT, System
from tests.sender.model.trouble import DAMAGE, INTERRUPTIONS, TROUBLE, Plan
from tests.sender.model.webhooks import Event, Inbound

if TYPE_CHECKING:
    from tests.sender.model.invocation import Invocation
    from tests.sender.model.provider import Sent
    from tests.sender.model.queue import Queued

REFERENCES = st.sampled_from(["order-1", "order-2", "order-3"])
MAX_RUNNING = 3
MAX_CALLS = 1000
CONTENTS = st.sampled_from(["Hello", "Hello", "Hello", "Hello you", "Offer", "Offer", "Untyped", LONG])
BAD_CONTENTS = st.sampled_from(
    ["poison 500", "poison hang", "poison 400", "poison 413", "poison 422", "poison 422 naming none", "invalid"]
)
NUMBERS = st.integers(0, 99)
PLANS = st.lists(st.sampled_from(TROUBLE), max_size=4)
STATUSES = st.sampled_from(webhooks.STATUSES)


class Search(RuleBasedStateMachine):
    """One run. Each rule is something that can happen in it."""

    system: System

    @initialize(
        resend=st.booleans(),
        max_receive_count=st.sampled_from([2, 4, 8]),
        skew_s=st.sampled_from([0.0, -0.5, 0.5]),
        ulids=st.booleans(),
    )
    def begin(self, *, resend: bool, max_receive_count: int, skew_s: float, ulids: bool) -> None:
        """Set what does not change during the run."""
        parameters = Parameters(resend=resend, max_receive_count=max_receive_count)
        self.system = System(parameters, skew=timedelta(seconds=skew_s), ulids=ulids)
        self.foreign = self.many = 0

    @rule(reference=REFERENCES, content=CONTENTS, expires=st.sampled_from([None, None, 0.05, 600, "at"]))
    def produce(self, reference: str, content: str, expires: float | str | None) -> None:
        """A producer puts a message on the queue."""
        if expires == "at":
            expires = to_text(self.system.clock.now() + timedelta(minutes=1))
        self.system.produce(reference, content, **({"expiration": expires} if expires else {}))

    @rule(content=CONTENTS)
    def produce_without_a_reference(self, content: str) -> None:
        """A producer puts a message without a reference on the queue."""
        self.system.produce(None, content)

    @rule(reference=REFERENCES, content=BAD_CONTENTS)
    def produce_a_bad_message(self, reference: str, content: str) -> None:
        """A producer puts a message on the queue that cannot be sent, or makes the provider fail."""
        self.system.produce(reference, content, **({"recipient": 1} if content == "invalid" else {}))

    @rule(count=st.sampled_from([2, 5]))
    def produce_many(self, count: int) -> None:
        """A producer puts many messages on the queue."""
        for _ in range(count):
            self.many += 1
            self.system.produce(f"many-{self.many}", f"Hello {self.many}")

    @precondition(lambda self: self.system.queue.visible(self.system.clock.wall))
    @rule(plan=PLANS, size=st.sampled_from([1, 2, 100]))
    def deliver(self, plan: Plan, size: int) -> None:
        """An invocation begins and runs to its end."""
        self.play(self.system.start(self.system.queue.visible(self.system.clock.wall)[:size]), plan)

    @precondition(lambda self: self.system.queue.messages)
    @rule(plan=PLANS)
    def deliver_what_is_next(self, plan: Plan) -> None:
        """Time passes until a message is visible, and an invocation begins and runs to its end."""
        due = self.system.queue.next_visible_at()
        if due is not None:
            self.system.clock.freeze(max(0.0, (due - self.system.clock.wall).total_seconds()))
        self.play(self.system.start(self.system.queue.visible(self.system.clock.wall)), plan)

    @precondition(lambda self: self.system.queue.messages and len(self.system.running) < MAX_RUNNING)
    @rule(plan=PLANS, number=NUMBERS)
    def deliver_once_more(self, plan: Plan, number: int) -> None:
        """SQS delivers a message that it has delivered already."""
        self.play(self.system.start([self.message(number)]), plan)

    @precondition(lambda self: self.system.queue.messages and len(self.system.running) < MAX_RUNNING)
    @rule(number=NUMBERS, size=st.sampled_from([1, 2, 100]), visible=st.booleans())
    def begin_an_invocation(self, number: int, size: int, *, visible: bool) -> None:
        """An invocation begins, and waits at its first call."""
        chosen = self.system.queue.visible(self.system.clock.wall)[:size] if visible else [self.message(number)]
        self.system.start(chosen)

    @precondition(lambda self: self.system.running)
    @rule(number=NUMBERS, plan=PLANS, calls=st.integers(1, 4))
    def go_on(self, number: int, plan: Plan, calls: int) -> None:
        """A waiting invocation makes its next calls."""
        self.play(self.system.running[number % len(self.system.running)], plan, calls)

    @precondition(lambda self: self.system.running)
    @rule(number=NUMBERS)
    def kill(self, number: int) -> None:
        """Lambda ends an invocation."""
        self.system.step(self.system.running[number % len(self.system.running)], "killed")

    @rule(seconds=st.sampled_from([1, 20, 60, 500, 1000, 4000]))
    def wait(self, seconds: int) -> None:
        """Time passes. Invocations that it takes beyond their deadline are killed."""
        self.system.clock.freeze(seconds)

    @precondition(lambda self: self.accepted())
    @rule(number=NUMBERS, status=STATUSES, later_s=st.integers(0, 2), waits=st.booleans())
    def webhook(self, number: int, status: str, later_s: int, *, waits: bool) -> None:
        """The provider sends a webhook of one of our messages."""
        accepted = self.accepted()
        event = webhooks.of(accepted[number % len(accepted)], status, START + timedelta(seconds=later_s))
        invocation = self.system.webhook(event)
        if not waits or len(self.system.running) > MAX_RUNNING:
            self.system.finish(invocation)

    @rule(
        reference=REFERENCES,
        status=STATUSES,
        when=st.sampled_from([0, -100_000, 100_000, None]),
        recipient=st.sampled_from([RECIPIENT, RECIPIENT, RECIPIENT + 1]),
    )
    def webhook_of_another_system(self, reference: str, status: str, when: int | None, recipient: int) -> None:
        """The provider sends a webhook of another system's message with our reference, and maybe our recipient."""
        self.foreign += 1
        provider = self.system.provider
        msg_id = (
            f"foreign-{self.foreign}"
            if when is None
            else provider.ulid(self.system.clock.wall + timedelta(seconds=when))
        )
        event = Event(f"foreign {self.foreign}", msg_id, reference, recipient, status, START, foreign=True)
        self.system.deliver_webhook(event)

    @precondition(lambda self: self.system.unstored_webhooks)
    @rule()
    def webhook_again(self) -> None:
        """The provider tries a webhook again."""
        self.system.deliver_webhook(self.system.unstored_webhooks.pop(0))

    @rule()
    def rotate_key(self) -> None:
        """An operator makes a new webhook key."""
        self.system.rotate_key()

    @rule()
    def bad_signature(self) -> None:
        """A webhook arrives that is not signed with our key."""
        self.system.deliver_forged_webhook()

    @precondition(lambda self: self.system.queue.dead)
    @rule(number=NUMBERS)
    def redrive_one(self, number: int) -> None:
        """An operator puts a dead letter back."""
        dead = self.system.queue.dead
        self.system.redrive([dead[number % len(dead)]])

    @precondition(lambda self: self.system.queue.dead)
    @rule()
    def redrive_all(self) -> None:
        """An operator puts all dead letters back."""
        self.system.redrive(self.system.queue.dead)

    @rule(
        message=st.sampled_from(["STOP", "STOP", "START"]), ago_s=st.sampled_from([0, 0, 5, 100]), waits=st.booleans()
    )
    def inbound(self, message: str, ago_s: int, *, waits: bool) -> None:
        """A person texts STOP or START."""
        self.foreign += 1
        sent_at = self.system.clock.wall - timedelta(seconds=ago_s)
        invocation = self.system.webhook(Inbound(f"inbound {self.foreign}", RECIPIENT, message, sent_at))
        if not waits or len(self.system.running) > MAX_RUNNING:
            self.system.finish(invocation)

    @precondition(lambda self: self.system.store.items and len(self.system.running) < MAX_RUNNING)
    @rule(waits=st.booleans())
    def forget(self, *, waits: bool) -> None:
        """An operator forgets the person."""
        invocation = self.system.forget()
        if not waits:
            self.system.finish(invocation)

    @rule(resend=st.booleans())
    def change_policy(self, *, resend: bool) -> None:
        """An operator changes UncertainSends."""
        self.system.change(resend=resend)

    @rule(
        allowed=st.sampled_from([(), (), ("46",)]),
        default_sender=st.sampled_from(["Shop", "Store", ""]),
        send_mode=st.sampled_from(["Live", "Live", "Live", "DryRun", "Listed"]),
        listed=st.sampled_from([(), ("45",), ("46",)]),
        max_segments=st.sampled_from([255, 255, 1]),
        enforce_opt_outs=st.booleans(),
    )
    def change_rules(self, allowed: tuple[str, ...], listed: tuple[str, ...], **changed: Any) -> None:  # noqa: ANN401 - as in Parameters
        """An operator changes what may be sent."""
        self.system.change(allowed_prefixes=allowed, listed_recipients=listed, **changed)

    @rule(reference=REFERENCES, seconds=st.sampled_from([0.3, 5, 60]))
    def contend(self, reference: str, seconds: float) -> None:
        """Other writes to a record are under way for a while."""
        trouble.contend(self.system, reference, seconds)

    @rule(seconds=st.sampled_from([0.3, 5, 60]))
    def throttle(self, seconds: float) -> None:
        """The table is throttled for a while."""
        trouble.throttle(self.system, seconds)

    @rule(reference=REFERENCES, damage=st.sampled_from(DAMAGE))
    def damage(self, reference: str, damage: tuple[str, Any]) -> None:
        """Somebody edits a record by hand."""
        trouble.damage(self.system, reference, *damage)

    def teardown(self) -> None:
        """End the run, and check it."""
        if not hasattr(self, "system"):
            return
        try:
            if self.system.laws.first_error is None:
                settle(self.system)
                for sent in self.accepted():
                    self.system.deliver_webhook(webhooks.of(sent, "DELIVERED", START + timedelta(days=1)))
                deliver_unstored_webhooks(self.system)
        finally:
            self.system.close()

    def play(self, invocation: Invocation | None, plan: Plan, calls: int = MAX_CALLS) -> None:
        """Let an invocation make its calls. Each fault or interruption of the plan happens once, at its call."""
        left = list(plan)
        for _ in range(calls):
            call = None if invocation is None else invocation.call
            if invocation is None or call is None:
                return
            planned = next((entry for entry in left if entry[0] == call.name), None)
            fault = ""
            if planned is not None:
                left.remove(planned)
                fault = planned[1]
            if fault in INTERRUPTIONS:
                self.interrupt(invocation, fault)
            if invocation.ended:  # it timed out during the interruption
                return
            # A fault that this call cannot have is left out. For example, one entry cannot be in the wrong order.
            self.system.step(invocation, fault if fault in {*call.faults, "killed"} else "")

    def interrupt(self, invocation: Invocation, interruption: str) -> None:
        """Deliver a webhook or the same messages while an invocation waits at a call."""
        self.system.note(f"at {invocation.call and invocation.call.name}: {interruption}")
        identities = [message.identity for message in invocation.messages]
        if interruption == "webhook":
            for sent in [accepted for accepted in self.accepted() if accepted.reference in identities]:
                self.system.deliver_webhook(webhooks.of(sent, "DELIVERED", START))
        elif interruption == "another system's webhook":
            for identity in identities[:2]:
                self.foreign += 1
                msg_id = self.system.provider.ulid(self.system.clock.wall)
                event = Event(
                    f"foreign {self.foreign}", msg_id, identity, RECIPIENT, "DELIVERED", START, foreign=True
                )
                self.system.deliver_webhook(event)
        elif len(self.system.running) < MAX_RUNNING:
            most = self.system.queue.max_receive_count
            self.system.deliver([message for message in invocation.messages if message.receives < most])

    def message(self, number: int) -> Queued:
        """Return one of the queue's messages."""
        messages = list(self.system.queue.messages.values())
        return messages[number % len(messages)]

    def accepted(self) -> list[Sent]:
        """Return the messages that the provider has accepted."""
        return [sent for sent in self.system.provider.sent if sent.msg_id]
