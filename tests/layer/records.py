"""Records of every type for tests, as the functions write them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from gatewayapi import state
from gatewayapi.record import EventRecord, MessageRecord, OptOutRecord, QuarantineRecord

moments = st.builds(
    lambda since, zone: (datetime(1971, 1, 1, tzinfo=UTC) + since).astimezone(zone),
    st.timedeltas(timedelta(0), timedelta(days=365 * 8000)),
    st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
# DynamoDB's TTL has whole seconds.
expiries = moments.map(lambda moment: moment.astimezone(UTC).replace(microsecond=0))
texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), texts, st.integers(-(10**15), 10**15), st.decimals(-1000, 1000, places=6)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(names, inner)),
    max_leaves=8,
)
objects = st.dictionaries(names, json_values, max_size=3)
statuses = st.one_of(st.sampled_from([*state.RANKS]), names)
fingerprints = st.binary(min_size=32, max_size=32).map(bytes.hex)
signatures = fingerprints.map("v1=".__add__)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return None or a value of the strategy."""
    return st.one_of(st.none(), strategy)


messages = st.builds(
    MessageRecord,
    reference=names,
    status=statuses,
    queued_at=moments,
    updated_at=moments,
    expires_at=expiries,
    message_id=texts,
    attempts=st.integers(0, 100),
    fingerprint=maybe(fingerprints),
    recipient=maybe(st.integers(1001, 999_999_999_999_999)),
    sender=maybe(texts),
    label=maybe(texts),
    priority=maybe(st.sampled_from(["normal", "urgent"])),
    msg_id=maybe(texts),
    accepted_at=maybe(moments),
    status_at=maybe(moments),
    lease_until=maybe(moments),
    resent=st.booleans(),
    error=maybe(st.fixed_dictionaries({"code": texts, "details": json_values})),
)
events = st.builds(
    EventRecord,
    key=names,
    event_id=names,
    event_type=names,
    timestamp=moments,
    received_at=moments,
    expires_at=expiries,
    body=texts.filter(bool),
    signature=signatures,
    msg_id=names,
    reference=maybe(names),
    status=maybe(statuses),
    status_at=maybe(moments),
    error=maybe(objects),
    recipient=maybe(st.one_of(st.integers(1001, 10**15 - 1), texts)),
    sender=maybe(st.one_of(st.integers(1001, 10**15 - 1), texts)),
    content=maybe(json_values),
)
quarantines = st.builds(
    QuarantineRecord,
    body_sha256=fingerprints,
    body=st.one_of(texts, st.binary()),
    signature=signatures,
    reason=names,
    received_at=moments,
    expires_at=expiries,
)
opt_outs = st.builds(
    OptOutRecord,
    number=st.integers(1001, 999_999_999_999_999).map(str),
    status=st.sampled_from(["OUT", "IN"]),
    changed_at=moments,
    source=texts,
)
records = st.one_of(messages, events, quarantines, opt_outs)
