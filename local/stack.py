"""The stack of template.yaml on one machine: a local AWS, the provider's simulator, and the real `sam` between them.

    with Stack(progress=print) as stack:
        stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody="…")

Everything listens on loopback and keeps its files in a temporary folder, which is deleted however the run ends.
IAM is enforced, so a function can do what its role allows and nothing else.
"""

import json
import os
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
from local.emulator import ACCESS_KEY, REGION, SECRET_KEY, Emulator, require_free
from local.processes import Processes
from local.waiting import REQUEST_S, answers, wait_for
from tools.command import CommandError
from tools.deployed import on_local_aws

NAME = "gatewayapi"
FORBIDDEN = 403


class Stack:
    """The deployed stack, from `with` to the end of its block.

    `parameters` override the template's. `built` is a template that `sam build` has written; without one, the
    template is built. `port` is for the local AWS and `page_port` for the simulator; 0 means any free one. `provider`
    holds further arguments of `python -m simulator`. `progress` is called with a line for each step.
    """

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        *,
        built: Path | None = None,
        port: int = 0,
        page_port: int = 0,
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
        self._built = built
        self.provider_url = self.webhook_url = self.sign_url = self.webhook_key = ""
        self._port, self._page_port = port, page_port
        self._repaired: dict[str, object] = {}
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
        """The run's folder, with `aws.log` and `provider.log`. It is deleted at the end."""
        return self._processes.folder

    @property
    def endpoint(self) -> str:
        """The local AWS's address: the value for AWS_ENDPOINT_URL."""
        return self._aws.endpoint

    def client(self, service: str) -> Any:  # noqa: ANN401 - AWS's clients have no common type
        """Return a client of the local AWS with the administrator's rights."""
        return self._aws.client(service)

    def deploy(self, template: Path, *, name: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Deploy another template beside this one, such as a consumer's, and return its outputs."""
        outputs = sam.deploy(self._processes, self._aws, template, name=name, parameters=parameters)
        self.repair_mappings()
        return outputs

    def logs(self, function: str) -> list[str]:
        """Return the log of a function, `sender` or `webhook`, oldest line first."""
        pages = self.client("logs").get_paginator("filter_log_events")
        group = f"/aws/lambda/{NAME}-{function}"
        events = [event for page in pages.paginate(logGroupName=group) for event in page["events"]]
        return [str(event["message"]).rstrip("\n") for event in sorted(events, key=lambda it: it["timestamp"])]

    def repair_mappings(self) -> None:
        """Repair the event source mappings of all stacks on the local AWS.

        The local AWS keeps a number that comes from a template parameter as text, and then fails to poll the queue.
        Its API shows text and number alike, so every mapping is written again after each change that others made.
        """
        functions = self.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            limit = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
            if limit is None or self._repaired.get(mapping["UUID"]) == mapping["LastModified"]:
                continue
            scaling = {"MaximumConcurrency": int(limit)}
            repaired = functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=scaling)
            self._repaired[mapping["UUID"]] = repaired["LastModified"]

    def _start(self) -> None:
        require_free(self._port, "--port")
        require_free(self._page_port, "--page-port")
        # The build needs no server, so it runs while they start.
        self._report("building")
        with ThreadPoolExecutor(max_workers=1) as beside:
            building = beside.submit(lambda: self._built or sam.build(self._processes))
            try:
                self._aws = Emulator(self._processes, self._port)
                self._report(f"local AWS at {self.endpoint}")
                self._start_provider()
                self._report(f"provider's simulator at {self.provider_url}")
                self.template = building.result()
                self._report("built")
            except BaseException:
                self._processes.close()  # it ends the build too, for which this block would wait
                raise
        self._report("deploying")
        self.outputs = sam.deploy(
            self._processes,
            self._aws,
            self.template,
            name=NAME,
            parameters={"GatewayApiUrl": self.provider_url, **self.parameters},
        )
        self._complete()
        self._set_webhook()
        self._report("ready")

    def _start_provider(self) -> None:
        log = self.folder / "provider.log"
        arguments = ["--token", self.token, "--port", str(self._page_port), *self._provider_arguments]
        with log.open("w") as output:
            process = self._processes.start(
                [sys.executable, "-m", "simulator", *arguments],
                {**sam.own_environment(), **self._for_page(), "TMPDIR": str(self.folder)},
                output=output,
                directory=sam.PROJECT,
            )
        line = re.compile(r"^provider: (\S+)\n", re.MULTILINE)
        wait_for(lambda: process.poll() is not None or bool(line.search(log.read_text())), "the provider's simulator")
        found = line.search(log.read_text())
        if not found:
            raise CommandError(f"The provider's simulator does not start:\n{log.read_text()}")
        self.provider_url = found[1]

    def _for_page(self) -> dict[str, str]:
        """Return what the simulator's page needs to read the stack: the local AWS, and the layer's package."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PYTHONPATH": str(sam.PROJECT / "layers" / "gatewayapi"),
        }

    def _complete(self) -> None:
        """Set what the local AWS does not take from the template."""
        self.repair_mappings()
        self.client("dynamodb").update_time_to_live(
            TableName=self.outputs["TableName"],
            TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
        )

    def _set_webhook(self) -> None:
        """Give the simulator the webhook's URL and key, as a person enters them in GatewayAPI's dashboard."""
        self.webhook_url = on_local_aws(self.endpoint, self.outputs["WebhookUrl"])
        self.sign_url = on_local_aws(self.endpoint, self.outputs["SignUrl"])
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.outputs["WebhookKeySecretArn"])
        self.webhook_key = str(secret["SecretString"])
        # The API itself answers a request without a signature of AWS.
        wait_for(lambda: answers(self.sign_url, FORBIDDEN, b"{}"), "the API")
        self._control("webhook", {"url": self.webhook_url, "key": self.webhook_key})
        self._control("stack", {"name": NAME})

    def _control(self, route: str, body: Mapping[str, str]) -> None:
        request = urllib.request.Request(
            f"{self.provider_url}/_control/{route}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=REQUEST_S):
            pass

    def _report(self, line: str) -> None:
        self._progress(f"{time.monotonic() - self._began:5.1f} s  {line}")
