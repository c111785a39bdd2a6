"""What each role and policy of the template allows, who can call the API, and what is encrypted."""

import json
from typing import Any

import pytest

from tests.stack.template import FUNCTIONS, RESOURCES, plain, properties, walk

OPT_OUTS_ONLY = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "OPT_OUT#*"}}
RECEIVE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"}
WRITE_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
SENDING_TO_QUEUES = "SenderRole", "ProducerPolicy", "OperatorPolicy"
INDEX = "${Table.Arn}/index/by_phone_number"

Granted = dict[str, set[str]]


def statements(resource: str) -> list[tuple[str | None, dict[str, Any]]]:
    """Return the statements of a role or policy, each with the condition under which it exists."""
    of = properties(resource)
    [document] = [of["PolicyDocument"]] if "PolicyDocument" in of else [it["PolicyDocument"] for it in of["Policies"]]
    found: list[tuple[str | None, dict[str, Any]]] = []
    for entry in document["Statement"]:
        condition, statement, otherwise = entry.get("Fn::If", (None, entry, {"Ref": "AWS::NoValue"}))
        assert otherwise == {"Ref": "AWS::NoValue"}
        found.append((condition, statement))
    return found


def granted(resource: str, condition: str | None = None) -> Granted:
    """Return the actions on each resource that a role or policy allows under a condition of the template."""
    found: Granted = {}
    for under, statement in statements(resource):
        assert statement["Effect"] == "Allow"
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        for target in plain(statement["Resource"]) if under == condition else []:
            name = target if isinstance(target, str) else ".".join(plain(next(iter(target.values()))))
            found.setdefault(name, set()).update(plain(statement["Action"]))
    return found


def limits(resource: str) -> dict[str, Any]:
    """Return the conditions on actions that a role or policy allows only under conditions of IAM."""
    return {
        action: statement["Condition"]
        for _, statement in statements(resource)
        for action in plain(statement["Action"])
        if "Condition" in statement
    }


def test_each_role_allows_exactly_what_its_function_does() -> None:
    assert granted("SenderRole") == {
        "Queue.Arn": RECEIVE,
        "UrgentQueue.Arn": RECEIVE,
        "DeadLetterQueue.Arn": {"sqs:SendMessage"},
        "Table.Arn": {"dynamodb:PutItem", "dynamodb:Query", "dynamodb:BatchGetItem"},
        "ApiTokenSecret.Id": {"secretsmanager:GetSecretValue"},
        "SenderLogGroup.Arn": WRITE_LOGS,
    }
    assert granted("WebhookRole") == {
        "Table.Arn": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
        "WebhookKeySecret.Id": {"secretsmanager:GetSecretValue"},
        "WebhookLogGroup.Arn": WRITE_LOGS,
    }


def test_a_function_has_no_permissions_but_those_of_its_role() -> None:
    for role, function in (("SenderRole", "SenderFunction"), ("WebhookRole", "WebhookFunction")):
        assert "ManagedPolicyArns" not in properties(role)
        assert properties(function)["Role"] == {"Fn::GetAtt": [role, "Arn"]}
        assert "Policies" not in properties(function)


def test_the_sender_reads_by_key_nothing_but_opt_outs() -> None:
    # The local AWS does not evaluate this condition, so no other test can show it.
    assert limits("SenderRole") == {"dynamodb:BatchGetItem": OPT_OUTS_ONLY}
    assert limits("WebhookRole") == {}


SEND = {"sqs:SendMessage"}
READ_STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
MOVE = {"sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks", "sqs:CancelMessageMoveTask"}
POLICIES: dict[str, Granted] = {
    "ProducerPolicy": {
        queue: {"sqs:GetQueueUrl", "sqs:GetQueueAttributes", *SEND} for queue in ("Queue.Arn", "UrgentQueue.Arn")
    },
    "ConsumerPolicy": {"Table.StreamArn": READ_STREAM, "${Table.Arn}/stream/*": {"dynamodb:ListStreams"}},
    "SupportPolicy": {"Table.Arn": {"dynamodb:Query"}, INDEX: {"dynamodb:Query"}},
    "OptOutPolicy": {"Table.Arn": {"dynamodb:PutItem", "dynamodb:UpdateItem"}},
    "OperatorPolicy": {
        "DeadLetterQueue.Arn": RECEIVE | MOVE,
        "Queue.Arn": SEND,
        "UrgentQueue.Arn": SEND,
        "Table.Arn": {"dynamodb:Query", "dynamodb:UpdateItem"},
        INDEX: {"dynamodb:Query"},
    },
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_allows_exactly_its_task(policy: str) -> None:
    assert granted(policy) == POLICIES[policy]
    expected = dict.fromkeys(("dynamodb:PutItem", "dynamodb:UpdateItem"), OPT_OUTS_ONLY)
    assert limits(policy) == (expected if policy == "OptOutPolicy" else {})


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        *(
            (name, {"kms:Decrypt", "kms:GenerateDataKey"})
            for name in ("SenderRole", "ProducerPolicy", "OperatorPolicy")
        ),
        *((name, {"kms:Decrypt"}) for name in ("WebhookRole", "ConsumerPolicy", "SupportPolicy", "OptOutPolicy")),
    ],
)
def test_a_customer_managed_key_may_be_used_if_there_is_one(name: str, actions: set[str]) -> None:
    # Sending to an encrypted queue needs a data key. Using an encrypted table or secret needs decryption alone.
    assert granted(name, "HasOwnKey") == {"KmsKeyArn": actions}


