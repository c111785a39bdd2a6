"""The template against the design: its interface, its arithmetic, and what its parts are told of each other."""

import ast
import re
from datetime import timedelta

import pytest

import timing
from tests.stack.template import FUNCTIONS, PARAMETERS, PROJECT, RESOURCES, TEMPLATE, properties, walk

MAKEFILE = (PROJECT / "layers/gatewayapi/Makefile").read_text()
DAY_S = 86_400

DEFAULTS = {
    "GatewayApiUrl": "https://messaging.gatewayapi.com",
    "GatewayApiToken": None,
    "WebhookKey": "",
    "DefaultSender": "",
    "PythonRuntime": "python3.13",
    "Architecture": "arm64",
    "BatchSize": 10,
    "BatchWindow": 0,
    "MaximumConcurrency": 10,
    "MaxReceiveCount": 8,
    "UncertainSends": "Hold",
    "ReconcileAfter": 900,
    "WebhookRate": 500,
    "MaxEventAge": 604_800,
    "RetentionDays": 90,
    "SendMode": "Live",
    "AllowedPrefixes": "",
    "LogLevel": "INFO",
    "Tracing": "PassThrough",
    "KmsKeyArn": "",
    "AlarmTopicArn": "",
    "ApiGatewayLogRole": "Create",
}
PROMISED_OUTPUTS = {
    *("WebhookUrl", "SignUrl", "QueueUrl", "QueueArn", "UrgentQueueUrl", "UrgentQueueArn", "DeadLetterQueueUrl"),
    *("TableName", "TableArn", "StreamArn", "LayerArn", "WebhookKeySecretArn", "ApiTokenSecretArn"),
    *("ProducerPolicyArn", "ConsumerPolicyArn"),
}


def test_parameters_are_the_promised_ones_with_their_defaults() -> None:
    assert {name: it.get("Default") for name, it in PARAMETERS.items()} == DEFAULTS


def test_outputs_are_all_there() -> None:
    assert TEMPLATE["Outputs"].keys() >= PROMISED_OUTPUTS


def test_secrets_are_not_shown_and_come_from_the_user_or_chance() -> None:
    assert {name for name, it in PARAMETERS.items() if it.get("NoEcho")} == {"GatewayApiToken", "WebhookKey"}
    key = properties("WebhookKeySecret")
    condition, generated, given = key["GenerateSecretString"]["Fn::If"]
    assert (condition, given) == ("GenerateWebhookKey", {"Ref": "AWS::NoValue"})
    assert generated == {"PasswordLength": 32, "ExcludePunctuation": True}


def test_a_key_is_generated_without_one_and_at_the_prompt_that_takes_no_empty_answer() -> None:
    answers = [{"Fn::Equals": [{"Ref": "WebhookKey"}, answer]} for answer in ("", "generate")]
    assert TEMPLATE["Conditions"]["GenerateWebhookKey"] == {"Fn::Or": answers}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_used(name: str) -> None:
    nodes = [*walk(TEMPLATE["Globals"]), *walk(RESOURCES)]
    conditions = {node["Fn::If"][0] for node in nodes if "Fn::If" in node}
    conditions |= {resource["Condition"] for resource in RESOURCES.values() if "Condition" in resource}
    deciding = [node for condition in conditions for node in walk(TEMPLATE["Conditions"][condition])]
    assert {"Ref": name} in nodes + deciding


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("GatewayApiUrl", "https://messaging.gatewayapi.eu", True),
        ("GatewayApiUrl", "http://127.0.0.1:8080", True),
        ("GatewayApiUrl", "http://[::1]:8080", True),
        ("GatewayApiUrl", "http://localhost", True),
        ("GatewayApiUrl", "http://messaging.gatewayapi.com", False),
        ("GatewayApiUrl", "http://127.0.0.1.example.com", False),
        ("GatewayApiUrl", "http://localhost@example.com", False),
        ("GatewayApiUrl", "http://10.0.0.1", False),
        ("GatewayApiUrl", "https://user@example.com", False),
        ("GatewayApiUrl", "https://example.com/path", False),
        ("GatewayApiToken", "", False),
        ("GatewayApiToken", "to ken", False),
        ("GatewayApiToken", "t0k-en_.", True),
        ("WebhookKey", "key with spaces", False),
        ("WebhookKey", "k" * 32, True),
        ("DefaultSender", "ab", False),
        ("DefaultSender", "My shop", True),
        ("AllowedPrefixes", "45,4612", True),
        ("AllowedPrefixes", "+45", False),
        ("AllowedPrefixes", "45,", False),
        ("KmsKeyArn", "alias/own", False),
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab", True),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:alarms", True),
        ("AlarmTopicArn", "alarms", False),
    ],
)
def test_a_bad_text_is_refused_at_deploy_time(name: str, value: str, allowed: bool) -> None:  # noqa: FBT001
    assert (re.fullmatch(PARAMETERS[name]["AllowedPattern"], value) is not None) is allowed


def test_numbers_stay_within_what_aws_and_the_sender_allow() -> None:
    bounds = {name: (it["MinValue"], it["MaxValue"]) for name, it in PARAMETERS.items() if it["Type"] == "Number"}
    assert bounds == {
        "BatchSize": (1, 100),
        "BatchWindow": (0, timing.MAX_BATCH_WINDOW_S),
        "MaximumConcurrency": (2, 1000),
        "MaxReceiveCount": (2, 1000),
        "ReconcileAfter": (1, timing.MAX_VISIBILITY_S),
        "WebhookRate": (1, 10_000),
        "MaxEventAge": (1, 7 * DAY_S),
        "RetentionDays": (15, 3650),
    }


