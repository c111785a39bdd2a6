"""The simulator and the layer count segments independently, and agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayapi import segments as layer
from simulator import segments

GSM_7 = "".join(sorted(segments.BASIC | segments.EXTENSION))


@given(st.text(GSM_7, max_size=400) | st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_the_simulator_counts_as_the_layer_does(text: str) -> None:
    own, other = segments.count(text), layer.count(text)
    assert (own.encoding, own.count) == (other.encoding, other.count)


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("", "GSM-7", 1),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("€" * 80, "GSM-7", 1),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 2),
        ("☕" * 70, "UCS-2", 1),
        ("☕" * 71, "UCS-2", 2),
        ("a" * 66 + "😀" + "a" * 66, "UCS-2", 3),
    ],
)
def test_a_text_is_divided_without_dividing_a_character(text: str, encoding: str, count: int) -> None:
    assert segments.count(text) == segments.Segments(encoding, count)
