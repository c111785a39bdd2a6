"""The requests of one invocation: one for the whole batch, and more only where a refusal splits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import timing
from gatewayapi.errors import (
    RefusedError,
    SecretError,
    SendError,
    TokenRefusedError,
    UnknownOutcomeError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatewayapi.client import Accepted, Client
    from gatewayapi.secrets import Secret

Fields = dict[str, Any]


def send(
    messages: Sequence[Fields], *, client: Client, token: Secret, remaining_s: Callable[[], float]
) -> dict[str, Accepted | SendError | SecretError]:
    """Send messages, each with a reference of its own, and return by reference what became of each.

    After anything but an acceptance or a refusal of single messages, no further request goes out: the provider is
    in trouble or turning us away, and what was not sent is safe to send later.
    """
    results: dict[str, Accepted | SendError | SecretError] = {}
    groups = [list(messages)]
    renewed = False
    while groups:
        group = groups.pop(0)
        try:
            client.token = token.current()
            results |= _request(group, client, remaining_s())
        except RefusedError as refused:
            named = _named(group, refused)
            results |= named
            others = [fields for fields in group if fields["reference"] not in named]
            # Named: the rest goes at once, together. Nobody named: each alone, to find out who is meant.
            groups = ([others] if named else [[fields] for fields in others]) + groups
            groups = [rest for rest in groups if rest]
        except TokenRefusedError as refused:
            if not renewed and _renew(token):
                renewed = True
                groups.insert(0, group)
                continue
            return results | _unsent([group, *groups], refused)
        except UnknownOutcomeError as unknown:
            results |= _unsent([group], unknown)
            return results | _unsent(groups, UnreachableError("not sent after a request without an answer"))
        except (SendError, SecretError) as error:
            return results | _unsent([group, *groups], error)
    return results


def _request(group: Sequence[Fields], client: Client, remaining_s: float) -> dict[str, Accepted | SendError]:
    timeout_s = timing.request_s(remaining_s)
    if timeout_s is None:
        raise UnreachableError("no time left in this invocation")
    if len(group) == 1:
        return {group[0]["reference"]: client.send(group[0], timeout_s=timeout_s)}
    entries = client.send_many(group, timeout_s=timeout_s)
    missing = UnknownOutcomeError("the acceptance leaves this message out")
    return {fields["reference"]: entry or missing for fields, entry in zip(group, entries, strict=True)}


def _named(group: Sequence[Fields], refused: RefusedError) -> dict[str, RefusedError]:
    """Return the messages that a refusal is about: those it names, or the one that was alone."""
    if len(group) == 1:
        return {group[0]["reference"]: refused}
    indexes = {finding.index for finding in refused.refusals}
    return {
        fields["reference"]: RefusedError(tuple(f for f in refused.refusals if f.index == index))
        for index, fields in enumerate(group)
        if index in indexes
    }


def _renew(token: Secret) -> bool:
    """Read the token again, and return whether it is another one; an unchanged one is not worth a request."""
    known = token.current()
    try:
        return token.renew() != known
    except SecretError:
        return False


def _unsent(
    groups: Sequence[Sequence[Fields]], error: SendError | SecretError
) -> dict[str, Accepted | SendError | SecretError]:
    return {fields["reference"]: error for group in groups for fields in group}
