"""The figures in docs: written by the command that measures them, between two comments of a document."""

from pathlib import Path


def put(document: Path, name: str, text: str) -> None:
    """Replace the figures of this name; raises ValueError where the document has no place for them."""
    begin, end = f"<!-- figures: {name} -->\n", f"<!-- end of figures: {name} -->"
    content = document.read_text()
    start, stop = content.index(begin) + len(begin), content.index(end)
    document.write_text(f"{content[:start]}{text.strip()}\n{content[stop:]}")
