"""The simulated provider with all its parts.

In a test::

    with Provider(Settings(token="secret")) as provider:
        provider.set_webhook(url, key)
        provider.inject_fault(kind="429", retry_after=2)
        ...
        assert provider.counts() == {"order-1": 1}
"""

import secrets
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any, Self

from simulator import access, page_files
from simulator.control import PREFIX, Control
from simulator.control_bodies import validated
from simulator.conversations import Conversations
from simulator.faults import Fault, Faults
from simulator.history import History
from simulator.phones import Phones
from simulator.sending_api import SendingApi
from simulator.server import Answer, Request, Server, json_answer
from simulator.webhook_deliveries import Deliveries, Pace

__all__ = ["Pace", "Provider", "Settings"]


def secret() -> str:
    """Return a random token or key."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a simulator starts. Token and key are random, and the port is any free one, unless they are given."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str = field(default_factory=secret)
    webhook_url: str | None = None
    webhook_key: str = field(default_factory=secret)
    pace: Pace = field(default_factory=Pace)
    faults: tuple[Fault, ...] = ()
    seed: int | None = None
    stack: str | None = None
    max_body_bytes: int = 64 * 1024 * 1024  # more than 1000 messages of the greatest length
    verbose: bool = False


class Provider:
    """The simulator. It listens as soon as it is created, so `url` can be used before `start`."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._stopping = Event()
        self._server: Server | None = self._listen(self._settings.port)
        self._closed: list[Server] = []
        self.port = int(self._server.server_address[1])
        self.url = f"http://{self._settings.host}:{self.port}"
        history, conversations = History(), Conversations()
        deliveries = Deliveries(
            self._settings.webhook_url, self._settings.webhook_key, self._settings.pace, conversations.attempted
        )
        self._api = SendingApi(
            token=self._settings.token,
            faults=Faults(self._settings.seed),
            phones=Phones(),
            history=history,
            conversations=conversations,
            deliveries=deliveries,
            stopping=self._stopping,
        )
        self._api.faults.add(self._settings.faults)
        self._control = Control(self._api, self.url, self.disconnect)
        if self._settings.stack:
            self._control.show_stack(self._settings.stack)
        # What a test reads. The methods are described where they are defined.
        self.messages = history.accepted
        self.counts = history.counts
        self.requests = history.requests
        self.wait_for_requests = history.wait_for
        self.faults = self._api.faults.listing
        self.deliveries = deliveries.attempts
        self.pending = deliveries.pending
        self.wait_for_webhooks = deliveries.wait_for_webhooks
        self.reset = self._control.reset

    def start(self) -> Self:
        """Start to answer requests and to deliver webhooks."""
        if self._server is not None:
            self._server.start()
        self._api.deliveries.start()
        return self

    def stop(self) -> None:
        """End all connections, delays and threads. A webhook in flight may take up to its time-out."""
        self._stopping.set()
        self.refuse_connections()
        for server in self._closed:
            server.join()
        self._api.deliveries.stop()  # last, because a request that was delayed may still send webhooks

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def token(self) -> str:
        """The only token that is accepted. Set it to rotate it."""
        return self._api.token

    @token.setter
    def token(self, token: str) -> None:
        self._api.token = token

    def set_webhook(self, url: str | None, key: str | None = None) -> None:
        """Send webhooks to this URL from now on, also those that wait to be repeated. None sends no new ones."""
        self._api.deliveries.url = url
        if key is not None:
            self._api.deliveries.key = key

    def inject_fault(self, **fault: Any) -> None:  # noqa: ANN401 - every field has its own type, see simulator.faults
        """Inject a fault, with the fields of `simulator.faults.Fault`."""
        self._api.faults.add([validated(Fault, fault)])

    def event(self, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON may be sent
        """Sign any webhook, and send it unless `send=False`, as `POST /_control/event` does."""
        return self._control.event(body)

    def disconnect(self) -> None:
        """Close every open connection, as a restart of the provider would."""
        if self._server is not None:
            self._server.disconnect()

    def refuse_connections(self) -> None:
        """Stop listening, so that connections are refused. Webhooks go on, and nothing is removed."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._closed.append(server)

    def accept_connections(self) -> None:
        """Listen on the same port again."""
        self._server = self._listen(self.port)
        self._server.start()

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        is_page = page_files.is_page(request.path)
        if not is_page and not request.path.startswith(PREFIX):
            return self._api.answer(request)
        if reason := access.reason_to_refuse(request):
            return json_answer(403, {"error": reason})
        if is_page:
            return page_files.answer(request.path)
        answer = self._control.answer(request)
        return replace(answer, headers=(*answer.headers, *page_files.PRIVATE_HEADERS))

    def _listen(self, port: int) -> Server:
        return Server(
            (self._settings.host, port),
            self.answer,
            max_body_bytes=self._settings.max_body_bytes,
            verbose=self._settings.verbose,
        )
