"""The fake services from the measuring side: started, counted, hung up on, and ended."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.runtime import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.certificates import Tls


@dataclass(frozen=True, slots=True)
class Services:
    """Where AWS and the provider listen, and with TLS the authorities to trust."""

    aws: str
    provider: str
    authorities: Path | None = None

    def variables(self) -> dict[str, str]:
        """Return what leads a function to them; each library has its own name for the authorities."""
        variables = {"AWS_ENDPOINT_URL": self.aws, "GATEWAYAPI_URL": self.provider}
        if self.authorities is not None:
            names = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
            variables |= dict.fromkeys(names, str(self.authorities))
        return variables

    def counts(self) -> dict[str, int]:
        """Return the calls and the new connections since this was asked for last."""
        counts: dict[str, int] = json.loads(self._ask("/benchmark/counts"))
        return {name: count for name, count in counts.items() if count}

    def hang_up(self) -> None:
        """Have every connection closed without a word."""
        self._ask("/benchmark/hangup")

    def _ask(self, path: str) -> bytes:
        context = ssl.create_default_context(cafile=self.authorities) if self.authorities else None
        with urllib.request.urlopen(self.aws + path, timeout=10, context=context) as answer:
            return bytes(answer.read())


@contextmanager
def serving(tls: Tls | None = None) -> Iterator[Services]:
    """Start both services in a process of their own, and end it."""
    files = [str(tls.certificate), str(tls.key)] if tls else []
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.fake", *files],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        scheme = "https" if tls else "http"
        urls = {name: f"{scheme}://127.0.0.1:{port}" for name, port in ports.items()}
        yield Services(urls["aws"], urls["provider"], tls.authorities if tls else None)
    finally:
        process.communicate()
