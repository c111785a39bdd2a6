"""`python -m simulator` runs the simulator until a signal ends it."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from threading import Event
from types import FrameType

from simulator.control_bodies import ControlError, validated
from simulator.faults import Fault
from simulator.provider import Pace, Provider, Settings, secret

DESCRIPTION = """\
A simulator of GatewayAPI for any client: it answers POST /mobile/single and /mobile/multi as the provider does,
sends signed status webhooks, and can inject faults. It sends no SMS. A page at / shows the phones.
docs/simulator.md describes it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    options = _parser().parse_args(arguments)
    ended = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    # Before the first line is printed: a reader of that line may send a signal at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    settings = _settings(options)
    try:
        provider = Provider(settings)
    except OSError as error:
        print(f"The simulator cannot listen on {options.host}:{options.port}: {error.strerror}.", file=sys.stderr)
        return 1
    with provider:
        lines = [f"phones: {provider.url}/", f"provider: {provider.url}"]
        if not options.token:
            lines.append(f"token: {settings.token}")
        if not options.webhook_key:
            lines.append(f"webhook-key: {settings.webhook_key}")
        print("\n".join(lines), flush=True)
        ended.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pace = Pace()
    listening = parser.add_argument_group("where it listens")
    listening.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    listening.add_argument("--port", type=_port, default=0, help="the port; 0 uses any free port (%(default)s)")
    listening.add_argument("--token", help="the API token that is accepted; random if not given")
    webhooks = parser.add_argument_group("webhooks")
    webhooks.add_argument("--webhook-url", metavar="URL", help="where webhooks are sent; none are sent without it")
    webhooks.add_argument("--webhook-key", metavar="KEY", help="the key that signs webhooks; random if not given")
    webhooks.add_argument(
        "--webhook-workers",
        type=int,
        default=pace.workers,
        metavar="N",
        help="webhooks in flight at once (%(default)s)",
    )
    for name, default, text in (
        ("--enroute-delay", pace.enroute_s, "seconds from acceptance to ENROUTE (%(default)s)"),
        ("--final-delay", pace.final_s, "seconds from acceptance to the final status (%(default)s)"),
        ("--retry-pause", pace.retry_s, "seconds until a webhook is repeated; doubled up to 30 (%(default)s)"),
    ):
        webhooks.add_argument(name, type=float, default=default, metavar="SECONDS", help=text)
    faults = parser.add_argument_group("faults")
    faults.add_argument("--faults", type=_faults, default=(), metavar="JSON", help="a list of faults to start with")
    faults.add_argument("--seed", type=int, metavar="N", help="makes faults with a probability repeatable")
    parser.add_argument(
        "--stack",
        metavar="NAME",
        help="a deployed stack to show on the page, found by the AWS environment",
    )
    parser.add_argument("--verbose", action="store_true", help="log every request to stderr")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        host=options.host,
        port=options.port,
        token=options.token or secret(),
        webhook_url=options.webhook_url,
        webhook_key=options.webhook_key or secret(),
        pace=Pace(options.enroute_delay, options.final_delay, options.webhook_workers, options.retry_pause),
        faults=options.faults,
        seed=options.seed,
        stack=options.stack,
        verbose=options.verbose,
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004 - the range of ports
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _faults(text: str) -> tuple[Fault, ...]:
    try:
        given = json.loads(text)
        return tuple(validated(Fault, fault) for fault in (given if isinstance(given, list) else [given]))
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    except ControlError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
