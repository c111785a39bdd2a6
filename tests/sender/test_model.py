"""Every promise of the sender holds in every run of the model that is searched, and in any that chance draws.

The exhaustive half makes each call of a message's first invocations fail in each way. In the other half, hypothesis
plays producers, queue, provider, webhooks, operator and clock against one another.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewayapi.message_table import MessageTable
from tests.conftest import ENVIRONMENT
from tests.moto_aws import Aws
from tests.sender.model import scenarios
from tests.sender.model.exhaustive import Setting, Webhooks, explore
from tests.sender.model.random_search import Search
from tests.sender.model.store import Store
from tests.sender.model.system import System

NO_LOG = pytest.mark.usefixtures("no_log")

WEBHOOKS: list[tuple[Webhooks, int]] = [
    ("none", 8),
    ("fast", 8),
    ("late", 8),
    ("overdue", 8),
    ("none", 2),  # the second delivery is the last
    ("late", 2),
]
SETTINGS = [Setting(resend, webhooks, most) for resend in (False, True) for webhooks, most in WEBHOOKS]
TWO_INVOCATIONS = [Setting(max_receive_count=2), Setting(resend=True)]
TROUBLE = frozenset({"killed", "reset+", "429", "answer lost", "redelivered", "another system's webhook"})
SHORT = [Setting(resend=True), Setting(webhooks="late", max_receive_count=2)]
SCENARIOS = [
    scenarios.one_without_a_reference,
    scenarios.several,
    scenarios.duplicates,
    scenarios.duplicates_apart,
    scenarios.once_more_later,
    scenarios.another_content,
    scenarios.another_content_later,
    scenarios.an_invalid_one,
    scenarios.an_expiring_one,
    scenarios.one_about_to_expire,
    scenarios.a_poisonous_one,
    scenarios.a_copy_that_expires,
    scenarios.a_long_one,
    scenarios.one_to_a_person_who_is_not_listed,
    scenarios.an_offer_after_stop,
    scenarios.an_offer_once_more_after_start,
    scenarios.a_forgotten_one,
]


@NO_LOG
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_one_message_survives_every_fault_at_every_call_of_its_first_invocation(setting: Setting) -> None:
    assert explore(setting, scenarios.one, invocations=1) > 50


@NO_LOG
@pytest.mark.parametrize("setting", TWO_INVOCATIONS, ids=str)
def test_one_message_survives_trouble_at_every_call_of_two_invocations(setting: Setting) -> None:
    assert explore(setting, scenarios.one, invocations=2, only=TROUBLE) > 100


@NO_LOG
@pytest.mark.parametrize("setting", SHORT, ids=str)
@pytest.mark.parametrize("prepare", SCENARIOS, ids=lambda prepare: prepare.__name__)
def test_messages_that_meet_survive_every_fault_at_every_call_of_the_first_invocation(
    setting: Setting, prepare: Callable[[System], object]
) -> None:
    assert explore(setting, prepare, invocations=1) > 20


@NO_LOG
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_lasting_trouble_of_the_provider_is_survived(setting: Setting) -> None:
    faults = frozenset({"429", "reset+", "500"})
    assert explore(setting, scenarios.one, invocations=6, only=faults) >= 4


@NO_LOG
@pytest.mark.parametrize("webhooks", ["none", "fast"])
def test_a_batch_of_100_survives_webhooks_conflicts_and_throttles_while_its_results_are_written(
    webhooks: Webhooks,
) -> None:
    faults = frozenset({"webhooks", "conflict", "long conflict", "throttled", "long throttled", "unavailable"})
    assert explore(Setting(webhooks=webhooks), scenarios.a_hundred, invocations=1, only=faults) > 10


TestSearch = pytest.mark.timeout(900)(NO_LOG(Search.TestCase))  # making a run small can take five minutes
TestSearch.settings = settings(
    max_examples=100, stateful_step_count=40, report_multiple_bugs=False, suppress_health_check=list(HealthCheck)
)


Client = Any  # moto's or the model's


def key(reference: str, sk: str = "MESSAGE") -> dict[str, Any]:
    return {"pk": {"S": reference}, "sk": {"S": sk}}


NAMES = {"#status": "status", "#error": "error"}
VALUES = {":status": {"S": "SENDING"}, ":number": {"N": "2"}, ":text": {"S": "m"}}
CONDITIONS = st.sampled_from(
    [
        "attribute_not_exists(pk)",
        "attribute_exists(pk) AND #status = :status",
        "NOT #status IN (:status, :text) OR attribute_not_exists(#status)",
        "attempts < :number OR #status <> :status",
        "(attempts >= :number) AND begins_with(sk, :text)",
        "attempts = :text",
        "#status >= :text AND #status <= :status",
    ]
)
UPDATES = st.sampled_from(
    [
        "SET #status = :status",
        "SET #status = if_not_exists(#status, :text), attempts = :number REMOVE #error",
        "SET attempts = if_not_exists(attempts, :number) REMOVE #status",
    ]
)
KEYS = st.tuples(st.sampled_from(["order-1", "order-2"]), st.sampled_from(["MESSAGE", "EVENT#1", "EVENT#2"]))


def used(expressions: list[str]) -> dict[str, Any]:
    """Return the names and values of an expression; DynamoDB refuses those that are not used."""
    text = " ".join(expressions)
    names = {name: value for name, value in NAMES.items() if name in text}
    values = {name: value for name, value in VALUES.items() if name in text}
    given = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    return {name: value for name, value in given.items() if value}


def put(at: tuple[str, str], condition: str, status: str, attempts: int) -> dict[str, Any]:
    expressions = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    item = {**key(*at), "status": {"S": status}, "attempts": {"N": str(attempts)}, "error": {"S": "x"}}
    return {"Put": {"Item": item, **expressions, **used([condition])}}


def update(at: tuple[str, str], condition: str, change: str) -> dict[str, Any]:
    expressions = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return {"Update": {"Key": key(*at), "UpdateExpression": change, **expressions, **used([condition, change])}}


STATUSES = st.sampled_from(["SENDING", "m", "z"])
WRITES = st.builds(put, KEYS, CONDITIONS, STATUSES, st.integers(0, 12)) | st.builds(update, KEYS, CONDITIONS, UPDATES)
TRANSACTIONS = st.lists(WRITES, min_size=1, max_size=4)


def transacted(client: Client, table: str, writes: list[dict[str, Any]]) -> object:
    """Return what a transaction does: nothing, or each item's reason not to be written, or the error's code."""
    items = [{kind: {"TableName": table, **write} for kind, write in item.items()} for item in writes]
    try:
        client.transact_write_items(TransactItems=items)
    except client.exceptions.TransactionCanceledException as error:
        reasons = error.response["CancellationReasons"]
        return [(reason["Code"], reason.get("Item")) for reason in reasons]
    except Exception as error:  # noqa: BLE001 - botocore makes the class at run time
        return error.response["Error"]["Code"]  # type: ignore[attr-defined]
    return None


def read(client: Client, table: str) -> object:
    """Return all items of both partitions, page by page, and the same by their keys."""
    found: list[Any] = []
    start: dict[str, Any] = {}
    for reference in ("order-1", "order-2"):
        while True:
            page = client.query(
                TableName=table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
                ExpressionAttributeValues={":pk": {"S": reference}, ":sk": {"S": "EVENT#"}},
                ConsistentRead=True,
                **start,
            )
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        start = {}
    request = {table: {"Keys": [key("order-1"), key("order-2")], "ConsistentRead": True}}
    items = client.batch_get_item(RequestItems=request)["Responses"][table]
    return found, sorted(items, key=str)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(transactions=st.lists(TRANSACTIONS, max_size=6))
def test_the_store_answers_as_moto_does(
    aws: Aws,
    table: MessageTable,  # noqa: ARG001 - it has to be there, and is reached by its name
    transactions: list[list[dict[str, Any]]],
) -> None:
    name = ENVIRONMENT["TABLE_NAME"]
    for item in aws.dynamodb.scan(TableName=name)["Items"]:
        aws.dynamodb.delete_item(TableName=name, Key={"pk": item["pk"], "sk": item["sk"]})
    store = Store()
    for writes in transactions:
        assert transacted(store, name, writes) == transacted(aws.dynamodb, name, writes)
    assert read(store, name) == read(aws.dynamodb, name)
