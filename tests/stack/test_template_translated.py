"""The CloudFormation templates that the SAM translator makes of both templates."""

import graphlib
import itertools
from typing import Any

import pytest
from samcli.yamlhelper import yaml_dump, yaml_parse  # type: ignore[import-untyped] # it has no types

from tests.stack.template import PROJECT, plain, read, references, translated, under, walk

MAIN, CONSUMER = PROJECT / "template.yaml", PROJECT / "examples/consumer/template.yaml"
PATHS = {"main": MAIN, "consumer": CONSUMER}
CLOUDFORMATION = {name: translated(path) for name, path in PATHS.items()}
RESOURCES = CLOUDFORMATION["main"]["Resources"]

COMBINATIONS = [
    (name, dict(zip(template.get("Conditions", {}), values, strict=True)))
    for name, template in CLOUDFORMATION.items()
    for values in itertools.product([True, False], repeat=len(template.get("Conditions", {})))
]


def existing(name: str, conditions: dict[str, bool]) -> dict[str, Any]:
    """Return the resources of a template that exist when conditions have these values."""
    return {
        logical_id: under(resource, conditions)
        for logical_id, resource in CLOUDFORMATION[name]["Resources"].items()
        if conditions.get(resource.get("Condition"), True)
    }


def of_type(name: str, kind: str) -> dict[str, dict[str, Any]]:
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in CLOUDFORMATION[name]["Resources"].items()
        if resource["Type"] == kind
    }


def before(logical_id: str, name: str = "main") -> set[str]:
    """Return all resources that CloudFormation creates before one, with all conditions true."""
    resources = existing(name, dict.fromkeys(CLOUDFORMATION[name].get("Conditions", {}), True))
    found: set[str] = set()
    waiting = {logical_id}
    while waiting:
        resource = resources[waiting.pop()]
        new = (references(resource) | set(plain(resource.get("DependsOn", [])))) & resources.keys() - found
        found |= new
        waiting |= new
    return found


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_sam_writes_merge_keys_and_aliases_out(path: Any) -> None:  # noqa: ANN401 - pytest's parameter
    text = path.read_text()
    assert yaml_parse(text) == read(path)
    written = yaml_dump(yaml_parse(text))
    assert "<<" not in written
    assert yaml_parse(written) == read(path)


@pytest.mark.parametrize(("name", "conditions"), COMBINATIONS)
def test_under_all_conditions_resources_refer_to_what_exists_and_can_be_created_in_order(
    name: str, conditions: dict[str, bool]
) -> None:
    resources = existing(name, conditions)
    known = resources.keys() | CLOUDFORMATION[name]["Parameters"].keys()
    needs = {
        logical_id: references(resource) | set(plain(resource.get("DependsOn", [])))
        for logical_id, resource in resources.items()
    }
    assert {logical_id: missing for logical_id, of in needs.items() if (missing := of - known)} == {}
    assert references(under(CLOUDFORMATION[name]["Outputs"], conditions)) <= known
    order = graphlib.TopologicalSorter({it: of & resources.keys() for it, of in needs.items()})
    assert set(order.static_order()) == resources.keys()


def test_queues_reach_the_sender_only_when_its_role_log_and_table_exist() -> None:
    needed = {"SenderFunction", "SenderRole", "SenderLogGroup", "Table", "DeadLetterQueue", "ApiTokenSecret"}
    for mapping, queue in (("SenderFunctionQueue", "Queue"), ("SenderFunctionUrgentQueue", "UrgentQueue")):
        assert before(mapping) >= {*needed, queue}


def test_a_stage_with_an_access_log_waits_for_its_log_group() -> None:
    (stage,) = (name for name, it in RESOURCES.items() if it["Type"] == "AWS::ApiGateway::Stage")
    assert before(stage) >= {"Api", "AccessLogGroup", "WebhookFunction"}


