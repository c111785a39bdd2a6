"""Runs functions as Lambda does, cold under awslambdaric or warm in a process that stays, and measures them."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.layout import HERE, Function, environment, python
from benchmarks.services import Services

INVOCATION = "/2018-06-01/runtime/invocation"
TIMEOUT_S = 60
HEADERS = {
    "Lambda-Runtime-Aws-Request-Id": "52fdfc07-2182-454f-963f-5f0f9a621d72",
    "Lambda-Runtime-Deadline-Ms": "4102444800000",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:function",
    "Content-Type": "application/json",
}


def cold_start(function: Function, event: Any, services: Services) -> float:  # noqa: ANN401 - any JSON
    """Return the processor seconds from the start of a function's process until it asks for a second event."""
    api = RuntimeApi(event)
    process = subprocess.Popen(
        python("-m", "awslambdaric", f"{function.name}.handler"),
        env=environment(function, services) | {"AWS_LAMBDA_RUNTIME_API": api.address},
        cwd=function.folders[0],
        stdout=subprocess.DEVNULL,
    )
    try:
        api.idle.wait(TIMEOUT_S)
    finally:
        process.kill()
        _, process.returncode, usage = os.wait4(process.pid, 0)
        api.close()
    check(function, api.answer)
    return usage.ru_utime + usage.ru_stime


class RuntimeApi:
    """Lambda's Runtime API for one function: it hands out one event, and `idle` is set when the next is asked for."""

    def __init__(self, event: Any) -> None:  # noqa: ANN401 - any JSON
        self.answer: Any = None
        self.idle = threading.Event()
        self._event = json.dumps(event).encode()
        self._over = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api.next(self)

            def do_POST(self) -> None:
                api.take(self)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop the server, and end every request that is still open."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next(self, request: BaseHTTPRequestHandler) -> None:
        """Answer the first request with the event, and no later one."""
        if self.answer is not None:
            self.idle.set()
            self._over.wait()
            request.close_connection = True
            return
        request.send_response(200)
        for name, value in HEADERS.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(self._event)))
        request.end_headers()
        request.wfile.write(self._event)

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Receive the function's response, or its error."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.answer = json.loads(body) if request.path.endswith("/response") else {"failed": body.decode()}
        request.send_response(202)
        request.send_header("Content-Length", "0")
        request.end_headers()
        if not request.path.startswith(
            INVOCATION
        ):  # the function failed before its first event and will ask for none
            self.idle.set()


class WarmFunction:
    """A function in a process that stays, as in a warm Lambda environment."""

    def __init__(self, function: Function, event_file: Path, services: Services) -> None:
        self._function = function
        self._process = subprocess.Popen(
            python("-W", "ignore", str(HERE / "warm_worker.py"), function.name, str(event_file)),
            env=environment(function, services),
            cwd=function.folders[0],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self._process.pid

    def run(self, invocations: int) -> float:
        """Return the processor seconds of this many invocations."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{invocations}\n")
        self._process.stdin.flush()
        used_s, answer = json.loads(self._process.stdout.readline() or "[0, null]")
        check(self._function, answer)
        return float(used_s)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def check(function: Function, answer: Any) -> None:  # noqa: ANN401 - any JSON
    """Raise RuntimeError unless the function succeeded, because a failure takes less time."""
    handled = isinstance(answer, dict) and (answer.get("batchItemFailures") == [] or answer.get("statusCode") == 200)
    if not handled:
        raise RuntimeError(f"{function.name} answered {answer!r}")
