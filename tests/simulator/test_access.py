"""The page and the control API answer only this machine's own requests, and no other web page's."""

from typing import Any

import pytest

from simulator.provider import Provider
from simulator.server import Request
from tests.simulator.simulator_client import JSON, Client

OWN = "127.0.0.1:8000"


def request(method: str = "GET", path: str = "/_control/messages", **fields: object) -> Request:
    values = {"content_type": None, "host": OWN, "origin": None, "loopback": True, **fields}
    return Request(method, path, {}, None, body=b"{}", connection=1, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/_control/messages", "/_control/conversations"])
@pytest.mark.parametrize(
    "fields",
    [
        {"loopback": False},
        {"host": "example.com"},
        {"host": "example.com:8000"},
        {"host": "127.0.0.1.example.com"},
        {"host": "localhost.example.com"},
        {"host": "[::1"},
        {"host": ""},
        {"host": None},
        {"origin": "http://example.com"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "https://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "http://localhost:8000"},
    ],
)
def test_another_machine_host_name_or_web_page_is_refused(
    provider: Provider, path: str, fields: dict[str, Any]
) -> None:
    assert provider.answer(request(path=path, **fields)).status == 403


@pytest.mark.parametrize("host", [OWN, "127.0.0.1", "127.1.2.3:80", "localhost:8000", "LOCALHOST", "[::1]:8000"])
@pytest.mark.parametrize("with_origin", [False, True])
def test_any_loopback_name_of_this_machine_is_answered(provider: Provider, host: str, *, with_origin: bool) -> None:
    origin = f"http://{host}" if with_origin else None
    assert provider.answer(request(host=host, origin=origin)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "json"])
def test_a_change_without_a_json_content_type_is_refused(
    provider: Provider, method: str, content_type: str | None
) -> None:
    changing = request(method, "/_control/faults", content_type=content_type)
    assert provider.answer(changing).status == 403
    assert not provider.faults()


def test_a_change_with_a_json_content_type_is_carried_out(provider: Provider) -> None:
    changing = request(
        "POST", "/_control/reset", content_type="application/json; charset=utf-8", origin=f"http://{OWN}"
    )
    assert provider.answer(changing).status == 200


def test_another_machine_may_use_the_sending_api(provider: Provider) -> None:
    assert provider.answer(request(path="/mobile/single", loopback=False, host="example.com")).status == 405


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/plain"}, {"Origin": "http://a.example"}, {"Origin": "null"}, {"Host": "a.b"}]
)
def test_over_http_the_headers_are_checked_too(client: Client, headers: dict[str, str]) -> None:
    answer = client.ask("POST", "/_control/faults", b'{"kind": "503"}', headers=JSON | headers)
    assert (answer.status, list(answer.json())) == (403, ["error"])


def test_the_page_may_load_nothing_from_elsewhere_and_cannot_be_framed(client: Client) -> None:
    answer = client.ask("GET", "/", headers={})
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/_control/messages"])
def test_another_web_page_cannot_embed_an_answer(client: Client, path: str) -> None:
    headers = client.ask("GET", path, headers={}).headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["nothing.js", "../control.py", "..%2fcontrol.py", "", "/etc/passwd", "."])
def test_only_the_files_of_the_page_are_served(client: Client, name: str) -> None:
    assert client.ask("GET", f"/page/{name}", headers={}).status == 404
