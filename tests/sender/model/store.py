"""A DynamoDB table in memory, with the calls that the code makes, and with conflicts and throttling.

A search makes some hundred thousand calls, and moto is too slow for that. `test_model.py` compares it with moto.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tests.sender.model import expressions

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.sender.model.expressions import Item

Key = tuple[str, str]
MAX_WRITES = 100
MAX_READS = 100
# A page of DynamoDB ends at 1 MB. With a short page, the tests show whether the code reads the next one.
PAGE = 2


class TransactionCanceledError(ClientError):
    """A write of a transaction failed, so none was made."""


class Store:
    """The items of one table by key. `watch` is called with the key, the old item and the new item of each write."""

    exceptions = SimpleNamespace(TransactionCanceledException=TransactionCanceledError)

    def __init__(
        self,
        now: Callable[[], datetime] | None = None,
        watch: Callable[[Key, Item, Item], None] = lambda _key, _old, _new: None,
    ) -> None:
        self.items: dict[Key, Item] = {}
        self.contended: dict[Key, datetime] = {}  # until when writes to an item conflict
        self.throttled_until: datetime | None = None
        self.half_processed = False  # the next read of a batch leaves half of it out
        self._now = now
        self._watch = watch

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]], **_: object) -> dict[str, Any]:  # noqa: N803 - botocore's name
        """Make all writes, or none."""
        writes = [next(iter(item.items())) for item in TransactItems]
        keys = [_key(write.get("Item") or write["Key"]) for _, write in writes]
        if not 1 <= len(keys) <= MAX_WRITES or len(set(keys)) < len(keys):
            raise error("ValidationException", 400, "TransactWriteItems")
        reasons = [self._reason(key, write) for key, (_, write) in zip(keys, writes, strict=True)]
        if any(reason["Code"] != "None" for reason in reasons):
            raise error(
                "TransactionCanceledException",
                400,
                "TransactWriteItems",
                kind=TransactionCanceledError,
                CancellationReasons=reasons,
            )
        for key, (kind, write) in zip(keys, writes, strict=True):
            self._write(key, kind, write)
        return {}

    def update_item(self, **write: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's parameters
        """Update one item."""
        return self._single("Update", write)

    def put_item(self, **write: Any) -> dict[str, Any]:  # noqa: ANN401
        """Put one item."""
        return self._single("Put", write)

    def get_item(self, *, Key: Item, **_: object) -> dict[str, Any]:  # noqa: N803
        """Read one item."""
        item = self.items.get(_key(Key))
        return {} if item is None else {"Item": dict(item)}

    def query(self, *, ExclusiveStartKey: Item | None = None, **request: Any) -> dict[str, Any]:  # noqa: N803, ANN401
        """Read the items of one partition, in order, a page of them."""
        matches = expressions.condition(request["KeyConditionExpression"])
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        if "IndexName" in request:
            listed = [item for item in self.items.values() if "phone_number" in item and matches(item, names, values)]
            return {"Items": sorted(listed, key=lambda item: str(item["recorded_at"]["S"]), reverse=True)}
        found = [self.items[key] for key in sorted(self.items) if matches(self.items[key], names, values)]
        if ExclusiveStartKey is not None:
            found = [item for item in found if _key(item) > _key(ExclusiveStartKey)]
        page = found[: min(PAGE, request.get("Limit", PAGE))]
        more = {"LastEvaluatedKey": {"pk": page[-1]["pk"], "sk": page[-1]["sk"]}} if len(found) > len(page) else {}
        return {"Items": [dict(item) for item in page], "Count": len(page), **more}

    def batch_get_item(self, *, RequestItems: dict[str, Any], **_: object) -> dict[str, Any]:  # noqa: N803
        """Read items by their keys."""
        ((table, request),) = RequestItems.items()
        keys = [_key(key) for key in request["Keys"]]
        if not 1 <= len(keys) <= MAX_READS or len(set(keys)) < len(keys):
            raise error("ValidationException", 400, "BatchGetItem")
        kept = keys[: (len(keys) + 1) // 2] if self.half_processed and len(keys) > 1 else keys
        rest = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys[len(kept) :]]
        self.half_processed = False
        return {
            "Responses": {table: [dict(self.items[key]) for key in kept if key in self.items]},
            "UnprocessedKeys": {table: request | {"Keys": rest}} if rest else {},
        }

    def is_contended(self, key: Key) -> bool:
        """Return whether a write to this item conflicts with another one now."""
        return key in self.contended and self._now is not None and self._now() < self.contended[key]

    def is_throttled(self) -> bool:
        """Return whether the table is throttled now."""
        return self.throttled_until is not None and self._now is not None and self._now() < self.throttled_until

    def had_failure_since(self, key: Key, since: datetime) -> bool:
        """Return whether writes to an item conflicted or were throttled after this time."""
        until = [self.throttled_until, self.contended.get(key)]
        return any(moment is not None and moment > since for moment in until)

    def key_to_contend(self, request: dict[str, Any]) -> Key:
        """Return the key at which a request meets a conflict: that of its first message record."""
        writes = [next(iter(item.values())) for item in request.get("TransactItems", [{"Update": request}])]
        keys = [_key(write.get("Item") or write["Key"]) for write in writes if "Item" in write or "Key" in write]
        return next((key for key in keys if key[1] == "MESSAGE"), keys[0] if keys else ("", ""))

    def _single(self, kind: str, write: dict[str, Any]) -> dict[str, Any]:
        key = _key(write.get("Item") or write["Key"])
        reason = self._reason(key, write)
        if reason["Code"] != "None":
            code = f"{reason['Code']}Exception"
            raise error(code, 400, f"{kind}Item", **({"Item": reason["Item"]} if "Item" in reason else {}))
        self._write(key, kind, write)
        return {}

    def _reason(self, key: Key, write: dict[str, Any]) -> dict[str, Any]:
        if self.is_throttled():
            return {"Code": "ThrottlingError", "Message": "the model's"}
        if self.is_contended(key):
            return {"Code": "TransactionConflict", "Message": "the model's"}
        item = self.items.get(key, {})
        names, values = write.get("ExpressionAttributeNames", {}), write.get("ExpressionAttributeValues", {})
        text = write.get("ConditionExpression")
        if text is None or expressions.condition(text)(item, names, values):
            return {"Code": "None"}
        shown = {"Item": dict(item)} if item and write.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
        return {"Code": "ConditionalCheckFailed", "Message": "the model's", **shown}

    def _write(self, key: Key, kind: str, write: dict[str, Any]) -> None:
        old = self.items.get(key, {})
        if kind == "ConditionCheck":
            return
        if kind == "Delete":
            self.items.pop(key, None)
            return
        names, values = write.get("ExpressionAttributeNames", {}), write.get("ExpressionAttributeValues", {})
        new = (
            write["Item"]
            if kind == "Put"
            else expressions.update(write["UpdateExpression"])(old or write["Key"], names, values)
        )
        self.items[key] = new
        self._watch(key, old, new)


def error(code: str, status: int, operation: str, kind: type[ClientError] = ClientError, **more: Any) -> ClientError:  # noqa: ANN401 - as the service answers
    """Return an AWS error in botocore's form."""
    response: Any = {
        "Error": {"Code": code, "Message": "the model's"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return kind(response, operation)


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]
