"""Lambda as far as a function's processor time depends on it: its folders, its environment, its Runtime API.

The folders are searched in Lambda's order: the function's code as source only, since SAM ships it so; then the layer
as its Makefile builds it; then what the runtime brings, boto3 above all, with its byte code.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
HERE = Path(__file__).parent

RUNTIME = (
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
)
PEER = (
    "annotated-types",
    "aws-lambda-powertools",
    "certifi",
    "charset-normalizer",
    "idna",
    "jmespath",
    "pydantic",
    "pydantic-core",
    "requests",
    "typing-extensions",
    "typing-inspection",
    "urllib3",
)
INVOCATION = "/2018-06-01/runtime/invocation"


@dataclass(frozen=True, slots=True)
class Function:
    """One measured function: its module, and the folders that it is searched in."""

    name: str
    module: str
    folders: tuple[Path, ...]


def functions(root: Path) -> dict[str, Function]:
    """Lay out the folders under `root`, and return the functions by name."""
    runtime = _linked(root / "runtime", RUNTIME)
    peer = _linked(root / "peer", PEER)
    layer = build_layer(root / "layer")
    for folder in (runtime, peer):
        _run(sys.executable, "-m", "compileall", "-q", str(folder))
    laid_out = {}
    for name in ("sender", "webhook"):
        task = root / "tasks" / name
        shutil.copytree(PROJECT / "functions" / name, task, ignore=shutil.ignore_patterns("__pycache__"))
        laid_out[name] = Function(name, name, (task, layer, runtime))
    for name, libraries in (
        ("floor", ()),
        ("least_sender", ()),
        ("least_webhook", ()),
        ("peer_sender", (peer,)),
        ("peer_webhook", (peer,)),
    ):
        task = root / "tasks" / name
        task.mkdir()
        shutil.copy(HERE / f"{name}.py", task)
        laid_out[name] = Function(name, name, (task, *libraries, runtime))
    return laid_out


def build_layer(root: Path) -> Path:
    """Build the layer as `sam build` does, with byte code for this Python, and return its folder of packages."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    _run(
        "make",
        "-s",
        "-C",
        str(PROJECT / "layers/gatewayapi"),
        "build-GatewayApiLayer",
        f"ARTIFACTS_DIR={root}",
        f"PYTHON={sys.executable}",
        f"PYTHON_RUNTIME=python{version}",
        f"BYTE_CODE_FOR={version}",
    )
    return root / "python"


def environment(services: Services, function: Function) -> dict[str, str]:
    """Return the whole environment of a function: Lambda's, the template's, and where the fakes listen."""
    account = "eu-west-1:123456789012"
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(map(str, function.folders)),
        "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's disk is read-only
        "LAMBDA_TASK_ROOT": str(function.folders[0]),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "ASIABENCHMARKBENCHMA",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_SESSION_TOKEN": "benchmark" * 60,
        "TABLE_NAME": "gatewayapi-benchmark",
        "IDEMPOTENCY_TABLE": "gatewayapi-benchmark-idempotency",
        "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/queue",
        "URGENT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/urgent",
        "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters",
        "TOKEN_SECRET_ARN": f"arn:aws:secretsmanager:{account}:secret:token-AbCdEf",
        "WEBHOOK_KEY_SECRET_ARN": f"arn:aws:secretsmanager:{account}:secret:key-AbCdEf",
        "DEFAULT_SENDER": "",
        "UNCERTAIN_SENDS": "Hold",
        "RECONCILE_AFTER_S": "900",
        "RETENTION_DAYS": "90",
        "MAX_RECEIVE_COUNT": "8",
        "MAX_EVENT_AGE_S": "604800",
        "SEND_MODE": "Live",
        "ALLOWED_PREFIXES": "",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_SERVICE_NAME": function.name,
        "POWERTOOLS_METRICS_NAMESPACE": "GatewayApi",
        **services.variables(),
    }


def command(*arguments: str) -> list[str]:
    """Return the start of a Python that sees its own library and PYTHONPATH, and nothing else installed here."""
    return [sys.executable, "-S", *arguments]


class RuntimeApi:
    """The Runtime API of one function: hands out one event, and waits until the next is asked for."""

    def __init__(self, event: Any) -> None:  # noqa: ANN401 - any JSON
        self.answer: Any = None
        self.idle = threading.Event()
        self._event = json.dumps(event).encode()
        self._closing = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api.next(self)

            def do_POST(self) -> None:
                api.take(self)

            def log_message(self, *arguments: Any) -> None:  # noqa: ANN401 - the base class's own
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End it, and every request that still waits."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next(self, request: BaseHTTPRequestHandler) -> None:
        """Answer with the event the first time, and not at all from then on."""
        if self.answer is not None:
            self.idle.set()
            self._closing.wait()
            return
        request.send_response(200)
        request.send_header("Lambda-Runtime-Aws-Request-Id", "52fdfc07-2182-454f-963f-5f0f9a621d72")
        request.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
        request.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:f")
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(self._event)))
        request.end_headers()
        request.wfile.write(self._event)

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Take the function's answer, or its error."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.answer = json.loads(body) if request.path.endswith("/response") else {"failed": body.decode()}
        request.send_response(202)
        request.send_header("Content-Length", "0")
        request.end_headers()
        if not request.path.startswith(INVOCATION):  # an error before the first event: there will be no next
            self.idle.set()


def cold_start(function: Function, event: Any, services: Services) -> float:  # noqa: ANN401 - any JSON
    """Return the seconds of processor time from a function's spawn to its wait for a second event."""
    api = RuntimeApi(event)
    variables = environment(services, function) | {"AWS_LAMBDA_RUNTIME_API": api.address}
    process = subprocess.Popen(
        command("-m", "awslambdaric", f"{function.module}.handler"),
        env=variables,
        cwd=function.folders[0],
        stdout=subprocess.DEVNULL,
    )
    try:
        api.idle.wait(60)
    finally:
        process.send_signal(signal.SIGKILL)
        _, process.returncode, usage = os.wait4(process.pid, 0)
        api.close()
    if not _succeeded(api.answer):
        raise RuntimeError(f"{function.name} answered {api.answer!r}")
    return usage.ru_utime + usage.ru_stime


class Warm:
    """A function in a process that stays, to be run again and again."""

    def __init__(self, function: Function, event_file: Path, services: Services) -> None:
        self._name = function.name
        self._process = subprocess.Popen(
            command(str(HERE / "worker.py"), function.module, str(event_file)),
            env=environment(services, function),
            cwd=function.folders[0],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, invocations: int) -> float:
        """Return the seconds of processor time of this many invocations."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{invocations}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended")
        used_s, answer = json.loads(line)
        if not _succeeded(answer):
            raise RuntimeError(f"{self._name} answered {answer!r}")
        return float(used_s)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def _succeeded(answer: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(answer, dict) and (
        answer.get("batchItemFailures") == [] or answer.get("statusCode") == 200  # noqa: PLR2004 - HTTP's OK
    )


def _linked(folder: Path, distributions: Iterable[str]) -> Path:
    folder.mkdir(parents=True)
    for name in distributions:
        files = importlib.metadata.files(name) or []
        for top in {Path(file).parts[0] for file in files} - {"..", "__pycache__"}:
            place = Path(str(importlib.metadata.distribution(name).locate_file(top)))
            if place.exists() and not place.name.endswith(".dist-info"):
                (folder / top).symlink_to(place)
    return folder


def _run(*arguments: str) -> None:
    subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
