"""Valid queue messages for tests: one message, and strategies for all forms that the rules allow."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from gatewayapi.message import Message
from gatewayapi.message_fields import MAX_CONTEXT, MAX_LABEL, MAX_RECIPIENT, MAX_REFERENCE, MIN_RECIPIENT


def message_fields(**fields: object) -> dict[str, object]:
    """Return the fields of a valid message, with the given fields changed or added."""
    return {"message": "Hello", "recipient": 4512345678, "sender": "Shop", **fields}


characters = st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("\t\n\r"))
printable = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")

texts = st.text(characters, min_size=1, max_size=200)
senders = st.one_of(st.text(characters, min_size=3, max_size=11), st.text("0123456789", min_size=3, max_size=15))
references = st.text(printable, min_size=1, max_size=MAX_REFERENCE)
labels = st.text(characters, max_size=MAX_LABEL)
contexts = st.text(characters, max_size=MAX_CONTEXT)
message_types = st.sampled_from(["transactional", "promotional"])
recipients = st.one_of(st.sampled_from([MIN_RECIPIENT, MAX_RECIPIENT]), st.integers(MIN_RECIPIENT, MAX_RECIPIENT))


def written(recipient: int, separators: list[str], sign: str) -> str:
    """Return a recipient as a text with separators."""
    digits = str(recipient)
    return sign + digits[0] + "".join(before + digit for before, digit in zip(separators, digits[1:], strict=False))


written_recipients = st.builds(
    written,
    recipients,
    st.lists(st.sampled_from(["", "", " ", "-"]), min_size=14, max_size=14),
    st.sampled_from(["", "+"]),
)

seconds = st.one_of(st.integers(1, 432_000), st.floats(0.000_001, 432_000), st.integers(432_001, 99_999_999_999))
expirations = st.one_of(
    seconds,
    st.integers(1, 99_999_999_999).map(str),
    st.builds("{}.{}".format, st.integers(0, 432_000), st.integers(1, 999_999)),
    st.builds(
        "P{}DT{}H{}M{}.5S".format, st.integers(0, 3), st.integers(0, 20), st.integers(0, 60), st.integers(0, 60)
    ),
    st.sampled_from(["P5D", "PT1S", "PT432000S", "PT7200M", "PT120H", "PT0.000001S"]),
    st.integers(-62_135_500_000, 221_845_000_000).map(lambda unix: datetime.fromtimestamp(unix, UTC).isoformat()),
    st.sampled_from(["2025-04-01 12:00:00", "2025-04-01T12:00:00.5Z", "2025-04-01T12:00:00-0530"]),
)
priorities = st.sampled_from(["normal", "urgent"])

messages = st.builds(
    Message,
    message=texts,
    recipient=recipients,
    sender=st.none() | senders,
    reference=st.none() | references,
    expiration=st.none() | expirations,
    priority=st.none() | priorities,
    label=st.none() | labels,
    message_type=st.none() | message_types,
    context=st.none() | contexts,
)

# Fields of a queue message's body: with all forms of a recipient, and with null for absent fields.
fields: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"message": texts, "recipient": st.one_of(recipients, recipients.map(float), written_recipients)},
    optional={
        "sender": senders,
        "reference": st.none() | references,
        "expiration": expirations,
        "priority": priorities,
        "label": st.none() | labels,
        "message_type": st.none() | message_types,
        "context": st.none() | contexts,
    },
)
