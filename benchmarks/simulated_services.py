"""AWS and the provider as far as the measured functions call them, in a process of their own.

A process of their own, because their processor time must not be counted. They answer with HTTP/1.1 keep-alive and the
headers of the real services, so that reading the answer costs a function as much as in production. They store nothing
and accept everything.

`python -m benchmarks.simulated_services [CERTIFICATE KEY]` prints the two ports as JSON and runs until its standard
input ends. With a certificate and its key it uses TLS.
"""

import asyncio
import json
import ssl
import sys
import threading
from collections import Counter
from functools import partial
from typing import Any

TOKEN, KEY = "benchmark-token", "benchmark-key-of-32-characters-00"
ULID = "01JQRJWK259Y1YEECJZB50908V"

_REASONS = {200: "OK", 202: "Accepted", 404: "Not Found"}
_AWS_HEADERS = (
    "Server: Server\r\n"
    "Date: Wed, 02 Apr 2025 08:00:00 GMT\r\n"
    "Connection: keep-alive\r\n"
    "x-amzn-RequestId: VV6GCGNDJTJL5QPVJRTNE2PMQ3VV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
)
_PROVIDER_HEADERS = "Server: provider\r\nDate: Wed, 02 Apr 2025 08:00:00 GMT\r\nConnection: keep-alive\r\n"


class CallCounter:
    """The calls since the counts were last read, and the open connections."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.open: set[Connection] = set()

    def read(self) -> dict[str, int]:
        """Return the counts by name, and reset them."""
        counts, self.calls = dict(self.calls), Counter()
        return counts

    def close_connections(self) -> None:
        """Close every connection without a notice, as a load balancer does with idle ones."""
        for connection in list(self.open):
            connection.close()


class Connection(asyncio.Protocol):
    """One client's connection to one of the two services."""

    def __init__(self, service: str, counter: CallCounter) -> None:
        self._service = service
        self._counter = counter
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # a TCP connection has one of this type
        self._counter.open.add(self)
        self._counter.calls[f"{self._service} connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._counter.open.discard(self)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            request, *lines = self._received[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", 0))
            if len(self._received) < end + 4 + length:
                return
            body = bytes(self._received[end + 4 : end + 4 + length])
            del self._received[: end + 4 + length]
            self._answer(request.split(" ")[1], headers, body)

    def _answer(self, path: str, headers: dict[str, str], body: bytes) -> None:
        if path == "/benchmark/counts":
            self._counter.calls[f"{self._service} connections"] -= 1
            self._write(200, self._counter.read(), "application/json", "")
        elif path == "/benchmark/close":
            self._counter.calls[f"{self._service} connections"] -= 1
            self._write(200, {}, "application/json", "")
            self._counter.close_connections()
        elif self._service == "provider":
            self._counter.calls[path] += 1
            self._write(*_provider(path, json.loads(body)), "application/json", _PROVIDER_HEADERS)
        else:
            target = headers.get("x-amz-target", path)
            operation = target.rpartition(".")[2]
            self._counter.calls[operation] += 1
            self._write(200, _aws(operation, body), "application/x-amz-json-1.0", _AWS_HEADERS)

    def _write(self, status: int, answer: dict[str, Any], content_type: str, headers: str) -> None:
        body = json.dumps(answer).encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\n{headers}"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        if self._transport is not None:
            self._transport.write(head.encode() + body)


def _provider(path: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if path == "/mobile/single":
        return 202, _accepted(fields)
    if path == "/mobile/multi":
        return 202, {"responses": [_accepted(message) for message in fields["messages"]]}
    return 404, {}


def _accepted(fields: dict[str, Any]) -> dict[str, Any]:
    return {"msg_id": ULID, "recipient": fields["recipient"], "reference": fields.get("reference")}


def _aws(operation: str, body: bytes) -> dict[str, Any]:
    if operation == "GetSecretValue":
        arn = json.loads(body)["SecretId"]
        value = KEY if "key" in arn else TOKEN
        return {"ARN": arn, "Name": "secret", "SecretString": value, "VersionStages": ["AWSCURRENT"]}
    if operation.endswith("Batch"):  # SQS
        entries = json.loads(body)["Entries"]
        return {"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []}
    return {}


async def serve(*certificate: str) -> None:
    """Serve both services until standard input ends."""
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    loop = asyncio.get_running_loop()
    counter = CallCounter()
    ports = {}
    for service in ("aws", "provider"):
        server = await loop.create_server(partial(Connection, service, counter), "127.0.0.1", 0, ssl=tls)
        ports[service] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    over = asyncio.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(over.set)), daemon=True).start()
    await over.wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
