"""The routes of the control API that the page uses: what it shows, and what it does with a deployed stack."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator import orders, page_data
from simulator.errors import ControlError
from simulator.server import Request

if TYPE_CHECKING:
    from simulator.control import Control


def _conversations(control: "Control", request: Request) -> object:
    # A cursor of an earlier run, before a restart or a reset, is of no use.
    current = request.query.get("run", control.api.conversations.run) == control.api.conversations.run
    since = orders.number(request, "since") if current else 0
    shown = page_data.conversations(control.api, since) | {"url": control.url}
    if control.stack is None:
        return shown
    try:
        return shown | control.stack.changes(orders.number(request, "records_since") if current else 0)
    except ControlError as error:
        return shown | {"problem": str(error)}


def _request_details(control: "Control", request: Request) -> object:
    return page_data.request(control.api, orders.number(request, "number"))


def _message_details(control: "Control", request: Request) -> object:
    return page_data.message(control.api, request.query.get("id", ""))


def _show_stack(control: "Control", request: Request) -> object:
    control.show_stack(orders.read(orders.StackOrder, request).name)
    return {}


def _stack_message(control: "Control", request: Request) -> object:
    return control.connected_stack().message(request.query.get("reference", ""))


def _dead_letters(control: "Control", _request: Request) -> object:
    return {"dead_letters": control.connected_stack().dead_letters()}


def _redrive(control: "Control", request: Request) -> object:
    return {"redriven": control.connected_stack().redrive(orders.read(orders.RedriveOrder, request).reference)}


def _put_on_queue(control: "Control", request: Request) -> object:
    order = orders.read(orders.QueueOrder, request)
    return {"message_id": control.connected_stack().put_on_queue(order.body, urgent=order.urgent)}


PAGE_ROUTES: dict[str, dict[str, Callable[["Control", Request], object]]] = {
    "conversations": {"GET": _conversations},
    "message": {"GET": _message_details},
    "request": {"GET": _request_details},
    "stack": {"POST": _show_stack},
    "stack-message": {"GET": _stack_message},
    "dead-letters": {"GET": _dead_letters},
    "redrive": {"POST": _redrive},
    "queue": {"POST": _put_on_queue},
}
