"""The calls that AWS clients make: counted, and on order refused, lost on the way back, or watched.

It sits in botocore's own events, so that what is under test is the client and the code around it as they are.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from botocore.exceptions import ReadTimeoutError

Act = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that a service answers instead of doing what it was asked."""

    code: str
    status: int = HTTPStatus.BAD_REQUEST
    reasons: tuple[dict[str, Any], ...] | None = None

    def response(self) -> tuple["_Http", dict[str, Any]]:
        """Return what botocore takes for an answer."""
        parsed: dict[str, Any] = {
            "Error": {"Code": self.code, "Message": "on order"},
            "ResponseMetadata": {"HTTPStatusCode": self.status},
        }
        if self.reasons is not None:
            parsed["CancellationReasons"] = list(self.reasons)
        return _Http(self.status), parsed


@dataclass(frozen=True, slots=True)
class _Http:
    status_code: int


@dataclass(slots=True)
class _Order:
    act: Act
    skip: int
    left: int | None

    def due(self) -> bool:
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
            return self.left >= 0
        return True


class Calls:
    """Every call of some clients by its operation's name, from entering to leaving."""

    def __init__(self, clients: Iterable[Any]) -> None:
        self._clients = list(clients)
        self._orders: dict[tuple[str, str], list[_Order]] = {}
        self._latest: dict[str, Any] = {}
        self.made: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> Self:
        for client in self._clients:
            events, name = client.meta.events, client.meta.service_model.service_id.hyphenize()
            events.register(f"provide-client-params.{name}", self._note)
            events.register(f"before-call.{name}", self._before)
            events.register(f"after-call.{name}", self._after)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            events, name = client.meta.events, client.meta.service_model.service_id.hyphenize()
            events.unregister(f"provide-client-params.{name}", self._note)
            events.unregister(f"before-call.{name}", self._before)
            events.unregister(f"after-call.{name}", self._after)

    def counts(self) -> Counter[str]:
        """How often each operation was called; a client's own repetitions are one call."""
        return Counter(operation for operation, _ in self.made)

    def parameters(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of each call of an operation, in order."""
        return [parameters for name, parameters in self.made if name == operation]

    def forget(self) -> None:
        """Start counting again; orders stay."""
        self.made.clear()

    def refuse(self, operation: str, refusal: Refusal, *, skip: int = 0, count: int | None = 1) -> None:
        """Have `count` calls after the first `skip` refused; None refuses all of them."""
        self.before(operation, lambda _: refusal.response(), skip=skip, count=count)

    def stop(self) -> None:
        """Let all further calls through."""
        self._orders.clear()

    def lose_answer(self, operation: str, *, skip: int = 0, count: int | None = 1) -> None:
        """Have calls done, and their answers lost."""

        def lose(_: dict[str, Any]) -> None:
            raise ReadTimeoutError(endpoint_url="http://lost.invalid")

        self.after(operation, lose, skip=skip, count=count)

    def before(self, operation: str, act: Act, *, skip: int = 0, count: int | None = 1) -> None:
        """Run `act` with a call's parameters before it is made; what it returns or raises stands for the call."""
        self._orders.setdefault(("before", operation), []).append(_Order(act, skip, count))

    def after(self, operation: str, act: Act, *, skip: int = 0, count: int | None = 1) -> None:
        """Run `act` with a call's answer once it has been made; what it raises is what the caller sees."""
        self._orders.setdefault(("after", operation), []).append(_Order(act, skip, count))

    def _note(self, params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's own
        self._latest = params
        self.made.append((model.name, params))

    def _before(self, model: Any, **_: object) -> Any:  # noqa: ANN401 - botocore's own
        return self._act("before", model.name, self._latest)

    def _after(self, model: Any, parsed: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's own
        self._act("after", model.name, parsed)

    def _act(self, moment: str, operation: str, given: dict[str, Any]) -> Any:  # noqa: ANN401 - the act's own
        for order in self._orders.get((moment, operation), ()):
            if order.due():
                return order.act(given)
        return None
