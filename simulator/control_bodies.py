"""The bodies of control requests, and reading them."""

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator.server import Request

PERSON = 4587654321

Text = Annotated[str, Field(min_length=1)]


class ControlError(ValueError):
    """A control request that cannot be carried out. The text is shown to the caller."""


class ControlBody(BaseModel):
    """A body whose fields are checked. Unknown fields are refused, because a misspelt one would have no effect."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class WebhookBody(ControlBody):
    """Where webhooks go and how they are signed. What is not given stays as it is. A null URL stops new webhooks."""

    url: str | None = None
    key: Text | None = None


class TokenBody(ControlBody):
    """The only API token that is accepted from now on."""

    token: Text


class EventBody(ControlBody):
    """Any webhook: an event with its type, or the whole envelope, or the body as text or as base64."""

    event_type: str | None = None
    event: Any = None
    envelope: Any = None
    raw: str | None = None
    raw_base64: str | None = None
    send: bool = True


class InboundBody(ControlBody):
    """A text that a person sends."""

    message: str
    sender: int = PERSON


class RepeatBody(ControlBody):
    """A webhook that was sent before, to be sent once more: as it was, or changed."""

    event_id: str
    change: Literal["none", "tampered", "aged", "wrong-key"] = "none"


class StackBody(ControlBody):
    """The name of the deployed stack that the page shows beside the simulator."""

    name: Text


class QueueBody(ControlBody):
    """A message for the stack's queue. Its body is not checked here: the stack does that."""

    body: dict[str, Any]
    urgent: bool = False


class RedriveBody(ControlBody):
    """The dead letters to put back on the queue."""

    reference: Text


AnyBody = TypeVar("AnyBody", bound=ControlBody)


def read(model: type[AnyBody], request: Request) -> AnyBody:
    """Return the body of a request, checked by a model, or raise ControlError."""
    return validated(model, read_json(request))


def validated(model: type[AnyBody], fields: object) -> AnyBody:
    """Return JSON, checked by a model, or raise ControlError."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        problems = [": ".join((*map(str, problem["loc"]), problem["msg"])) for problem in error.errors()]
        raise ControlError("; ".join(problems).replace("Value error, ", "")) from None


def read_json(request: Request) -> Any:  # noqa: ANN401 - any JSON
    """Return the body of a request, or raise ControlError if it is not JSON."""
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        raise ControlError("the body is not JSON") from None


def number(request: Request, name: str) -> int:
    """Return a parameter of the query, or 0 if it is not there."""
    text = request.query.get(name, "0")
    if not (text.isascii() and text.isdecimal()):
        raise ControlError(f"{name}: a whole number")
    return int(text)
