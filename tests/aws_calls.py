"""Records the calls of AWS clients. A test can refuse calls, lose their responses, or run code before and after them.

It uses botocore's events, so the clients and the code under test stay unchanged.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from botocore.exceptions import ReadTimeoutError

Action = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response of a service."""

    code: str
    status: int = HTTPStatus.BAD_REQUEST
    reasons: tuple[dict[str, Any], ...] | None = None

    def response(self) -> tuple["_Http", dict[str, Any]]:
        """Return the response in botocore's form."""
        parsed: dict[str, Any] = {
            "Error": {"Code": self.code, "Message": "ordered by the test"},
            "ResponseMetadata": {"HTTPStatusCode": self.status},
        }
        if self.reasons is not None:
            parsed["CancellationReasons"] = list(self.reasons)
        return _Http(self.status), parsed


def cancelled(*codes: str) -> Refusal:
    """Return the cancellation of a transaction, with a code for each of its items."""
    return Refusal("TransactionCanceledException", reasons=tuple({"Code": code} for code in codes))


@dataclass(frozen=True, slots=True)
class _Http:
    status_code: int


@dataclass(slots=True)
class _Order:
    action: Action
    skip: int
    left: int | None

    def applies(self) -> bool:
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
            return self.left >= 0
        return True


class Calls:
    """The calls of some clients by operation, within a `with` block."""

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
        """Return how often each operation was called. A client's own retries count as one call."""
        return Counter(operation for operation, _ in self.made)

    def parameters(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of an operation's calls, in order."""
        return [parameters for name, parameters in self.made if name == operation]

    def forget(self) -> None:
        """Clear the list of calls. Planned actions stay."""
        self.made.clear()

    def refuse(self, operation: str, refusal: Refusal, *, skip: int = 0, count: int | None = 1) -> None:
        """Refuse `count` calls after the first `skip`. None refuses all."""
        self.before(operation, lambda _: refusal.response(), skip=skip, count=count)

    def stop(self) -> None:
        """Let all further calls through."""
        self._orders.clear()

    def lose_answer(self, operation: str, *, skip: int = 0, count: int | None = 1) -> None:
        """Execute calls, and lose their responses."""

        def lose(_: dict[str, Any]) -> None:
            raise ReadTimeoutError(endpoint_url="http://lost.invalid")

        self.after(operation, lose, skip=skip, count=count)

    def before(self, operation: str, action: Action, *, skip: int = 0, count: int | None = 1) -> None:
        """Run `action` with the parameters before a call. What it returns or raises replaces the call."""
        self._orders.setdefault(("before", operation), []).append(_Order(action, skip, count))

    def after(self, operation: str, action: Action, *, skip: int = 0, count: int | None = 1) -> None:
        """Run `action` with the response after a call. If it raises an error, the caller gets it."""
        self._orders.setdefault(("after", operation), []).append(_Order(action, skip, count))

    def _note(self, params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's signature
        self._latest = params
        self.made.append((model.name, params))

    def _before(self, model: Any, **_: object) -> Any:  # noqa: ANN401 - botocore's signature
        return self._run("before", model.name, self._latest)

    def _after(self, model: Any, parsed: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's signature
        self._run("after", model.name, parsed)

    def _run(self, moment: str, operation: str, given: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the action returns
        for order in self._orders.get((moment, operation), ()):
            if order.applies():
                return order.action(given)
        return None
