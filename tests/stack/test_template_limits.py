"""Times and sizes in the template that depend on each other, and how long data is kept."""

from datetime import timedelta

import pytest

import timing
from gatewayapi.webhook_body import MAX_AHEAD
from tests.stack.template import PARAMETERS, PROJECT, RESOURCES, properties

DAY_S = 86_400


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue"])
def test_a_message_is_not_delivered_again_while_its_invocation_can_run(queue: str) -> None:
    window_s, timeout_s = PARAMETERS["BatchWindow"]["MaxValue"], properties("SenderFunction")["Timeout"]
    assert timeout_s == timing.FUNCTION_TIMEOUT_S
    assert properties(queue)["VisibilityTimeout"] == timing.VISIBILITY_S >= 6 * timeout_s + window_s


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue"])
def test_a_message_expires_before_sqs_deletes_it_and_a_dead_letter_is_kept_for_a_week(queue: str) -> None:
    longest_expiration_s = 432_000
    kept_s = properties(queue)["MessageRetentionPeriod"]
    dead_s = properties("DeadLetterQueue")["MessageRetentionPeriod"]
    # A message that SQS moves keeps its age, so the dead-letter queue deletes it 14 days after it was first enqueued.
    assert longest_expiration_s + 12 * 3600 < kept_s <= dead_s / 2
    assert dead_s == 14 * DAY_S
    assert timedelta(seconds=kept_s) == timing.QUEUE_RETENTION


def test_a_resent_webhook_is_a_duplicate_or_too_old() -> None:
    allowed_clock_difference_s = MAX_AHEAD.total_seconds()
    assert (
        PARAMETERS["MaxEventAge"]["MaxValue"] + allowed_clock_difference_s
        < PARAMETERS["RetentionDays"]["MinValue"] * DAY_S
    )


def test_a_record_is_kept_longer_than_the_dead_letter_of_its_message() -> None:
    dead_s = properties("DeadLetterQueue")["MessageRetentionPeriod"]
    assert dead_s < PARAMETERS["RetentionDays"]["MinValue"] * DAY_S


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue"])
def test_the_dead_letter_queue_takes_the_largest_message_with_its_attributes(queue: str) -> None:
    attributes, max_characters, max_bytes_of_a_character = 3, 1000, 4
    attributes_bytes = attributes * max_characters * max_bytes_of_a_character
    largest, limit = (properties(it)["MaximumMessageSize"] for it in (queue, "DeadLetterQueue"))
    assert largest + attributes_bytes <= limit


def test_the_longest_reconciliation_time_fits_into_the_longest_visibility_timeout() -> None:
    assert PARAMETERS["ReconcileAfter"]["MaxValue"] < 12 * 3600


def test_the_webhook_ends_before_api_gateway_stops_waiting() -> None:
    assert 5 < properties("WebhookFunction")["Timeout"] <= 29


def test_the_table_is_kept_with_backups_and_removed_only_by_a_failed_first_deployment() -> None:
    table = RESOURCES["Table"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    table_properties = table["Properties"]
    assert table_properties["BillingMode"] == "PAY_PER_REQUEST"
    assert table_properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table_properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table_properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table_properties["SSESpecification"]["SSEEnabled"] is True
    assert [(key["AttributeName"], key["KeyType"]) for key in table_properties["KeySchema"]] == [
        ("pk", "HASH"),
        ("sk", "RANGE"),
    ]


def test_the_table_has_an_index_by_phone_number_with_keys_only() -> None:
    (index,) = properties("Table")["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_phone_number"
    keys = [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]]
    assert keys == [("phone_number", "HASH"), ("recorded_at", "RANGE")]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    types = {it["AttributeName"]: it["AttributeType"] for it in properties("Table")["AttributeDefinitions"]}
    assert types == dict.fromkeys(("pk", "sk", "phone_number", "recorded_at"), "S")


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue"])
def test_only_the_two_queues_move_messages_to_the_dead_letter_queue(queue: str) -> None:
    assert properties(queue)["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "maxReceiveCount": {"Ref": "MaxReceiveCount"},
    }
    allowed = properties("DeadLetterQueue")["RedriveAllowPolicy"]
    name = properties(queue)["QueueName"]["Fn::Sub"]
    named = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:" + name
    assert allowed["redrivePermission"] == "byQueue"
    assert {"Fn::Sub": named} in allowed["sourceQueueArns"]
    assert len(allowed["sourceQueueArns"]) == 2


def test_the_longest_stack_name_in_the_deployment_guide_fits_into_the_queue_names() -> None:
    suffixes = [properties(queue)["QueueName"]["Fn::Sub"] for queue in ("Queue", "UrgentQueue", "DeadLetterQueue")]
    longest = 80 - max(len(suffix.removeprefix("${AWS::StackName}")) for suffix in suffixes)
    assert f"at most {longest} characters" in (PROJECT / "docs/deploy.md").read_text()


def test_the_mappings_report_single_failures_and_limit_their_concurrency() -> None:
    events = {name: it["Properties"] for name, it in properties("SenderFunction")["Events"].items()}
    assert all(it["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for it in events.values())
    assert events["Queue"]["BatchSize"] == {"Ref": "BatchSize"}
    assert events["Queue"]["MaximumBatchingWindowInSeconds"] == {"Ref": "BatchWindow"}
    assert events["Queue"]["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}
    assert events["UrgentQueue"]["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert events["UrgentQueue"]["MaximumBatchingWindowInSeconds"] == 0
