"""`make segments TEXT=…`: how many SMS segments a text takes, and which characters make it longer than it looks."""

import argparse
import sys
import unicodedata
from collections.abc import Iterator, Sequence

from gatewayapi.segments import count

LIMITS = {"GSM-7": (160, 153), "UCS-2": (70, 67)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the count of a text."""
    parser = argparse.ArgumentParser(prog="make segments", description="Count the SMS segments of a text")
    parser.add_argument("--text", help="the text; standard input if it is not given")
    settings = parser.parse_args(arguments)
    print("\n".join(described(sys.stdin.read() if settings.text is None else settings.text)))
    return 0


def described(text: str) -> Iterator[str]:
    """Yield the lines about a text."""
    taken = count(text)
    one, of_several = LIMITS[taken.encoding]
    room = one if taken.count == 1 else taken.count * of_several
    unit = "septets" if taken.encoding == "GSM-7" else "16-bit units"
    counted = "1 SMS segment" if taken.count == 1 else f"{taken.count} SMS segments"
    yield f"{counted} in {taken.encoding}: {taken.units} of {room} {unit}"
    others = list(dict.fromkeys(character for character in text if count(character).encoding == "UCS-2"))
    if not others:
        return
    without = count("".join(character for character in text if character not in others))
    fewer = "1 segment" if without.count == 1 else f"{without.count} segments"
    yield f"These characters are not in GSM-7. Without them, the text would take {fewer}:"
    for character in others:
        name = unicodedata.name(character, "a control character")
        yield f"  U+{ord(character):04X} {name.lower()}, at character {text.index(character) + 1}"


if __name__ == "__main__":
    sys.exit(main())
