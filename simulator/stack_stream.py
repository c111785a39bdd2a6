"""The newest records of a stack's table, from its stream."""

from typing import Any

from tools.records import Values, plain

NEWEST = 2000
CHANGES = 50  # per partition key
PAGES = 20  # per read, so that a long stream does not hold up the page

Fields = dict[str, Any]


class Stream:
    """A DynamoDB stream, read as far as it has grown by every `read`."""

    def __init__(self, client: Any, arn: str) -> None:  # noqa: ANN401 - a botocore client
        self.cursor = 0
        self._client = client
        self._arn = arn
        self._iterators: dict[str, str | None] = {}
        self._records: dict[str, tuple[int, Fields]] = {}
        self._changes: dict[str, list[Fields]] = {}
        self._opt_outs: dict[str, str] = {}

    def read(self) -> None:
        """Read what is new in all shards."""
        description = self._client.describe_stream(StreamArn=self._arn)["StreamDescription"]
        for shard in description["Shards"]:
            shard_id = shard["ShardId"]
            if shard_id not in self._iterators:
                self._iterators[shard_id] = self._client.get_shard_iterator(
                    StreamArn=self._arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
            for _ in range(PAGES):
                iterator = self._iterators[shard_id]
                if iterator is None:  # the shard has ended
                    break
                page = self._client.get_records(ShardIterator=iterator)
                self._iterators[shard_id] = page.get("NextShardIterator")
                for entry in page["Records"]:
                    if image := entry["dynamodb"].get("NewImage"):
                        self._add(plain(image))
                if not page["Records"]:
                    break

    def records_since(self, cursor: int) -> list[Fields]:
        """Return the records that changed after a cursor, oldest change first."""
        return [record for version, record in self._records.values() if version > cursor]

    def changes_of(self, reference: str) -> list[Fields]:
        """Return the states that a message has had and the events stored under the same key, oldest first."""
        return list(self._changes.get(reference, []))

    def opt_outs(self) -> list[Fields]:
        """Return the opt-out state of every number that has one."""
        return [{"number": number, "status": status} for number, status in self._opt_outs.items()]

    def _add(self, item: Values) -> None:
        self.cursor += 1
        key = str(item["pk"])
        match item.get("record_type"):
            case "opt_out":
                self._opt_outs[key.removeprefix("OPT_OUT#")] = str(item["status"])
            case "event":
                status = item.get("status") or item.get("event_type")
                self._add_change(key, {"event": True, "status": status, "updated_at": item.get("received_at")})
            case "message":
                self._add_message(key, item)

    def _add_message(self, reference: str, item: Values) -> None:
        number = item.get("recipient") or item.get("phone_number")
        texts = {name: item.get(name) for name in ("status", "sender", "queued_at", "updated_at", "error")}
        record = {"reference": reference, "number": int(number) if number else None, **texts}
        self._records.pop(reference, None)
        self._records[reference] = (self.cursor, record)
        if len(self._records) > NEWEST:
            del self._records[next(iter(self._records))]
        change = {name: texts[name] for name in ("status", "updated_at", "error")}
        self._add_change(reference, {"attempts": int(item.get("attempts") or 0), **change})

    def _add_change(self, key: str, change: Fields) -> None:
        changes = self._changes.setdefault(key, [])
        changes.append(change)
        del changes[:-CHANGES]
        if len(self._changes) > NEWEST:
            del self._changes[next(iter(self._changes))]
