"""Starts `simulated_services`, reads its counts, and ends it."""

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import botocore

from tests.layer.certificates import self_signed

PROJECT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Services:
    """The URLs of the simulated AWS and provider, and with TLS the certificate authorities to trust."""

    aws: str
    provider: str
    authorities: Path | None = None

    def variables(self) -> dict[str, str]:
        """Return the environment variables for a function. Every library has another one for the authorities."""
        variables = {"AWS_ENDPOINT_URL": self.aws, "GATEWAYAPI_URL": self.provider}
        if self.authorities is not None:
            names = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
            variables |= dict.fromkeys(names, str(self.authorities))
        return variables

    def counts(self) -> dict[str, int]:
        """Return the calls and the new connections since the last call of this method."""
        counts: dict[str, int] = json.loads(self._ask("/benchmark/counts"))
        return {name: count for name, count in counts.items() if count}

    def close_connections(self) -> None:
        """Close every connection of the simulated services without a notice."""
        self._ask("/benchmark/close")

    def _ask(self, path: str) -> bytes:
        context = ssl.create_default_context(cafile=self.authorities) if self.authorities else None
        with urllib.request.urlopen(self.aws + path, timeout=10, context=context) as answer:
            return bytes(answer.read())


@contextmanager
def serving(folder: Path, *, tls: bool = False) -> Iterator[Services]:
    """Run both services in a process of their own; `folder` takes the files for TLS."""
    files: tuple[Path, ...] = ()
    authorities = None
    if tls:
        folder.mkdir()
        files = (self_signed(folder)[0], folder / "key.pem")
        # Reading the authorities is most of what TLS costs a function, so the bundle contains all of botocore's too.
        authorities = folder / "authorities.pem"
        bundled = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
        authorities.write_bytes(bundled + b"\n" + files[0].read_bytes())
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.simulated_services", *map(str, files)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        scheme = "https" if tls else "http"
        urls = {name: f"{scheme}://127.0.0.1:{port}" for name, port in ports.items()}
        yield Services(urls["aws"], urls["provider"], authorities)
    finally:
        process.communicate()
