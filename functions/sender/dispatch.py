"""Send messages: one request for those that are not in doubt, then one request for each message in doubt.

If the request for a message in doubt fails, no other message becomes uncertain.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

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
    from collections.abc import Callable, Mapping, Sequence

    from gatewayapi.client import Accepted, Client
    from gatewayapi.secrets import Secret

Fields = dict[str, Any]
Results = dict[str, "Accepted | SendError | SecretError"]


class _Request(NamedTuple):
    """Messages that are sent together. `in_doubt` is true if an earlier request for them may have been accepted."""

    messages: Sequence[Fields]
    in_doubt: bool = False


def send(
    messages: Sequence[Fields],
    in_doubt: Sequence[Fields],
    *,
    provider: Client,
    token: Secret,
    remaining_s: Callable[[], float],
) -> Results:
    """Send messages, each with a reference of its own, and return the results by reference.

    If the provider refuses the token, the token is read again, and the request is repeated once if the token has
    changed. If the token is refused again, or if the provider refuses a request temporarily or cannot be reached, no
    further request is made. The remaining messages can be sent later. If an answer is lost, only messages that were
    in doubt before are still sent. These are sent in random order, so that a message that always fails does not
    always delay the same others.
    """
    shuffled = random.sample(list(in_doubt), len(in_doubt))
    requests = [_Request(messages), *(_Request([fields], in_doubt=True) for fields in shuffled)]
    results: Results = {}
    token_was_read_again = False
    answer_was_lost = False
    while requests:
        request = requests.pop(0)
        if not request.messages:
            continue
        if answer_was_lost and not request.in_doubt:
            results |= _failed([request], UnreachableError("not sent, because an earlier request got no answer"))
            continue
        try:
            results |= _send(request.messages, provider, token.current(), remaining_s())
        except RefusedError as refused:
            named = _named(request.messages, refused)
            results |= named
            requests = _split(request, named) + requests
        except TokenRefusedError as refused:
            if not token_was_read_again and _read_again(token):
                token_was_read_again = True
                requests.insert(0, request)
                continue
            return results | _failed([request, *requests], refused)
        except UnknownOutcomeError as unknown:
            results |= _failed([request], unknown)
            answer_was_lost = True
        except (SendError, SecretError) as error:
            return results | _failed([request, *requests], error)
    return results


def _send(
    messages: Sequence[Fields], provider: Client, token: str, remaining_s: float
) -> Mapping[str, Accepted | SendError]:
    timeout_s = timing.request_timeout_s(remaining_s)
    if timeout_s is None:
        raise UnreachableError("no time left in this invocation")
    if len(messages) == 1:
        return {messages[0]["reference"]: provider.send(messages[0], token=token, timeout_s=timeout_s)}
    entries = provider.send_many(messages, token=token, timeout_s=timeout_s)
    missing = UnknownOutcomeError("the acceptance does not contain this message")
    return {fields["reference"]: entry or missing for fields, entry in zip(messages, entries, strict=True)}


def _named(messages: Sequence[Fields], refused: RefusedError) -> dict[str, RefusedError]:
    """Return the refused messages: those that the refusal names, or the only message of the request."""
    if len(messages) == 1:
        return {messages[0]["reference"]: refused}
    findings = {
        index: tuple(finding for finding in refused.findings if finding.message_index == index)
        for index in range(len(messages))
    }
    return {
        fields["reference"]: RefusedError(refused.status, findings[index])
        for index, fields in enumerate(messages)
        if findings[index]
    }


def _split(request: _Request, named: Mapping[str, RefusedError]) -> list[_Request]:
    """Return the requests for the messages that a refusal does not name."""
    others = [fields for fields in request.messages if fields["reference"] not in named]
    if named:
        return [_Request(others, request.in_doubt)]
    # No message is named: send each alone, to find the one that is refused.
    return [_Request([fields], request.in_doubt) for fields in others]


def _read_again(token: Secret) -> bool:
    """Read the token again, and return whether it has changed."""
    refused = token.current()
    try:
        return token.refresh_current() != refused
    except SecretError:
        return False


def _failed(requests: Sequence[_Request], error: SendError | SecretError) -> Results:
    return {fields["reference"]: error for request in requests for fields in request.messages}