def test_a_large_batch_needs_a_window() -> None:
    rule = TEMPLATE["Rules"]["BatchNeedsWindow"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "BatchWindow"}, "0"]}
    small = [str(size) for size in range(1, 11)]
    assert [it["Assert"] for it in rule["Assertions"]] == [{"Fn::Contains": [small, {"Ref": "BatchSize"}]}]


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue"])
def test_no_message_comes_back_while_its_invocation_can_run(queue: str) -> None:
    window_s, timeout_s = PARAMETERS["BatchWindow"]["MaxValue"], properties("SenderFunction")["Timeout"]
    assert timeout_s == timing.FUNCTION_TIMEOUT_S
    assert properties(queue)["VisibilityTimeout"] == timing.VISIBILITY_S >= 6 * timeout_s + window_s


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue"])
def test_no_message_is_dropped_by_sqs_before_it_has_lapsed_or_been_looked_at(queue: str) -> None:
    longest_expiration_s = 432_000
    kept_s, dead_s = (
        properties(queue)["MessageRetentionPeriod"],
        properties("DeadLetterQueue")["MessageRetentionPeriod"],
    )
    # A message that SQS moves keeps its age, so its days in the first queue are missing from the second's.
    assert longest_expiration_s + 12 * 3600 < kept_s <= dead_s / 2
    assert dead_s == 14 * DAY_S
    assert timedelta(seconds=kept_s) == timing.QUEUE_RETENTION


def test_a_replayed_event_is_too_old_or_a_known_duplicate() -> None:
    ahead_s = 300
    assert PARAMETERS["MaxEventAge"]["MaxValue"] + ahead_s < PARAMETERS["RetentionDays"]["MinValue"] * DAY_S


def test_what_was_sent_after_all_is_known_as_long_as_its_dead_letter_can_be_redriven() -> None:
    dead_s = properties("DeadLetterQueue")["MessageRetentionPeriod"]
    assert dead_s < PARAMETERS["RetentionDays"]["MinValue"] * DAY_S


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue"])
def test_the_largest_message_fits_into_the_dead_letter_queue_with_its_reasons(queue: str) -> None:
    reasons = 3 * 1000 * 4
    largest, room = (properties(it)["MaximumMessageSize"] for it in (queue, "DeadLetterQueue"))
    assert largest + reasons <= room


def test_an_uncertain_message_can_be_hidden_until_it_is_decided() -> None:
    assert PARAMETERS["ReconcileAfter"]["MaxValue"] < 12 * 3600


def test_the_webhook_answers_within_the_gateways_time() -> None:
    integration = properties("Api")["DefinitionBody"]["paths"]["/webhooks"]["post"]["x-amazon-apigateway-integration"]
    assert 5 < properties("WebhookFunction")["Timeout"] <= 29
    assert integration["timeoutInMillis"] == properties("WebhookFunction")["Timeout"] * 1000


def test_the_table_outlives_the_stack_and_keeps_a_way_back() -> None:
    table = RESOURCES["Table"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    of = table["Properties"]
    assert of["BillingMode"] == "PAY_PER_REQUEST"
    assert of["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert of["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert of["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert of["SSESpecification"]["SSEEnabled"] is True
    assert [(key["AttributeName"], key["KeyType"]) for key in of["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue", "DeadLetterQueue"])
def test_queues_are_encrypted_with_sqs_s_own_key_where_no_other_is_given(queue: str) -> None:
    of = properties(queue)
    assert of["SqsManagedSseEnabled"] == {"Fn::If": ["HasOwnKey", {"Ref": "AWS::NoValue"}, True]}


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue"])
def test_both_queues_and_no_other_move_messages_to_the_dead_letter_queue(queue: str) -> None:
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


def test_mappings_report_single_failures_and_keep_within_their_concurrency() -> None:
    events = {name: it["Properties"] for name, it in properties("SenderFunction")["Events"].items()}
    assert all(it["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for it in events.values())
    assert events["Queue"]["BatchSize"] == {"Ref": "BatchSize"}
    assert events["Queue"]["MaximumBatchingWindowInSeconds"] == {"Ref": "BatchWindow"}
    assert events["Queue"]["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}
    assert events["UrgentQueue"]["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert events["UrgentQueue"]["MaximumBatchingWindowInSeconds"] == 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_given_exactly_the_settings_that_it_reads(function: str) -> None:
    folder = PROJECT / properties(function)["CodeUri"]
    read = {
        key.value
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ"
        for key in [node.slice]
        if isinstance(key, ast.Constant)
    }
    shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    given = shared.keys() | properties(function)["Environment"]["Variables"].keys()
    powertools = {"POWERTOOLS_LOG_LEVEL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    assert read
    assert given == read | powertools


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_handler_and_build_target_exist(function: str) -> None:
    module, name = properties(function)["Handler"].split(".")
    source = ast.parse((PROJECT / properties(function)["CodeUri"] / f"{module}.py").read_text())
    assert name in {node.name for node in source.body if isinstance(node, ast.FunctionDef)}
    assert re.search(rf"^build-.*\b{function}\b.*:", MAKEFILE, re.MULTILINE)


def test_byte_code_is_built_for_every_runtime() -> None:
    [versions] = re.findall(r"^BYTE_CODE_FOR \?= (.+)$", MAKEFILE, re.MULTILINE)
    assert [f"python{version}" for version in versions.split()] == PARAMETERS["PythonRuntime"]["AllowedValues"]
    assert f"PYTHON_RUNTIME ?= {PARAMETERS['PythonRuntime']['Default']}\n" in MAKEFILE