def test_only_one_route_is_open_and_the_other_is_for_iam_principals() -> None:
    body = RESOURCES["Api"]["Properties"]["Body"]
    routes = {(path, method): it for path, methods in body["paths"].items() for method, it in methods.items()}
    assert routes.keys() == {("/webhooks", "post"), ("/sign", "post")}
    assert "security" not in routes["/webhooks", "post"]
    assert routes["/sign", "post"]["security"] == [{"AWS_IAM": []}]
    assert body["components"]["securitySchemes"]["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_the_api_passes_bodies_on_as_they_are_and_invokes_the_function_itself() -> None:
    body = RESOURCES["Api"]["Properties"]["Body"]
    assert body["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    # The signature is checked by the function: API Gateway may compare the names of headers with their case.
    assert "x-amazon-apigateway-request-validators" not in body
    for route in (body["paths"]["/webhooks"]["post"], body["paths"]["/sign"]["post"]):
        assert "parameters" not in route
        assert "requestBody" not in route
        integration = route["x-amazon-apigateway-integration"]
        assert integration["type"] == "aws_proxy"
        # With the caller's credentials, callers of /sign would need lambda:InvokeFunction too.
        assert "credentials" not in integration


def test_only_these_two_routes_of_this_api_may_invoke_the_webhook() -> None:
    permissions = of_type("main", "AWS::Lambda::Permission").values()
    assert {it["FunctionName"]["Ref"] for it in permissions} == {"WebhookFunction"}
    assert {it["Principal"] for it in permissions} == {"apigateway.amazonaws.com"}
    sources = [it["SourceArn"]["Fn::Sub"] for it in permissions]
    assert {text.rpartition("${__Stage__}")[2] for text, _ in sources} == {"/POST/webhooks", "/POST/sign"}
    assert all(names == {"__ApiId__": {"Ref": "Api"}, "__Stage__": "*"} for _, names in sources)


def test_the_translator_adds_no_role_and_no_policy() -> None:
    for name, path in PATHS.items():
        written = read(path)["Resources"]
        for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
            assert of_type(name, kind).keys() == {it for it, resource in written.items() if resource["Type"] == kind}


def test_the_consumers_role_allows_what_it_does_beside_reading_the_stream() -> None:
    (role,) = of_type("consumer", "AWS::IAM::Role").values()
    assert role["ManagedPolicyArns"] == [{"Ref": "ConsumerPolicyArn"}]
    (policy,) = role["Policies"]
    allowed = {
        statement["Resource"]["Fn::GetAtt"][0]: set(plain(statement["Action"]))
        for statement in policy["PolicyDocument"]["Statement"]
    }
    assert allowed == {
        "HandledTable": {"dynamodb:PutItem"},
        "FailureQueue": {"sqs:SendMessage"},
        "ConsumerLogGroup": {"logs:CreateLogStream", "logs:PutLogEvents"},
    }


def test_only_lambda_may_assume_a_role() -> None:
    for name in CLOUDFORMATION:
        for role in of_type(name, "AWS::IAM::Role").values():
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
            assert statement["Action"] == "sts:AssumeRole"


def test_deleting_the_stack_keeps_the_table_and_the_layer_and_a_failed_first_deployment_keeps_nothing() -> None:
    policies = {name: it.get("DeletionPolicy", "Delete") for name, it in RESOURCES.items()}
    kept = {"Table", "GatewayApiLayer"}
    assert policies == {name: "RetainExceptOnCreate" if name in kept else "Delete" for name in RESOURCES}
    # A consumer keeps using the version of the layer that it names, and a replaced table keeps its records.
    assert {RESOURCES[name]["UpdateReplacePolicy"] for name in kept} == {"Retain"}


def test_the_alarm_of_a_silent_webhook_counts_acceptances_without_events() -> None:
    alarm = RESOURCES["WebhookSilentAlarm"]
    assert alarm["Condition"] == "HasAlarmTopic"
    of = alarm["Properties"]
    metrics = {it["Id"]: it["MetricStat"] for it in of["Metrics"] if "MetricStat" in it}
    assert {name: it["Metric"]["MetricName"] for name, it in metrics.items()} == {
        "accepted": "MessageAccepted",
        "stored": "EventStored",
        "duplicate": "EventDuplicate",
    }
    assert {it["Period"] * of["EvaluationPeriods"] for it in metrics.values()} == {30 * 60}
    assert of["DatapointsToAlarm"] == of["EvaluationPeriods"]
    (expression,) = (it for it in of["Metrics"] if "Expression" in it)
    assert expression.get("ReturnData", True)
    assert not any(it.get("ReturnData", True) for it in of["Metrics"] if it is not expression)


def test_no_statement_allows_a_wildcard_but_for_traces() -> None:
    for name in CLOUDFORMATION:
        for node in walk(CLOUDFORMATION[name]["Resources"]):
            if node.get("Effect") == "Allow" and "Resource" in node and node["Sid"] != "WriteTraces":
                assert "*" not in plain(node["Resource"])
