"""A warm function: runs a handler as often as it is told, and says what processor time that took.

It runs in a child with the function's own search path, so it imports nothing of this project. Each line of standard
input is a number of invocations, each line of standard output the seconds that they took and the last answer; what
the function itself prints goes nowhere.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import sys
import time
from pathlib import Path


class Context:
    """What the functions and Powertools read of Lambda's context."""

    function_name = "function"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"
    tenant_id = None

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return a function time-out, just begun."""
        return 30_000


def main(module: str, event_file: str) -> None:
    """Serve until standard input ends."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    handler = importlib.import_module(module).handler
    event = json.loads(Path(event_file).read_text())
    context = Context()
    answer = None
    for line in sys.stdin:
        events = [copy.deepcopy(event) for _ in range(int(line))]
        started = time.process_time()
        for each in events:
            answer = handler(each, context)
        used = time.process_time() - started
        print(json.dumps([used, answer]), file=results, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
