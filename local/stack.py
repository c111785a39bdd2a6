"""The stack of template.yaml on one machine: a local AWS, the provider's simulator, and the real `sam` between them.

    with Stack(progress=print) as stack:
        stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody="…")

Everything listens on loopback at ports that were free, lives in a temporary folder, and is gone afterwards however
the run ends. IAM is enforced, so a function can do what its role allows and nothing else.
"""

import json
import platform
import re
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local import sam
from local.emulator import Emulator
from local.processes import Processes
from local.waiting import REQUEST_S, answers, wait_for
from tools.deployed import on_local_aws

NAME = "gatewayapi"
FORBIDDEN = 403


class Stack:
    """The deployed stack, from `with` to the end of its block.

    `parameters` override the template's; `provider` holds further arguments of `python -m simulator`;
    `progress` is called with a line for each step.
    """

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        *,
        provider: Iterable[str] = (),
        progress: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.token = uuid.uuid4().hex
        self.parameters = {
            "GatewayApiToken": self.token,
            "PythonRuntime": f"python{sam.PYTHON}",
            "Architecture": "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64",
            **(parameters or {}),
        }
        self.outputs: dict[str, str] = {}
        self.provider_url = self.webhook_url = self.sign_url = self.webhook_key = ""
        self._provider_arguments = tuple(provider)
        self._progress = progress
        self._began = time.monotonic()
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        with ExitStack() as closing:
            self._processes = Processes()
            closing.callback(self._processes.close)
            self._start()
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def folder(self) -> Path:
        """The run's folder, with `aws.log` and `provider.log`; it goes with the run."""
        return self._processes.folder

    @property
    def endpoint(self) -> str:
        """Where the local AWS listens: the value for AWS_ENDPOINT_URL."""
        return self._aws.endpoint

    def client(self, service: str) -> Any:  # noqa: ANN401 - AWS's clients have no common type
        """Return a client of the local AWS with the administrator's rights."""
        return self._aws.client(service)

    def deploy(self, template: Path, *, name: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Deploy another template beside this one, such as a consumer's, and return its outputs."""
        return sam.deploy(self._processes, self._aws, template, name=name, parameters=parameters)

    def logs(self, function: str) -> list[str]:
        """Return the log of a function, `sender` or `webhook`, oldest line first."""
        pages = self.client("logs").get_paginator("filter_log_events")
        group = f"/aws/lambda/{NAME}-{function}"
        events = [event for page in pages.paginate(logGroupName=group) for event in page["events"]]
        return [str(event["message"]).rstrip("\n") for event in sorted(events, key=lambda it: it["timestamp"])]

    def _start(self) -> None:
        # Building needs neither server, so it goes beside them.
        self._say("building")
        with ThreadPoolExecutor(max_workers=1) as beside:
            building = beside.submit(sam.build, self._processes)
            try:
                self._aws = Emulator(self._processes)
                self._say(f"local AWS at {self.endpoint}")
                self._start_provider()
                self._say(f"provider's simulator at {self.provider_url}")
                template = building.result()
                self._say("built")
            except BaseException:
                self._processes.close()  # ends the build too, which this block would wait for
                raise
        self._say("deploying")
        self.outputs = sam.deploy(
            self._processes,
            self._aws,
            template,
            name=NAME,
            parameters={"GatewayApiUrl": self.provider_url, **self.parameters},
        )
        self._complete()
        self._introduce()
        self._say("ready")

    def _start_provider(self) -> None:
        log = self.folder / "provider.log"
        with log.open("w") as output:
            process = self._processes.start(
                [sys.executable, "-m", "simulator", "--token", self.token, *self._provider_arguments],
                {**sam.own_environment(), "TMPDIR": str(self.folder)},
                output=output,
                directory=sam.PROJECT,
            )
        line = re.compile(r"^provider: (\S+)\n", re.MULTILINE)
        wait_for(lambda: process.poll() is not None or bool(line.search(log.read_text())), "the provider's simulator")
        found = line.search(log.read_text())
        if not found:
            raise OSError(f"the provider's simulator does not start:\n{log.read_text()}")
        self.provider_url = found[1]

    def _complete(self) -> None:
        """Do what this AWS leaves undone of the template."""
        functions = self.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            # A number that came through a parameter was stored as text, and the mapping's poller fails on that.
            limit = int(mapping["ScalingConfig"]["MaximumConcurrency"])
            functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": limit})
        self.client("dynamodb").update_time_to_live(
            TableName=self.outputs["TableName"],
            TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
        )

    def _introduce(self) -> None:
        """Tell the provider where its webhooks go, as its dashboard is told for a stack on AWS."""
        self.webhook_url = on_local_aws(self.endpoint, self.outputs["WebhookUrl"])
        self.sign_url = on_local_aws(self.endpoint, self.outputs["SignUrl"])
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.outputs["WebhookKeySecretArn"])
        self.webhook_key = str(secret["SecretString"])
        # The API's own answer to a request that nobody signed.
        wait_for(lambda: answers(self.sign_url, FORBIDDEN, b"{}"), "the API")
        webhook = {"url": self.webhook_url, "key": self.webhook_key}
        order = json.dumps(webhook).encode()
        url, headers = f"{self.provider_url}/_control/webhook", {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, order, headers), timeout=REQUEST_S):
            pass

    def _say(self, line: str) -> None:
        self._progress(f"{time.monotonic() - self._began:5.1f} s  {line}")
