"""The table's stream, read as it grows, for a person who watches. A consumer is a Lambda function instead."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from gatewayapi.errors import RecordError
from gatewayapi.stream import Change, changes

BETWEEN_S = 0.2


def follow(streams: Any, stream_arn: str) -> Iterator[Change | None]:  # noqa: ANN401 - a botocore client
    """Yield each change from the stream's beginning, and None whenever there is nothing new for a moment.

    `streams` is a `dynamodbstreams` client. The iteration has no end.
    """
    iterators: dict[str, str | None] = {}
    while True:
        for shard in streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]:
            if shard["ShardId"] not in iterators:
                iterators[shard["ShardId"]] = streams.get_shard_iterator(
                    StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
        seen = 0
        for shard_id, iterator in iterators.items():
            if iterator is None:  # the shard is closed and read to its end
                continue
            page = streams.get_records(ShardIterator=iterator)
            iterators[shard_id] = page.get("NextShardIterator")
            for entry in page["Records"]:
                seen += 1
                with suppress(RecordError):  # an item that this project did not write
                    yield from changes({"Records": [entry]})
        if not seen:
            yield None
            time.sleep(BETWEEN_S)
