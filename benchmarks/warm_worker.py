"""Runs a function's handler repeatedly in one process, and prints the processor time.

It runs as a child process with the function's own search path, so it imports nothing of this project. Each line of
standard input is a number of invocations. Each line of standard output is their processor seconds and the last
response. What the function itself prints is discarded.
"""

import copy
import importlib
import json
import os
import sys
import time
from pathlib import Path


class Context:
    """The attributes of Lambda's context that the functions and Powertools read."""

    function_name = "function"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"
    tenant_id = None

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the whole timeout of the function."""
        return 30_000


def main(module: str, event_file: str) -> None:
    """Run until standard input ends."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    handler = importlib.import_module(module).handler
    event = json.loads(Path(event_file).read_text())
    context = Context()
    answer = None
    for line in sys.stdin:
        events = [copy.deepcopy(event) for _ in range(int(line))]
        started = time.process_time()
        for copied in events:
            answer = handler(copied, context)
        used = time.process_time() - started
        print(json.dumps([used, answer]), file=results, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
