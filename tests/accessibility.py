"""Checks that a page can be used by keyboard and with a screen reader.

The check covers the rules of WCAG 2.1 AA that a program can judge: names of controls, unique ids, the order of
headings, scrolling by keyboard, and the contrast of texts and of the borders of fields.
"""

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8").rstrip().rstrip(";")


def problems(page: Page) -> list[str]:
    """Return what a person with a keyboard or a screen reader could not use."""
    found: list[str] = page.evaluate(SCRIPT[SCRIPT.index("() =>") :])
    return found