def test_only_the_functions_write_traces_and_only_where_tracing_is_on() -> None:
    roles = {name for name, it in RESOURCES.items() if it["Type"] in {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}}
    traced = {name: found for name in roles if (found := granted(name, "IsTraced"))}
    expected = {"*": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}}
    assert traced == {"SenderRole": expected, "WebhookRole": expected}


def test_no_action_is_granted_by_a_wildcard() -> None:
    actions = {action for node in walk(RESOURCES) for action in plain(node.get("Action", [])) if node.get("Effect")}
    assert actions
    assert not {action for action in actions if "*" in action}


def test_nothing_belongs_to_the_whole_account() -> None:
    types = {it["Type"] for it in RESOURCES.values()}
    assert not {"AWS::ApiGateway::Account", "AWS::Logs::ResourcePolicy", "AWS::XRay::ResourcePolicy"} & types


def test_all_routes_are_throttled() -> None:
    settings = {(it["ResourcePath"], it["HttpMethod"]): it for it in properties("Api")["MethodSettings"]}
    default, sign = settings["/*", "*"], settings["/sign", "POST"]
    assert default["ThrottlingRateLimit"] == default["ThrottlingBurstLimit"] == {"Ref": "WebhookRate"}
    assert sign["ThrottlingRateLimit"] <= sign["ThrottlingBurstLimit"] <= 10


def test_errors_of_the_gateway_have_the_form_of_the_functions_errors() -> None:
    answers = properties("Api")["GatewayResponses"]
    assert answers["THROTTLED"]["StatusCode"] == 429
    assert answers.keys() == {"THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"}
    for answer in answers.values():
        template = answer["ResponseTemplates"]["application/json"]
        filled = template.replace("$context.error.messageString", '"text"')
        assert json.loads(filled)["error"].keys() == {"code", "message"}


def test_the_access_log_has_no_body_no_signature_and_no_address() -> None:
    condition, log, otherwise = properties("Api")["AccessLogSetting"]["Fn::If"]
    assert (condition, otherwise) == ("HasAccessLog", {"Ref": "AWS::NoValue"})
    assert RESOURCES["AccessLogGroup"]["Condition"] == "HasAccessLog"
    assert "\n" not in log["Format"]
    assert set(json.loads(log["Format"]).values()) == {
        *("$context.requestId", "$context.requestTimeEpoch", "$context.httpMethod", "$context.resourcePath"),
        *("$context.status", "$context.responseLength", "$context.responseLatency", "$context.integrationLatency"),
        *("$context.integrationStatus", "$context.error.responseType"),
    }


def test_every_log_has_a_retention() -> None:
    groups = {name: it["Properties"] for name, it in RESOURCES.items() if it["Type"] == "AWS::Logs::LogGroup"}
    assert {name for name, it in groups.items() if it.get("RetentionInDays")} == {
        *("SenderLogGroup", "WebhookLogGroup", "AccessLogGroup"),
    }
    for function, group in zip(FUNCTIONS, ("SenderLogGroup", "WebhookLogGroup"), strict=True):
        assert properties(function)["LoggingConfig"]["LogGroup"] == {"Ref": group}


@pytest.mark.parametrize(
    ("resource", "names"),
    [
        *((log, ["KmsKeyId"]) for log in ("SenderLogGroup", "WebhookLogGroup", "AccessLogGroup")),
        *((secret, ["KmsKeyId"]) for secret in ("ApiTokenSecret", "WebhookKeySecret")),
        *((queue, ["KmsMasterKeyId"]) for queue in ("Queue", "UrgentQueue", "DeadLetterQueue")),
        ("Table", ["SSESpecification", "KMSMasterKeyId"]),
    ],
)
def test_stored_data_is_encrypted_with_the_customer_managed_key_if_there_is_one(
    resource: str, names: list[str]
) -> None:
    value: Any = properties(resource)
    for name in names:
        value = value[name]
    assert value == {"Fn::If": ["HasOwnKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}


@pytest.mark.parametrize("queue", ["Queue", "UrgentQueue", "DeadLetterQueue"])
def test_queues_are_encrypted_with_a_key_of_sqs_if_there_is_no_customer_managed_key(queue: str) -> None:
    assert properties(queue)["SqsManagedSseEnabled"] == {"Fn::If": ["HasOwnKey", {"Ref": "AWS::NoValue"}, True]}
