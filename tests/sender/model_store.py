"""A DynamoDB in memory: the transactions that the table's code makes, and nothing else.

The search of the model makes some hundred thousand of them, for which moto takes too long. That it answers as moto
does is tested in test_model_store.py, on the same calls.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]
Key = tuple[str, str]
# A condition or an operand, given the item (empty where there is none), the names, and the values.
Meaning = Callable[[Item, dict[str, str], dict[str, Any]], Any]

_TOKEN = re.compile(r"[#:]?\w+|[(),]|[<>=]")


class TransactionCanceledError(ClientError):
    """At least one condition does not hold."""


class Store:
    """The items of one table by key. `watch` sees every item that is written, with the one before it."""

    exceptions = SimpleNamespace(TransactionCanceledException=TransactionCanceledError)

    def __init__(self, watch: Callable[[Item, Item], None] = lambda _old, _new: None) -> None:
        self.items: dict[Key, Item] = {}
        self._watch = watch

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803 - botocore's name
        """Do all writes, or none."""
        writes = [next(iter(item.items())) for item in TransactItems]
        keys = [_key(write.get("Item") or write["Key"]) for _, write in writes]
        if not 1 <= len(keys) <= 100 or len(set(keys)) < len(keys):
            raise _error(ClientError, "ValidationException")
        reasons = [self._reason(key, write) for key, (_, write) in zip(keys, writes, strict=True)]
        if any(reason["Code"] != "None" for reason in reasons):
            raise _error(TransactionCanceledError, "TransactionCanceledException", CancellationReasons=reasons)
        for key, (kind, write) in zip(keys, writes, strict=True):
            old = self.items.get(key, {})
            new = write["Item"] if kind == "Put" else _updated(old or write["Key"], write)
            self.items[key] = new
            self._watch(old, new)

    def _reason(self, key: Key, write: dict[str, Any]) -> dict[str, Any]:
        item = self.items.get(key, {})
        names, values = write.get("ExpressionAttributeNames", {}), write.get("ExpressionAttributeValues", {})
        if condition(write["ConditionExpression"])(item, names, values):
            return {"Code": "None"}
        shown = {"Item": item} if item and write.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
        return {"Code": "ConditionalCheckFailed", **shown}


@cache
def condition(text: str) -> Meaning:
    """Return what a condition expression means."""
    tokens = _Tokens(_TOKEN.findall(text))
    meaning = _either(tokens)
    if tokens.peek():
        raise ValueError(f"unread in a condition: {tokens.peek()}")
    return meaning


class _Tokens:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens

    def peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def take(self, *expected: str) -> str:
        token = self._tokens.pop(0)
        if expected and token not in expected:
            raise ValueError(f"{token} is not one of {expected}")
        return token


def _either(tokens: _Tokens) -> Meaning:
    parts = [_both(tokens)]
    while tokens.peek() == "OR":
        tokens.take()
        parts.append(_both(tokens))
    return lambda *given: any(part(*given) for part in parts)


def _both(tokens: _Tokens) -> Meaning:
    parts = [_single(tokens)]
    while tokens.peek() == "AND":
        tokens.take()
        parts.append(_single(tokens))
    return lambda *given: all(part(*given) for part in parts)


def _single(tokens: _Tokens) -> Meaning:
    token = tokens.take()
    if token == "NOT":
        inner = _single(tokens)
        return lambda *given: not inner(*given)
    if token == "(":
        inner = _either(tokens)
        tokens.take(")")
        return inner
    if token in {"attribute_exists", "attribute_not_exists"}:
        tokens.take("(")
        there = _operand(tokens.take())
        tokens.take(")")
        wanted = token == "attribute_exists"
        return lambda *given: (there(*given) is not None) is wanted
    left, sign = _operand(token), tokens.take("=", "<", "IN")
    if sign == "IN":
        choices = list(_operands(tokens))
        return lambda *given: left(*given) in [choice(*given) for choice in choices]
    right = _operand(tokens.take())
    if sign == "=":
        return lambda *given: left(*given) is not None and left(*given) == right(*given)
    return lambda *given: left(*given) is not None and left(*given)["S"] < right(*given)["S"]


def _operands(tokens: _Tokens) -> Iterator[Meaning]:
    while tokens.take("(", ",", ")") != ")":
        yield _operand(tokens.take())
        if tokens.peek() == ")":
            tokens.take()
            return


def _operand(token: str) -> Meaning:
    if token.startswith(":"):
        return lambda _item, _names, values: values[token]
    return lambda item, names, _values: item.get(names.get(token, token))


def _updated(old: Item, write: dict[str, Any]) -> Item:
    names, values = write["ExpressionAttributeNames"], write["ExpressionAttributeValues"]
    new = dict(old)
    sets, _, removes = write["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
    for name, new_value, if_absent in re.findall(r"(#?\w+) = (?:(:\w+)|if_not_exists\(\w+, (:\w+)\))", sets):
        attribute = names.get(name, name)
        if new_value or attribute not in old:
            new[attribute] = values[new_value or if_absent]
    for name in filter(None, removes.split(", ")):
        new.pop(names.get(name, name), None)
    return new


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _error(kind: type[ClientError], code: str, **more: Any) -> ClientError:  # noqa: ANN401 - as the service answers
    response: Any = {"Error": {"Code": code, "Message": "the model's"}, **more}
    return kind(response, "TransactWriteItems")
