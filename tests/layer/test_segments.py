"""Counts the SMS segments of a text, without dividing a character between two segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayapi.segments import Segments, count

# The default alphabet and its extension table, by code point: 3GPP TS 23.038, sections 6.2.1 and 6.2.1.1.
ONE_SEPTET = {
    *(0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5),
    *(0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, 0xC6, 0xE6, 0xDF, 0xC9),
    *(0x20, 0x21, 0x22, 0x23, 0xA4, *range(0x25, 0x40)),
    *(0xA1, *range(0x41, 0x5B), 0xC4, 0xD6, 0xD1, 0xDC, 0xA7),
    *(0xBF, *range(0x61, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0),
}
TWO_SEPTETS = {0x0C, 0x5E, 0x7B, 0x7D, 0x5C, 0x5B, 0x7E, 0x5D, 0x7C, 0x20AC}

gsm_texts = st.text(st.sampled_from(sorted(map(chr, ONE_SEPTET | TWO_SEPTETS))), max_size=700)
texts = st.one_of(gsm_texts, st.text(max_size=300), st.text("ab{€🍓", max_size=700))


def counted_one_by_one(text: str) -> tuple[int, str]:
    """Return the same count, made by filling segments one character at a time."""
    gsm = all(ord(character) in ONE_SEPTET | TWO_SEPTETS for character in text)
    widths = [2 if ord(character) in TWO_SEPTETS or ord(character) > 0xFFFF else 1 for character in text]
    widths = widths if gsm else [2 if ord(character) > 0xFFFF else 1 for character in text]
    encoding, one, of_several = ("GSM-7", 160, 153) if gsm else ("UCS-2", 70, 67)
    if sum(widths) <= one:
        return 1, encoding
    segments, used = 1, 0
    for width in widths:
        if used + width > of_several:
            segments, used = segments + 1, 0
        used += width
    return segments, encoding


def test_gsm_7_has_127_characters_and_ten_in_its_extension_table() -> None:
    assert (len(ONE_SEPTET), len(TWO_SEPTETS)) == (127, 10)
    assert {count(chr(point)) for point in ONE_SEPTET} == {Segments(1, "GSM-7", 1)}
    assert {count(chr(point)) for point in TWO_SEPTETS} == {Segments(1, "GSM-7", 2)}


def test_every_other_character_needs_ucs_2() -> None:
    others = (chr(point) for point in range(0x3000) if point not in ONE_SEPTET | TWO_SEPTETS)
    assert all(count(other) == Segments(1, "UCS-2", 1, other) for other in others)


@given(texts)
def test_the_count_is_the_same_as_filling_segments_one_character_at_a_time(text: str) -> None:
    counted = count(text)
    assert (counted.count, counted.encoding) == counted_one_by_one(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments(1, "GSM-7", 0)),
        ("x" * 160, Segments(1, "GSM-7", 160)),
        ("x" * 161, Segments(2, "GSM-7", 161)),
        ("x" * 306, Segments(2, "GSM-7", 306)),
        ("x" * 307, Segments(3, "GSM-7", 307)),
        ("€" * 80, Segments(1, "GSM-7", 160)),
        ("€" * 152, Segments(2, "GSM-7", 304)),
        ("€" * 153, Segments(3, "GSM-7", 306)),  # 76 pairs in a segment: the last septet of 153 stays empty
        ("æ" * 69 + "🍓", Segments(2, "UCS-2", 71, "🍓")),
        ("é" * 70 + "ê", Segments(2, "UCS-2", 71, "ê")),
        ("🍓" * 35, Segments(1, "UCS-2", 70, "🍓")),
        ("🍓" * 66, Segments(2, "UCS-2", 132, "🍓")),
        ("🍓" * 67, Segments(3, "UCS-2", 134, "🍓")),  # 33 pairs in a segment: the last unit of 67 stays empty
        ("{[" * 35 + "ж", Segments(2, "UCS-2", 71, "ж")),
        ("\t", Segments(1, "UCS-2", 1, "\t")),
        ("`", Segments(1, "UCS-2", 1, "`")),
    ],
    ids=range(16),
)
def test_a_text_at_the_limit_of_a_segment_is_counted_correctly(text: str, expected: Segments) -> None:
    assert count(text) == expected


@pytest.mark.parametrize(
    ("text", "segments", "encoding", "bits"),
    [
        ("{" + "2" * 158, 1, "GSM-7", 1120),
        ("{" + "2" * 159, 2, "GSM-7", 1127),
        ("😜" + "2" * 68, 1, "UCS-2", 1120),
        ("😜" + "2" * 69, 2, "UCS-2", 1136),
    ],
)
def test_the_count_is_the_same_as_that_of_twilios_calculator(
    text: str, segments: int, encoding: str, bits: int
) -> None:
    # The cases of https://github.com/TwilioDevEd/message-segment-calculator, tests/index.test.js.
    counted = count(text)
    assert (counted.count, counted.encoding) == (segments, encoding)
    assert counted.units * (7 if encoding == "GSM-7" else 16) == bits


def test_the_first_character_that_needs_ucs_2_is_returned() -> None:
    assert count("Smørrebrød \u2013 20 €, “today”").first_ucs2_character == "\u2013"
