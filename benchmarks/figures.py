"""Writes figures into a document, between the two comments that mark their place."""

from pathlib import Path


def put(document: Path, name: str, text: str) -> None:
    """Replace the figures of this name, or raise ValueError if the document has no place for them."""
    begin, end = f"<!-- figures: {name} -->\n", f"<!-- end of figures: {name} -->"
    content = document.read_text()
    start, stop = content.index(begin) + len(begin), content.index(end)
    document.write_text(f"{content[:start]}{text.strip()}\n{content[stop:]}")
