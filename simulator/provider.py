"""GatewayAPI on one machine: its Mobile Messaging API as a real HTTP server, for any client of it.

    python -m simulator --port 0 --token secret --webhook-url http://127.0.0.1:8000/ --webhook-key key

The first line printed is `provider: http://127.0.0.1:PORT`, then `token:` and `webhook-key:` where these were
not given and had to be made. Ctrl-C or SIGTERM ends it. A client is pointed at the URL and behaves as if the
provider were there: `POST /mobile/single` and `/mobile/multi` check the token and every field, answer 202
with ULIDs, and then the message's status webhooks arrive, signed, at the webhook URL. Whatever does not
answer them with 2xx in 5 seconds gets them again, after growing pauses. Nothing is ever sent to anyone.

    --host, --port           where to listen: 127.0.0.1 and any free port
    --token                  the one token it accepts
    --webhook-url            where webhooks go; without it there are none
    --webhook-key            the key that signs them
    --webhook-workers        webhooks on their way at once (4)
    --enroute-delay          seconds from accepting to ENROUTE (0.3)
    --final-delay            seconds from accepting to the final status (0.6)
    --retry-pause            seconds before a refused webhook comes again, doubled each time up to 30 (0.5)
    --faults                 a JSON list of faults to begin with
    --seed                   makes the faults' chance repeatable
    --verbose                a line per request, on stderr

The recipient decides how a message ends (`simulator.webhook_events`): …99901 is undeliverable, …99902 expires, …99903
is rejected, and so on. What can go wrong on the way is ordered as faults (`simulator.faults`), at the start or
while it runs, over the same port (`simulator.control`), where one also reads what was accepted and how often:

    curl $URL/_control/faults -d '{"kind": "reset", "count": null, "probability": 0.1}'
    curl $URL/_control/messages

Within a test the same is a context manager:

    with Provider(Settings(token="secret")) as provider:
        provider.set_webhook(url, key)
        provider.order(kind="429", retry_after=2)
        ...
        assert provider.counts() == {"order-1": 1}
"""

import argparse
import json
import signal
from collections.abc import Sequence
from threading import Event
from types import FrameType

from simulator.faults import Rule, parse
from simulator.simulator import Provider, Settings, secret
from simulator.webhook_deliveries import Pace

__all__ = ["Pace", "Provider", "Settings", "main"]


def _settings(arguments: Sequence[str] | None) -> tuple[Settings, argparse.Namespace]:
    parser = argparse.ArgumentParser(prog="provider", description="GatewayAPI on one machine, for any client")
    pace = Pace()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token")
    parser.add_argument("--webhook-url")
    parser.add_argument("--webhook-key")
    parser.add_argument("--webhook-workers", type=int, default=pace.workers)
    parser.add_argument("--enroute-delay", type=float, default=pace.enroute_s, metavar="SECONDS")
    parser.add_argument("--final-delay", type=float, default=pace.final_s, metavar="SECONDS")
    parser.add_argument("--retry-pause", type=float, default=pace.retry_s, metavar="SECONDS")
    parser.add_argument("--faults", type=_rules, default=(), metavar="JSON")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args(arguments)
    settings = Settings(
        host=given.host,
        port=given.port,
        token=given.token or secret(),
        webhook_url=given.webhook_url,
        webhook_key=given.webhook_key or secret(),
        pace=Pace(given.enroute_delay, given.final_delay, given.webhook_workers, given.retry_pause),
        faults=given.faults,
        seed=given.seed,
        verbose=given.verbose,
    )
    return settings, given


def _rules(text: str) -> tuple[Rule, ...]:
    try:
        return tuple(parse(order) for order in json.loads(text))
    except (ValueError, TypeError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal ends it."""
    settings, given = _settings(arguments)
    ended = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    # Before the first line is out: whoever reads it may end this at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with Provider(settings) as provider:
        print(f"provider: {provider.url}", flush=True)
        if not given.token:
            print(f"token: {provider.token}", flush=True)
        if not given.webhook_key:
            print(f"webhook-key: {provider.webhook_key}", flush=True)
        ended.wait()
    return 0
