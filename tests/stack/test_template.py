"""The template's interface: parameters, outputs, metadata and the functions' environment, as in the design."""

import ast
import re

import pytest

import timing
from gatewayapi.message_fields import SENDER
from tests.stack.template import FUNCTIONS, PARAMETERS, PROJECT, RESOURCES, TEMPLATE, properties, walk

DAY_S = 86_400

DEFAULTS = {
    "GatewayApiUrl": "https://messaging.gatewayapi.com",
    "GatewayApiToken": None,
    "WebhookKey": "",
    "DefaultSender": "",
    "SendMode": "Live",
    "ListedRecipients": "",
    "AllowedPrefixes": "",
    "MaxSegments": 255,
    "OptOuts": "Off",
    "StopWords": "STOP,STOPALL,UNSUBSCRIBE,CANCEL,END,QUIT,OPTOUT",
    "StartWords": "START,UNSTOP",
    "Keywords": "",
    "BatchSize": 10,
    "BatchWindow": 0,
    "MaximumConcurrency": 5,
    "MaxReceiveCount": 8,
    "UncertainSends": "Hold",
    "ReconcileAfter": 900,
    "WebhookRate": 500,
    "MaxEventAge": 604_800,
    "RetentionDays": 90,
    "MemorySize": 512,
    "PythonRuntime": "python3.13",
    "Architecture": "arm64",
    "LogLevel": "INFO",
    "Tracing": "PassThrough",
    "KmsKeyArn": "",
    "AlarmTopicArn": "",
    "AccessLog": "Off",
}
OUTPUTS = {
    *("WebhookUrl", "SignUrl", "QueueUrl", "QueueArn", "UrgentQueueUrl", "UrgentQueueArn", "DeadLetterQueueUrl"),
    *("TableName", "TableArn", "StreamArn", "LayerArn", "WebhookKeySecretArn", "ApiTokenSecretArn"),
    *("ProducerPolicyArn", "ConsumerPolicyArn", "SupportPolicyArn", "OptOutPolicyArn", "OperatorPolicyArn"),
}


def test_the_parameters_have_the_names_and_defaults_of_the_design() -> None:
    assert {name: it.get("Default") for name, it in PARAMETERS.items()} == DEFAULTS


def test_the_console_shows_the_parameters_in_the_order_in_which_sam_asks_for_them() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name for group in groups for name in group["Parameters"]] == list(PARAMETERS)


def test_the_outputs_are_those_of_the_design() -> None:
    assert TEMPLATE["Outputs"].keys() == OUTPUTS


def test_the_application_can_be_published_in_the_serverless_application_repository() -> None:
    # Source: "AWS SAM template Metadata section properties" in the AWS SAM developer guide.
    metadata = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
    assert re.fullmatch(r"[a-zA-Z0-9\-]{1,140}", metadata["Name"])
    assert re.fullmatch(r"(?=.{1,127}$)[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?", metadata["Author"])
    assert 1 <= len(metadata["Description"]) <= 256
    assert len(metadata["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+\-_:/@]{1,127}", label) for label in metadata["Labels"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["SemanticVersion"])
    assert all((PROJECT / metadata[name]).is_file() for name in ("LicenseUrl", "ReadmeUrl"))


def test_token_and_key_are_hidden_parameters() -> None:
    assert {name for name, it in PARAMETERS.items() if it.get("NoEcho")} == {"GatewayApiToken", "WebhookKey"}


def test_a_webhook_key_is_generated_unless_one_is_given() -> None:
    key = properties("WebhookKeySecret")
    condition, generated, given = key["GenerateSecretString"]["Fn::If"]
    assert (condition, given) == ("GenerateWebhookKey", {"Ref": "AWS::NoValue"})
    assert generated == {"PasswordLength": 32, "ExcludePunctuation": True}
    values = [{"Fn::Equals": [{"Ref": "WebhookKey"}, value]} for value in ("", "generate")]
    assert TEMPLATE["Conditions"]["GenerateWebhookKey"] == {"Fn::Or": values}


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
        ("DefaultSender", "The Corner Shop", False),
        ("DefaultSender", "123456789012345", True),
        ("DefaultSender", "1234567890123456", False),
        ("AllowedPrefixes", "45,4612", True),
        ("AllowedPrefixes", "+45", False),
        ("AllowedPrefixes", "45,", False),
        ("ListedRecipients", "4512345678,4620", True),
        ("ListedRecipients", "", True),
        ("ListedRecipients", "4512345678, 4620", False),
        ("StopWords", "STOP,STOP ALT,AFMELD", True),
        ("StopWords", "", False),
        ("StopWords", "STOP, END", False),
        ("StartWords", "", True),
        ("StartWords", "START,", False),
        ("Keywords", "SHOP,BØGER", True),
        ("KmsKeyArn", "alias/own", False),
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab", True),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:alarms", True),
        ("AlarmTopicArn", "alarms", False),
    ],
)
def test_a_malformed_parameter_is_refused_by_the_deployment(name: str, value: str, allowed: bool) -> None:  # noqa: FBT001
    assert (re.fullmatch(PARAMETERS[name]["AllowedPattern"], value) is not None) is allowed


def test_the_default_sender_has_the_pattern_of_a_message_s_sender() -> None:
    assert PARAMETERS["DefaultSender"]["AllowedPattern"] == f"^({SENDER})?$"


def test_numbers_are_limited_to_what_aws_and_the_sender_support() -> None:
    bounds = {name: (it["MinValue"], it["MaxValue"]) for name, it in PARAMETERS.items() if it["Type"] == "Number"}
    assert bounds == {
        "MaxSegments": (1, 255),
        "BatchSize": (1, 100),
        "BatchWindow": (0, timing.MAX_BATCH_WINDOW_S),
        "MaximumConcurrency": (2, 1000),
        "MaxReceiveCount": (2, 1000),
        "ReconcileAfter": (1, timing.MAX_VISIBILITY_S),
        "WebhookRate": (1, 10_000),
        "MaxEventAge": (1, 7 * DAY_S),
        "RetentionDays": (15, 3650),
        "MemorySize": (256, 10_240),
    }


def test_the_default_concurrency_leaves_a_new_account_3_invocations_for_webhooks() -> None:
    urgent = properties("SenderFunction")["Events"]["UrgentQueue"]["Properties"]["ScalingConfig"]
    assert 10 - PARAMETERS["MaximumConcurrency"]["Default"] - urgent["MaximumConcurrency"] == 3


def test_a_large_batch_needs_a_window() -> None:
    rule = TEMPLATE["Rules"]["BatchNeedsWindow"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "BatchWindow"}, "0"]}
    small = [str(size) for size in range(1, 11)]
    assert [it["Assert"] for it in rule["Assertions"]] == [{"Fn::Contains": [small, {"Ref": "BatchSize"}]}]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_exactly_the_environment_variables_that_it_reads(function: str) -> None:
    folder = PROJECT / properties(function)["CodeUri"]
    read = {
        key.value
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in {"os.environ", "environment"}
        for key in [node.slice]
        if isinstance(key, ast.Constant)
    }
    shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    given = shared.keys() | properties(function)["Environment"]["Variables"].keys()
    powertools = {"POWERTOOLS_LOG_LEVEL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    assert read
    assert given == read | powertools
