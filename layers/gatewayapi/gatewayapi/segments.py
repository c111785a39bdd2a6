"""Count the SMS segments of a text, on which the price of a message depends, and find its encoding.

A text whose characters are all in GSM-7 is sent in 7-bit units. Any other text is sent in UCS-2, that is UTF-16.
One SMS holds 160 or 70 units. Each segment of a longer text has a header, which leaves 153 or 67 units.
Some characters take two units, and such a pair is never divided between two segments.
Source: 3GPP TS 23.038 (alphabet, extension table) and TS 23.040 (concatenated short messages).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Encoding = Literal["GSM-7", "UCS-2"]

# The default alphabet without its escape, then the characters that follow the escape.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"

_EXTENSION_CHARACTER = re.compile(f"[{re.escape(_EXTENSION)}]")
_UCS2_CHARACTER = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]")
_SURROGATE_PAIR = re.compile("[\U00010000-\U0010ffff]")

# Marks the first unit of a pair. No text contains it, because half a surrogate pair is not a character.
_FIRST_UNIT = "\ud800"


@dataclass(frozen=True, slots=True)
class Segments:
    """The size of a text: `count` segments, with `units` septets (GSM-7) or 16-bit units (UCS-2) in total.

    `first_ucs2_character` is the first character that GSM-7 does not have, or None if the encoding is GSM-7.
    """

    count: int
    encoding: Encoding
    units: int
    first_ucs2_character: str | None = None


@lru_cache(maxsize=100)  # a batch counts each text twice: for MaxSegments, and for the record
def count(text: str) -> Segments:
    """Return the segments of a text. An empty text takes one."""
    if found := _UCS2_CHARACTER.search(text):
        units = text if text.isascii() else _SURROGATE_PAIR.sub(f"{_FIRST_UNIT}.", text)
        return Segments(_segments(units, 70, 67), "UCS-2", len(units), found.group())
    units = _EXTENSION_CHARACTER.sub(f"{_FIRST_UNIT}.", text)
    return Segments(_segments(units, 160, 153), "GSM-7", len(units))


def _segments(units: str, one: int, of_several: int) -> int:
    """Return the number of segments. A pair that would be divided moves to the next segment as a whole."""
    if len(units) <= one:
        return 1
    segments, start = 0, 0
    while start < len(units):
        start += of_several
        segments += 1
        if start < len(units) and units[start - 1] == _FIRST_UNIT:
            start -= 1
    return segments
