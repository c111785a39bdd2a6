"""DynamoDB's condition and update expressions, as far as this project uses them.

A parsed expression is cached, because a search evaluates the same few expressions a million times.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Item = dict[str, Any]
# A condition or an operand. Its arguments are the item (empty if there is none), the names, and the values.
Evaluate = "Callable[[Item, dict[str, str], dict[str, Any]], Any]"

_TOKEN = re.compile(r"[#:]?[\w.#]+|<=|>=|<>|[(),<>=+-]")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "<>": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}
_FUNCTIONS = {"attribute_exists", "attribute_not_exists", "begins_with", "contains", "if_not_exists"}


@cache
def condition(text: str) -> Any:  # noqa: ANN401 - Evaluate
    """Return the function that evaluates a condition expression. Raises ValueError if it cannot be parsed."""
    tokens = _Tokens(text)
    evaluate = _or(tokens)
    if tokens.peek():
        raise ValueError(f"unread in {text!r}: {tokens.peek()}")
    return evaluate


@cache
def update(text: str) -> Any:  # noqa: ANN401 - as Evaluate, but it returns an item
    """Return the function that applies an update expression to an item and returns the new item."""
    tokens = _Tokens(text)
    sets: list[tuple[str, Any]] = []
    removes: list[str] = []
    while clause := tokens.peek():
        tokens.take("SET", "REMOVE")
        while True:
            name = tokens.take()
            if clause == "SET":
                tokens.take("=")
                sets.append((name, _sum(tokens)))
            else:
                removes.append(name)
            if tokens.peek() != ",":
                break
            tokens.take(",")

    def evaluate(old: Item, names: dict[str, str], values: dict[str, Any]) -> Item:
        new = dict(old)
        for name, value in sets:
            new[names.get(name, name)] = value(old, names, values)
        for path in removes:
            _remove(new, [names.get(name, name) for name in path.split(".")])
        return new

    return evaluate


def _remove(item: Item, path: list[str]) -> None:
    """Remove an attribute, or one inside of a map. The map is copied, so that the old item stays unchanged."""
    name, *inner = path
    if not inner:
        item.pop(name, None)
    elif name in item:
        item[name] = {"M": dict(item[name]["M"])}
        _remove(item[name]["M"], inner)


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise ValueError(f"unreadable: {text!r}")
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        if not token or (expected and token not in expected):
            raise ValueError(f"{token!r} is not one of {expected}")
        self._next += 1
        return token


def _or(tokens: _Tokens) -> Any:  # noqa: ANN401 - Evaluate, here and below
    parts = [_and(tokens)]
    while tokens.peek() == "OR":
        tokens.take()
        parts.append(_and(tokens))
    return parts[0] if len(parts) == 1 else lambda *given: any(part(*given) for part in parts)


def _and(tokens: _Tokens) -> Any:  # noqa: ANN401
    parts = [_not(tokens)]
    while tokens.peek() == "AND":
        tokens.take()
        parts.append(_not(tokens))
    return parts[0] if len(parts) == 1 else lambda *given: all(part(*given) for part in parts)


def _not(tokens: _Tokens) -> Any:  # noqa: ANN401
    if tokens.peek() == "NOT":
        tokens.take()
        inner = _not(tokens)
        return lambda *given: not inner(*given)
    if tokens.peek() == "(":
        tokens.take()
        inner = _or(tokens)
        tokens.take(")")
        return inner
    return _comparison(tokens)


def _comparison(tokens: _Tokens) -> Any:  # noqa: ANN401
    left = _sum(tokens)
    sign = tokens.peek()
    if sign == "IN":
        tokens.take()
        choices = list(_arguments(tokens))
        return lambda *given: left(*given) in [choice(*given) for choice in choices]
    if sign == "BETWEEN":
        tokens.take()
        low = _sum(tokens)
        tokens.take("AND")
        high = _sum(tokens)
        return lambda *given: _compare(">=", left, low, given) and _compare("<=", left, high, given)
    if sign in _COMPARE:
        tokens.take()
        right = _sum(tokens)
        return lambda *given: _compare(sign, left, right, given)
    return left  # a function


def _compare(sign: str, left: Any, right: Any, given: tuple[Any, ...]) -> bool:  # noqa: ANN401
    one, other = left(*given), right(*given)
    if one is None or other is None:
        return sign == "<>" and one is not other
    if one.keys() != other.keys():
        return sign == "<>"
    (kind,) = one
    if kind == "N":
        return _COMPARE[sign](Decimal(one["N"]), Decimal(other["N"]))
    return _COMPARE[sign](one[kind], other[kind])


def _sum(tokens: _Tokens) -> Any:  # noqa: ANN401
    left = _operand(tokens)
    if tokens.peek() not in {"+", "-"}:
        return left
    sign, right = tokens.take(), _operand(tokens)

    def add(*given: Any) -> Item:  # noqa: ANN401
        one, other = Decimal(left(*given)["N"]), Decimal(right(*given)["N"])
        return {"N": str(one + other if sign == "+" else one - other)}

    return add


def _operand(tokens: _Tokens) -> Any:  # noqa: ANN401
    token = tokens.take()
    if token in _FUNCTIONS:
        return _function(token, list(_arguments(tokens)))
    if token.startswith(":"):
        return lambda _item, _names, values: values[token]
    if "." in token:
        raise ValueError(f"a path, which no condition of this project has: {token}")
    return lambda item, names, _values: item.get(names.get(token, token))


def _arguments(tokens: _Tokens) -> Iterator[Any]:
    tokens.take("(")
    while True:
        yield _sum(tokens)
        if tokens.take(",", ")") == ")":
            return


def _function(name: str, arguments: list[Any]) -> Any:  # noqa: ANN401
    first, *rest = arguments
    if name == "attribute_exists":
        return lambda *given: first(*given) is not None
    if name == "attribute_not_exists":
        return lambda *given: first(*given) is None
    if name == "if_not_exists":
        return lambda *given: found if (found := first(*given)) is not None else rest[0](*given)
    test = str.startswith if name == "begins_with" else str.__contains__

    def found_in(*given: Any) -> bool:  # noqa: ANN401
        value = first(*given)
        return value is not None and "S" in value and bool(test(value["S"], rest[0](*given)["S"]))

    return found_in
