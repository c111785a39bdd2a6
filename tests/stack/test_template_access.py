"""The template against the design: who may do what, who gets in, and what is written down of it."""

import json
from typing import Any

import pytest

from tests.stack.template import FUNCTIONS, PROJECT, RESOURCES, plain, properties, walk


def statements(document: dict[str, Any]) -> list[tuple[str | None, dict[str, Any]]]:
    """The statements of a policy, each with the condition that it is there under."""
    found: list[tuple[str | None, dict[str, Any]]] = []
    for entry in document["Statement"]:
        condition, statement, otherwise = entry.get("Fn::If", (None, entry, {"Ref": "AWS::NoValue"}))
        assert otherwise == {"Ref": "AWS::NoValue"}
        found.append((condition, statement))
    return found


def policy(resource: str) -> dict[str, Any]:
    of = properties(resource)
    [document] = [of["PolicyDocument"]] if "PolicyDocument" in of else [it["PolicyDocument"] for it in of["Policies"]]
    return dict(document)


def granted(resource: str, condition: str | None = None) -> dict[str, set[str]]:
    """What a policy grants under a condition: the actions on each resource."""
    found: dict[str, set[str]] = {}
    for under, statement in statements(policy(resource)):
        assert statement["Effect"] == "Allow"
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource"}
        for target in plain(statement["Resource"]) if under == condition else []:
            name = target if isinstance(target, str) else ".".join(plain(next(iter(target.values()))))
            found.setdefault(name, set()).update(plain(statement["Action"]))
    return found


def test_each_role_may_do_what_its_function_does_and_nothing_else() -> None:
    taking = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"}
    logging = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert granted("SenderRole") == {
        "Queue.Arn": taking,
        "UrgentQueue.Arn": taking,
        "DeadLetterQueue.Arn": {"sqs:SendMessage"},
        "Table.Arn": {"dynamodb:PutItem"},
        "ApiTokenSecret.Id": {"secretsmanager:GetSecretValue"},
        "SenderLogGroup.Arn": logging,
    }
    assert granted("WebhookRole") == {
        "Table.Arn": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
        "WebhookKeySecret.Id": {"secretsmanager:GetSecretValue"},
        "WebhookLogGroup.Arn": logging,
    }
    for role, function in (("SenderRole", "SenderFunction"), ("WebhookRole", "WebhookFunction")):
        assert "ManagedPolicyArns" not in properties(role)
        assert properties(function)["Role"] == {"Fn::GetAtt": [role, "Arn"]}
        assert "Policies" not in properties(function)


def test_producers_may_send_and_consumers_may_read_the_stream() -> None:
    sending = {"sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"}
    assert granted("ProducerPolicy") == {"Queue.Arn": sending, "UrgentQueue.Arn": sending}
    assert granted("ConsumerPolicy") == {
        "Table.StreamArn": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
        "${Table.Arn}/stream/*": {"dynamodb:ListStreams"},
    }


@pytest.mark.parametrize("name", ["SenderRole", "WebhookRole", "ProducerPolicy", "ConsumerPolicy"])
def test_the_key_and_the_traces_are_granted_only_where_they_are_chosen(name: str) -> None:
    writing = set() if name == "ConsumerPolicy" else {"kms:GenerateDataKey"}
    assert granted(name, "HasOwnKey") == {"KmsKeyArn": {"kms:Decrypt", *writing}}
    tracing = {"*": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}}
    assert granted(name, "IsTraced") == (tracing if name.endswith("Role") else {})


def test_no_action_is_granted_by_a_wildcard() -> None:
    actions = {action for node in walk(RESOURCES) for action in plain(node.get("Action", [])) if node.get("Effect")}
    assert actions
    assert not {action for action in actions if "*" in action}


def test_the_api_asks_for_the_signature_and_leaves_the_body_alone() -> None:
    of = properties("Api")
    body = of["DefinitionBody"]
    post = body["paths"]["/webhooks"]["post"]
    validator = body["x-amazon-apigateway-request-validators"][post["x-amazon-apigateway-request-validator"]]
    assert validator == {"validateRequestParameters": True, "validateRequestBody": False}
    assert [(it["name"], it["in"], it["required"]) for it in post["parameters"]] == [("Signature", "header", True)]
    assert "security" not in post
    assert "requestBody" not in post
    assert of["BinaryMediaTypes"] == ["*/*"]


def test_only_iam_principals_may_have_a_body_signed() -> None:
    body = properties("Api")["DefinitionBody"]
    assert body["paths"]["/sign"]["post"]["security"] == [{"AWS_IAM": []}]
    assert body["components"]["securitySchemes"]["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    # With the caller's own credentials, signing would need leave to invoke the function too.
    assert "credentials" not in body["paths"]["/sign"]["post"]["x-amazon-apigateway-integration"]


def test_every_route_is_throttled() -> None:
    settings = {(it["ResourcePath"], it["HttpMethod"]): it for it in properties("Api")["MethodSettings"]}
    every, sign = settings["/*", "*"], settings["/sign", "POST"]
    assert every["ThrottlingRateLimit"] == every["ThrottlingBurstLimit"] == {"Ref": "WebhookRate"}
    assert sign["ThrottlingRateLimit"] <= sign["ThrottlingBurstLimit"] <= 10


def test_the_gateway_answers_in_the_functions_words() -> None:
    answers = {
        name: (it.get("StatusCode"), it["ResponseTemplates"]["application/json"])
        for name, it in properties("Api")["GatewayResponses"].items()
    }
    status, missing = answers["BAD_REQUEST_PARAMETERS"]
    source = (PROJECT / "functions/webhook/webhook.py").read_text()
    error = json.loads(missing)["error"]
    assert f'refuse({status}, "{error["code"]}", "{error["message"]}"' in source
    assert answers["THROTTLED"][0] == 429
    for name in ("THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"):
        filled = answers[name][1].replace("$context.error.messageString", '"text"')
        assert json.loads(filled)["error"].keys() == {"code", "message"}


def test_the_access_log_holds_no_body_no_signature_and_no_address() -> None:
    text = properties("Api")["AccessLogSetting"]["Format"]
    assert "\n" not in text
    assert set(json.loads(text).values()) == {
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
def test_all_that_is_kept_is_encrypted_with_ones_own_key_where_there_is_one(resource: str, names: list[str]) -> None:
    value: Any = properties(resource)
    for name in names:
        value = value[name]
    assert value == {"Fn::If": ["HasOwnKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}
