"""One simulated provider with all its parts, as a test or the local stack holds it."""

import secrets
from collections import Counter
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Self

from simulator.accepted_messages import Accepted, Ledger, Seen
from simulator.control import PREFIX, Control
from simulator.faults import Faults, Rule, parse
from simulator.sending_api import Mobile
from simulator.server import Answer, Request, Server
from simulator.webhook_deliveries import Attempt, Deliveries, Pace


def secret() -> str:
    """A token or key that nobody else has."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a simulator starts; what is not given is made up or found."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str = field(default_factory=secret)
    webhook_url: str | None = None
    webhook_key: str = field(default_factory=secret)
    pace: Pace = field(default_factory=Pace)
    faults: tuple[Rule, ...] = ()
    seed: int | None = None
    max_body_bytes: int = 64 * 1024 * 1024  # 1000 messages of the greatest length, and more
    verbose: bool = False


class Provider:
    """The simulator, from `start` to `stop`; it listens from its making on, so `url` is known at once."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._stopping = Event()
        self._mobile = Mobile(
            token=self.settings.token,
            faults=Faults(self.settings.seed),
            ledger=Ledger(),
            deliveries=Deliveries(self.settings.webhook_url, self.settings.webhook_key, self.settings.pace),
            stopping=self._stopping,
        )
        self._mobile.faults.order(self.settings.faults)
        self._control = Control(self._mobile, self.disconnect)
        self._server: Server | None = self._listen(self.settings.port)
        self._closed: list[Server] = []
        self.port = int(self._server.server_address[1])
        self.url = f"http://{self.settings.host}:{self.port}"

    def start(self) -> Self:
        """Answer requests and deliver webhooks from now on."""
        if self._server is not None:
            self._server.start()
        self._mobile.deliveries.start()
        return self

    def stop(self) -> None:
        """End every connection, wait and thread. A webhook on its way may take up to its time-out."""
        self._stopping.set()
        self.refuse_connections()
        self._mobile.deliveries.stop()
        for server in self._closed:
            server.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def token(self) -> str:
        """The one token that is accepted; set it to rotate it."""
        return self._mobile.token

    @token.setter
    def token(self, token: str) -> None:
        self._mobile.token = token

    @property
    def webhook_key(self) -> str:
        """The key that signs webhooks now."""
        return self._mobile.deliveries.key

    def set_webhook(self, url: str | None, key: str | None = None) -> None:
        """Send webhooks there from now on, those that wait for a repetition too; None sends no new ones."""
        self._mobile.deliveries.url = url
        if key is not None:
            self._mobile.deliveries.key = key

    def order(self, **rule: Any) -> None:  # noqa: ANN401 - each field has its own type, see simulator.faults
        """Order a fault, with the fields of `simulator.faults`."""
        self._mobile.faults.order([parse(rule)])

    def faults(self) -> list[tuple[Rule, int]]:
        """The ordered faults, each with the number of times it struck."""
        return self._mobile.faults.listing()

    def clear_faults(self) -> None:
        """Behave from now on."""
        self._mobile.faults.clear()

    def messages(self) -> list[Accepted]:
        """Every accepted message, in order."""
        return self._mobile.ledger.accepted()

    def counts(self) -> Counter[str | None]:
        """How often each reference was accepted."""
        return self._mobile.ledger.counts()

    def requests(self) -> list[Seen]:
        """Every request to send and its outcome, in order."""
        return self._mobile.ledger.seen()

    def wait_for_requests(self, count: int, timeout_s: float = 60.0) -> bool:
        """Wait until the outcome of so many requests is known; False if it is not in time."""
        return self._mobile.ledger.wait_for(count, timeout_s)

    def deliveries(self) -> list[Attempt]:
        """Every attempt to deliver a webhook, in order of their ends."""
        return self._mobile.deliveries.attempts()

    def pending(self) -> int:
        """How many webhooks nobody has taken yet."""
        return self._mobile.deliveries.pending()

    def wait_until_delivered(self, timeout_s: float = 60.0) -> bool:
        """Wait until no webhook is pending; False if some still are."""
        return self._mobile.deliveries.wait_until_quiet(timeout_s)

    def event(self, **order: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON may be asked for
        """Sign a webhook of one's own, and send it unless `send=False`; see `simulator.control`."""
        return self._control.event(order)

    def reset(self) -> None:
        """Forget faults, messages, requests and webhooks."""
        self._control.reset()

    def disconnect(self) -> None:
        """Close every open connection, as a restart of the provider's front end would."""
        if self._server is not None:
            self._server.disconnect()

    def refuse_connections(self) -> None:
        """Be gone: connecting is refused, while webhooks go on and nothing is forgotten."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._closed.append(server)

    def accept_connections(self) -> None:
        """Be back on the same port."""
        self._server = self._listen(self.port)
        self._server.start()

    def _listen(self, port: int) -> Server:
        return Server(
            (self.settings.host, port),
            self.answer,
            max_body_bytes=self.settings.max_body_bytes,
            verbose=self.settings.verbose,
        )

    def answer(self, request: Request) -> Answer:
        """Have the right part answer one request."""
        part = self._control if request.path.startswith(PREFIX) else self._mobile
        return part.answer(request)
