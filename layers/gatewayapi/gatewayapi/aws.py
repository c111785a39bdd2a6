"""The AWS clients of this process. All share one session, and each is made when it is first needed.

A second session would read the service models again. boto3 would load resources that are not used here. Other work of
botocore that these three services do not need is left out through its public extension points. docs/performance.md
has the measurements.
"""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import get_session

from gatewayapi import tls

if TYPE_CHECKING:
    from botocore.session import Session

SERVICES = ["dynamodb", "secretsmanager", "sqs"]
CONNECT_TIMEOUT_S = 1
READ_TIMEOUT_S = 1.5

# botocore makes two short attempts, which covers a lost connection. The queue retries after longer failures. botocore
# adds an idempotency token to a transaction, so the second attempt cannot write twice. botocore pauses for up to one
# second between the attempts. So if DynamoDB does not answer, a call on an open connection fails after 4 seconds: the
# provider waits 5 seconds for the response to a webhook. If connections must be made too, a call takes up to 6
# seconds.
CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT_S,
    read_timeout=READ_TIMEOUT_S,
    retries={"mode": "standard", "total_max_attempts": 2},
    # The tests make their clients with validation instead.
    parameter_validation=False,
    # botocore would build its default twice for each request. This value is also easy to find in CloudTrail.
    user_agent="gatewayapi-serverless",
)


@cache
def session() -> Session:
    """Return the session that all clients share."""
    made = get_session()
    made.register_component("data_loader", _Models(file_loader=_Files()))
    return made


@cache
def client(service: str) -> Any:  # noqa: ANN401 - botocore makes the class at run time
    """Return the client of a service, made once."""
    made = session().create_client(service, config=CONFIG)
    events: Any = made.meta.events  # the stubs have no type for a handler that returns a value
    events.register("before-send", _send)
    # With another protocol, botocore serialises the writes itself.
    if service == "dynamodb" and _protocol(made.meta.service_model) == "json":
        events.register("provide-client-params.dynamodb.TransactWriteItems", _set_aside)
        events.register("before-call.dynamodb.TransactWriteItems", _write)
    return made


def _protocol(model: Any) -> str:  # noqa: ANN401 - botocore's ServiceModel, whose stubs lack this property
    """Return the protocol of a service's requests; before botocore 1.35, a service has only one."""
    return getattr(model, "resolved_protocol", None) or str(model.metadata["protocol"])


class _Models(Loader):
    """botocore's service models, found by name. botocore would list the folders of all its 400 services, twice."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's own
        return SERVICES


class _Files(JSONFileLoader):
    """The same model files, read into plain dictionaries. botocore makes an OrderedDict of each of 50,000 objects."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - any JSON
        path = Path(f"{file_path}.json")
        return json.loads(path.read_bytes()) if path.is_file() else super().load_file(file_path)


@cache
def connections(scheme: str) -> urllib3.PoolManager:
    """Return the connections to AWS, which are kept alive between invocations. Only local runs use http."""
    return urllib3.PoolManager(
        ssl_context=tls.context() if scheme == "https" else None,
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        retries=False,
    )


def _send(request: AWSPreparedRequest, **_: object) -> AWSResponse:
    """Send a signed request. botocore itself would read the certificate authorities for every new connection."""
    pool = connections(request.url.partition(":")[0])
    try:
        answer = pool.urlopen(
            request.method,
            request.url,
            body=request.body,
            headers=request.headers,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        headers: Any = answer.headers  # botocore's own responses have urllib3's headers too
        response = AWSResponse(request.url, answer.status, headers, answer)
        response.content  # noqa: B018 - read to its end, so that the connection is free for the next request
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise HTTPClientError(error=error) from error
    return response


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    """Remove a transaction's writes from botocore's parameters: they already have the form of the request.

    botocore would validate each value of a hundred records against its model, and search all of them for table names
    on which an endpoint could depend.
    """
    context["transact_items"] = params["TransactItems"]
    return params | {"TransactItems": []}


def _write(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Put the transaction's writes into the request's body."""
    body = json.loads(params["body"]) | {"TransactItems": context["transact_items"]}
    params["body"] = json.dumps(body, separators=(",", ":"), default=lambda raw: b64encode(raw).decode()).encode()
