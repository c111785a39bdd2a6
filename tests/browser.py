"""A browser for tests of the simulator's page: the system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "There is no Chromium, so the page is not tested. Install it (`apt-get install chromium` or `brew install --cask "
    "chromium`), or set CHROMIUM to a Chrome's path."
)
# Without these, Chromium would ask other hosts for updates, and would not run as root or without a GPU.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
WAIT_MS = 30_000


def chromium() -> str | None:
    """Return the path of a Chromium on this machine."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the page out if there is no browser. CI installs one, so there its absence is a failure."""
    if chromium() or os.environ.get("CI"):
        return
    needing = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line about the tests that were left out, in place of one for every test."""
    if not chromium():
        terminalreporter.write_line(MISSING, yellow=True)


class OpenPage(Protocol):
    """Opens a page of a URL in a window of its own."""

    def __call__(self, url: str, *, width: int = 1440, height: int = 900, scheme: str = "light") -> Page: ...


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.fail(MISSING)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """A function that opens a page. An error of its scripts, or a request to another host, fails the test."""
    problems: list[str] = []
    closing: list[Callable[[], None]] = []

    def opened(url: str, *, width: int = 1440, height: int = 900, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        closing.append(context.close)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        host = "/".join(url.split("/")[:3])
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda message: problems.append(message.text) if "Security Policy" in message.text else None
        )
        page.on(
            "request",
            lambda request: problems.append(request.url) if not request.url.startswith((host, "data:")) else None,
        )
        page.goto(url)
        return page

    yield opened
    for close in closing:
        close()
    assert problems == []
