"""Counts the SMS segments of a text, as a phone receives them.

The simulator imports nothing of the product. So it runs alone, and the two are tested against each other.
"""

from dataclasses import dataclass

# The alphabet of GSM 03.38. A character of the extension takes two septets.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class Segments:
    """The encoding that a text needs and the number of segments it takes."""

    encoding: str
    count: int


def count(text: str) -> Segments:
    """Return the encoding and the number of segments of a text."""
    if all(character in BASIC or character in EXTENSION for character in text):
        return Segments("GSM-7", _segments([1 if character in BASIC else 2 for character in text], 160, 153))
    return Segments("UCS-2", _segments([1 if ord(character) < 0x10000 else 2 for character in text], 70, 67))  # noqa: PLR2004 - the end of the characters that take one UTF-16 unit


def _segments(sizes: list[int], single: int, part: int) -> int:
    if sum(sizes) <= single:
        return 1
    segments, used = 1, 0
    for size in sizes:
        if used + size > part:  # a character that takes two units is not divided
            segments, used = segments + 1, 0
        used += size
    return segments
