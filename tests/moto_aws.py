"""A simulated AWS (moto) in the test's process, with the table, the queues and the secrets of the template."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.config import Config
from botocore.session import get_session
from moto import mock_aws

from gatewayapi.event_table import EventTable
from gatewayapi.message_table import MessageTable
from tests.aws_calls import Calls
from tests.conftest import ENVIRONMENT

TOKEN = "token-for-tests"
KEY = "key-for-tests"
RETENTION_DAYS = int(ENVIRONMENT["RETENTION_DAYS"])


@dataclass(frozen=True, slots=True)
class Aws:
    """The clients of one test, which check all parameters, and the record of their calls."""

    dynamodb: Any
    sqs: Any
    secretsmanager: Any
    calls: Calls


@dataclass(frozen=True, slots=True)
class QueueUrls:
    """The three queues."""

    main: str
    urgent: str
    dead_letters: str


@dataclass(frozen=True, slots=True)
class SecretArns:
    """The two secrets, with the values TOKEN and KEY."""

    token: str
    webhook_key: str


@pytest.fixture(scope="session")
def clients() -> dict[str, Any]:
    """Create the clients once, because that takes longer than most tests. Use them through `aws`."""
    session = get_session()
    config = Config(retries={"mode": "standard", "total_max_attempts": 2}, parameter_validation=True)
    services = ("dynamodb", "sqs", "secretsmanager")
    return {service: session.create_client(service, config=config) for service in services}


@pytest.fixture
def aws(clients: dict[str, Any]) -> Iterator[Aws]:
    with mock_aws(), Calls(clients.values()) as calls:
        yield Aws(**clients, calls=calls)


@pytest.fixture
def table(aws: Aws) -> MessageTable:
    """The table, empty."""
    name = ENVIRONMENT["TABLE_NAME"]
    aws.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.calls.forget()
    return MessageTable(aws.dynamodb, name, RETENTION_DAYS, sleep=lambda _seconds: None)


@pytest.fixture
def event_table(aws: Aws, table: MessageTable) -> EventTable:  # noqa: ARG001 - the table must exist
    """The same table, as the webhook function uses it."""
    return EventTable(aws.dynamodb, ENVIRONMENT["TABLE_NAME"], RETENTION_DAYS, sleep=lambda _seconds: None)


@pytest.fixture
def queues(aws: Aws) -> QueueUrls:
    names = [
        ENVIRONMENT[name].rpartition("/")[2] for name in ("QUEUE_URL", "URGENT_QUEUE_URL", "DEAD_LETTER_QUEUE_URL")
    ]
    urls = QueueUrls(*(aws.sqs.create_queue(QueueName=name)["QueueUrl"] for name in names))
    aws.calls.forget()
    return urls


@pytest.fixture
def secrets(aws: Aws) -> SecretArns:
    arns = SecretArns(
        token=aws.secretsmanager.create_secret(Name="token", SecretString=TOKEN)["ARN"],
        webhook_key=aws.secretsmanager.create_secret(Name="webhook-key", SecretString=KEY)["ARN"],
    )
    aws.calls.forget()
    return arns


@pytest.fixture
def no_log() -> Iterator[None]:
    """Disable logging, for tests in which thousands of calls fail."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
