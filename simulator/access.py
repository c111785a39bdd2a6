"""Which requests may use the page and the control API.

Any web page that a developer opens can send requests to loopback, and through DNS rebinding even under a name of its
own. So the page and the control API answer only requests that come from this machine, name a loopback host, and come
from no other web page. A request that changes something must also have a JSON content type, which a form cannot send.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from simulator.server import Request

READ_ONLY = {"GET", "HEAD"}


def reason_to_refuse(request: Request) -> str | None:
    """Return why a request is refused, or None if it is allowed."""
    if not request.loopback:
        return "only requests from this machine are allowed"
    if not _is_loopback(request.host):
        return "the Host header must name this machine: localhost, 127.0.0.1 or [::1]"
    if request.origin is not None and request.origin.lower() != f"http://{request.host}".lower():
        return "requests from other web pages are not allowed"
    if request.method not in READ_ONLY and not _is_json(request.content_type):
        return "the Content-Type header must be application/json"
    return None


def _is_loopback(host: str | None) -> bool:
    try:
        name = urlsplit(f"//{host or ''}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _is_json(content_type: str | None) -> bool:
    return (content_type or "").split(";")[0].strip().lower() == "application/json"
