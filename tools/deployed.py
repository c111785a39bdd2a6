"""A deployed stack, on AWS or on the local AWS of `make local`, found by its name.

The environment decides which of the two, as for every AWS program: credentials, region and AWS_ENDPOINT_URL.
"""

import argparse
import os
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from tools.command import FIRST_EXPORT, CommandError

DEFAULT_NAME = "gatewayapi"
CONFIGS = {
    # A function can take 15 minutes. A second attempt would start it again meanwhile.
    "lambda": Config(read_timeout=900, retries={"total_max_attempts": 1}),
}


class Deployed:
    """The stack of this name: its outputs, its parameters and clients for its services."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.session = botocore.session.get_session()
        # An environment of AWS Lambda or of an SDK for another language may have only this one.
        if not self.session.get_config_variable("region") and (region := os.environ.get("AWS_REGION")):
            self.session.set_config_variable("region", region)
        self._clients: dict[str, Any] = {}
        try:
            stack = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            region = self.session.get_config_variable("region")
            hint = "" if os.environ.get("AWS_ENDPOINT_URL") else f" {FIRST_EXPORT}"
            raise CommandError(f"There is no stack {name!r} in {region}. Name another with STACK=….{hint}") from error
        self.parameters = {it["ParameterKey"]: str(it["ParameterValue"]) for it in stack.get("Parameters", [])}
        self._outputs = {it["OutputKey"]: str(it["OutputValue"]) for it in stack.get("Outputs", [])}

    def output(self, name: str) -> str:
        """Return an output of the stack."""
        try:
            return self._outputs[name]
        except KeyError:
            raise CommandError(
                f"The stack {self.name!r} has no output {name}. It is another stack, or an older version: update it."
            ) from None

    def client(self, service: str) -> Any:  # noqa: ANN401 - AWS's clients have no common type
        """Return a client of a service."""
        if service not in self._clients:
            self._clients[service] = self.session.create_client(service, config=CONFIGS.get(service))
        return self._clients[service]

    def url(self, output: str) -> str:
        """Return where the URL of an output can be reached from here."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        return on_local_aws(endpoint, self.output(output)) if endpoint else self.output(output)


def on_local_aws(endpoint: str, url: str) -> str:
    """Return where the local AWS serves a URL that API Gateway would serve on AWS."""
    parts = urlsplit(url)
    return f"{endpoint}/_aws/execute-api/{parts.netloc.split('.')[0]}{parts.path}"


def command_parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser for a command that works on a deployed stack."""
    parser = argparse.ArgumentParser(prog=f"make {command}", description=description)
    parser.add_argument("--stack", default=DEFAULT_NAME, metavar="NAME", help="the stack's name (%(default)s)")
    return parser
