"""Count the SMS segments of a text, on which the price of a message depends, and find its encoding.

A text whose characters are all in GSM-7 is sent in 7-bit units. Any other text is sent in UCS-2, that is UTF-16.
One SMS holds 160 or 70 units. Each segment of a longer text has a header, which leaves 153 or 67 units.
Some characters take two units, and such a pair is never divided between two segments.
Source: 3GPP TS 23.038 (alphabet, extension table) and TS 23.040 (concatenated short messages).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Encoding = Literal["GSM-7", "UCS-2"]

# The default alphabet without its escape, then the characters that follow the escape.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM7 = _EXTENSION.union(_BASIC)


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
    characters = set(text)
    if characters <= _GSM7:
        units = len(text) + sum(map(text.count, characters & _EXTENSION))
        return Segments(_segments(text, units, _EXTENSION.__contains__, 160, 153), "GSM-7", units)
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    first = next(character for character in text if character not in _GSM7)
    return Segments(_segments(text, units, _is_surrogate_pair, 70, 67), "UCS-2", units, first)


def _is_surrogate_pair(character: str) -> bool:
    return character > "\uffff"


def _segments(text: str, units: int, is_pair: Callable[[str], bool], one: int, of_several: int) -> int:
    """Return the number of segments. A character of two units moves to the next segment as a whole."""
    if units <= one:
        return 1
    if units == len(text):  # no character of two units
        return math.ceil(units / of_several)
    segments, used = 1, 0
    for character in text:
        size = 2 if is_pair(character) else 1
        if used + size > of_several:
            segments, used = segments + 1, 0
        used += size
    return segments
