"""A stack that is deployed somewhere, seen through its outputs: on AWS, or on the local AWS of `make local`.

Which of the two is decided as everywhere with AWS: by the environment's credentials, region and AWS_ENDPOINT_URL.
"""

import os
import sys
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError


class Deployed:
    """The stack of this name."""

    def __init__(self, name: str) -> None:
        self.session = botocore.session.get_session()
        try:
            stack = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except (ClientError, BotoCoreError) as error:
            # Most often the wrong region or no credentials: the SDK's own words say which.
            sys.exit(f"the stack {name!r} cannot be described: {error}")
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def client(self, service: str) -> Any:  # noqa: ANN401 - AWS's clients have no common type
        """Return a client of a service."""
        return self.session.create_client(service)

    def url(self, output: str) -> str:
        """Return where the URL of an output can be reached from here."""
        url = self.outputs[output]
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        return on_local_aws(endpoint, url) if endpoint else url


def on_local_aws(endpoint: str, url: str) -> str:
    """Return where a URL that API Gateway has on AWS is found on the local one."""
    parts = urlsplit(url)
    return f"{endpoint}/_aws/execute-api/{parts.netloc.split('.')[0]}{parts.path}"
