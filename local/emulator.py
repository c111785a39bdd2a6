"""The local AWS: ministack on one loopback port, with IAM enforced, in the run's folder."""

import os
import socket
import sys
from pathlib import Path
from subprocess import Popen
from typing import Any

import botocore.session
from botocore.config import Config

from local.processes import Processes
from local.waiting import answers, wait_for
from tools.command import CommandError

REGION = "eu-west-1"
# The credentials of the account's root user. The functions get credentials of their roles.
ACCESS_KEY, SECRET_KEY = "test", "test"
# Another program can take a free port before the local AWS listens there.
PORTS_TRIED = 5
OK = 200


class Emulator:
    """A running local AWS, at the given port or at any free one."""

    def __init__(self, processes: Processes, port: int = 0) -> None:
        self._session = botocore.session.Session()
        self._clients: dict[str, Any] = {}
        self.log = processes.folder / "aws.log"
        for _ in range(PORTS_TRIED):
            chosen = port or _free_port()
            with self.log.open("w") as log:
                process = processes.start(
                    [sys.executable, "-m", "ministack"],
                    _environment(chosen, processes.folder),
                    output=log,
                    directory=processes.folder,
                )
            if self._listens(process):
                break
        else:
            raise CommandError(f"The local AWS does not start:\n{self.log.read_text()}")
        self.endpoint = f"http://127.0.0.1:{chosen}"
        wait_for(lambda: answers(f"{self.endpoint}/_ministack/ready", OK), "the local AWS")

    def client(self, service: str) -> Any:  # noqa: ANN401 - AWS's clients have no common type
        """Return a client with the administrator's rights."""
        if service not in self._clients:
            self._clients[service] = self._session.create_client(
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key=SECRET_KEY,
                config=Config(retries={"total_max_attempts": 2}, max_pool_connections=50),
            )
        return self._clients[service]

    def _listens(self, process: Popen[str]) -> bool:
        # Read from its own log, because another run's local AWS could answer at the port.
        wait_for(lambda: process.poll() is not None or "Running on" in self.log.read_text(), "the local AWS's port")
        return process.poll() is None


def _environment(port: int, folder: Path) -> dict[str, str]:
    # The functions inherit this, so it has no more than Lambda's own environment.
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        # Without these, two more ports would be opened.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def require_free(port: int, option: str) -> None:
    """Raise CommandError if another program listens at a port that was chosen with this option."""
    if not _is_free(port):
        raise CommandError(f"Port {port} is taken. Stop the program that uses it, or choose another with {option}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the servers do: a closed connection is no owner
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
