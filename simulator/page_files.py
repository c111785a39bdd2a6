"""Serves the page: the files of the folder `page`, as they are."""

from pathlib import Path

from simulator.server import Answer

FOLDER = Path(__file__).with_name("page")
PREFIX = "/page/"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
# The page loads nothing from elsewhere, has no inline script or style, and cannot be framed.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Other web pages cannot embed an answer either, for example as a script.
PRIVATE_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
HEADERS = (("Content-Security-Policy", POLICY), *PRIVATE_HEADERS)


def is_page(path: str) -> bool:
    """Return whether a path belongs to the page."""
    return path == "/" or path.startswith(PREFIX)


def answer(path: str) -> Answer:
    """Return a file of the page."""
    name = path.removeprefix(PREFIX) if path != "/" else "index.html"
    # Only the folder's own files: a name with a slash or dots is none of them.
    file = next((file for file in FOLDER.iterdir() if file.name == name and file.suffix in TYPES), None)
    if file is None:
        return Answer(404, b"not found", HEADERS, "text/plain")
    return Answer(200, file.read_bytes(), HEADERS, f"{TYPES[file.suffix]}; charset=utf-8")
