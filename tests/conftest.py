"""Shared by all tests: hypothesis profiles, marks, and an environment without real AWS credentials."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.browser", "tests.moto_aws", "tests.parallel"]

# A test with the deployed stack of tests/stack is an end-to-end test. A test with the AWS of this process is an
# integration test. All others are unit tests. Files that start a stack without these fixtures set `pytestmark`
# themselves.
MARKS = ("unit", "integration", "e2e")
STACK_TESTS = Path(__file__).parent / "stack"

# boto3 and the functions read the environment when they are imported, so it is set before any test module is.
# The credentials are not valid, so AWS would refuse a call that does not go to moto or to the local AWS.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "TABLE_NAME": "gatewayapi-test",
    "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/queue",
    "URGENT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/urgent",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters",
    "TOKEN_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf",
    "WEBHOOK_KEY_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf",
    "GATEWAYAPI_URL": "http://127.0.0.1:9",
    "DEFAULT_SENDER": "",
    "UNCERTAIN_SENDS": "Hold",
    "RECONCILE_AFTER_S": "900",
    "RETENTION_DAYS": "90",
    "MAX_RECEIVE_COUNT": "8",
    "MAX_EVENT_AGE_S": "604800",
    "SEND_MODE": "Live",
    "ALLOWED_PREFIXES": "",
    "LISTED_RECIPIENTS": "",
    "MAX_SEGMENTS": "255",
    "OPT_OUTS": "Off",
    "STOP_WORDS": "STOP,STOPALL,UNSUBSCRIBE,CANCEL,END,QUIT,OPTOUT",
    "START_WORDS": "START,UNSTOP",
    "KEYWORDS": "",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "POWERTOOLS_SERVICE_NAME": "gatewayapi-test",
    "POWERTOOLS_METRICS_NAMESPACE": "GatewayApi",
}

# There is no deadline, because a slow machine is not a bug. CI uses the same examples in every run, so that a failure
# can be reproduced. Other runs use new examples each time.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("developer", deadline=None)


def pytest_configure() -> None:
    """Set the environment and the profile before any test module is imported."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)
    os.environ.update(ENVIRONMENT)
    settings.load_profile("ci" if os.environ.get("CI") else "developer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the fixtures that it uses, so that no test has to set its own mark."""
    for item in items:
        if not any(item.get_closest_marker(mark) for mark in MARKS):
            item.add_marker(mark_of(item))


def mark_of(item: pytest.Item) -> str:
    """Return the mark of a test that sets none."""
    fixtures = getattr(item, "fixturenames", ())
    # Other folders use the name `stack` for other things.
    if "stack" in fixtures and item.path.parent == STACK_TESTS:
        return "e2e"
    return "integration" if "aws" in fixtures else "unit"
