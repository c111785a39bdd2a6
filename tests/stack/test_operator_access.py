"""What each managed policy of the stack allows, and who can use /sign, with IAM enforced.

There is a user for each policy, who has no other policy.
"""

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.session
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from gatewayapi.signature import sign
from local.emulator import REGION
from local.sam import PROJECT, own_environment
from local.stack import NAME, Stack
from local.waiting import wait_for
from tests.stack.deployed_stack import DeployedStack

Fields = dict[str, Any]
Client = Callable[[str], Any]
DENIED = {"AccessDenied", "AccessDeniedException"}
MESSAGE = {"sender": "Example", "recipient": 4512345678, "message": "Hello"}
OPT_OUT = {"pk": {"S": "OPT_OUT#4512345678"}, "sk": {"S": "OPT_OUT"}}
RECORD = {"pk": {"S": "a-reference"}, "sk": {"S": "MESSAGE"}}
PRODUCER, CONSUMER, SUPPORT, OPT_OUTS, OPERATOR = "Producer", "Consumer", "Support", "OptOut", "Operator"
POLICIES = PRODUCER, CONSUMER, SUPPORT, OPT_OUTS, OPERATOR


@dataclass(frozen=True, slots=True)
class Call:
    """A call to AWS: arguments that are outputs of the stack, other arguments, and the policies that allow it."""

    service: str
    operation: str
    outputs: dict[str, str] = field(default_factory=dict)
    arguments: Fields = field(default_factory=dict)
    allowed: tuple[str, ...] = ()

    def make(self, stack: Stack, client: Client) -> Fields:
        """Make the call, and return the answer."""
        found = {name: stack.outputs[output] for name, output in self.outputs.items()}
        return dict(getattr(client(self.service), self.operation)(**found, **self.arguments))


TABLE = {"TableName": "TableName"}
BY_REFERENCE = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "a-reference"}}}
BY_NUMBER = {
    "IndexName": "by_phone_number",
    "KeyConditionExpression": "phone_number = :number",
    "ExpressionAttributeValues": {":number": {"S": "4512345678"}},
}
TOUCH = {"UpdateExpression": "SET touched = :yes", "ExpressionAttributeValues": {":yes": {"BOOL": True}}}
QUEUES = "QueueUrl", "UrgentQueueUrl", "DeadLetterQueueUrl"

CALLS = [
    *(
        Call("sqs", "send_message", {"QueueUrl": queue}, {"MessageBody": "{}"}, (PRODUCER, OPERATOR))
        for queue in ("QueueUrl", "UrgentQueueUrl")
    ),
    Call("sqs", "send_message", {"QueueUrl": "DeadLetterQueueUrl"}, {"MessageBody": "{}"}),
    *(Call("sqs", "receive_message", {"QueueUrl": queue}) for queue in ("QueueUrl", "UrgentQueueUrl")),
    Call("sqs", "receive_message", {"QueueUrl": "DeadLetterQueueUrl"}, {"VisibilityTimeout": 0}, (OPERATOR,)),
    *(
        Call("sqs", operation, {"QueueUrl": queue})
        for operation in ("purge_queue", "delete_queue")
        for queue in QUEUES
    ),
    Call("dynamodb", "query", TABLE, BY_REFERENCE, (SUPPORT, OPERATOR)),
    Call("dynamodb", "query", TABLE, BY_NUMBER, (SUPPORT, OPERATOR)),
    # The local AWS does not evaluate the condition by which OptOutPolicy allows opt-outs only;
    # tests/stack/test_template_access.py checks that it is there.
    Call("dynamodb", "update_item", TABLE, {"Key": OPT_OUT, **TOUCH}, (OPERATOR,)),
    Call("dynamodb", "put_item", TABLE, {"Item": OPT_OUT}, (OPT_OUTS,)),
    Call("dynamodb", "get_item", TABLE, {"Key": RECORD}),
    Call("dynamodb", "delete_item", TABLE, {"Key": RECORD}),
    Call("dynamodb", "scan", TABLE),
    Call("dynamodb", "delete_table", TABLE),
    Call("dynamodbstreams", "describe_stream", {"StreamArn": "StreamArn"}),
    Call("secretsmanager", "get_secret_value", {"SecretId": "ApiTokenSecretArn"}),
    Call("secretsmanager", "get_secret_value", {"SecretId": "WebhookKeySecretArn"}),
    Call("iam", "list_users"),
    Call("lambda", "list_functions"),
    Call("logs", "describe_log_groups"),
]


def credentials(stack: Stack, name: str, policy_arn: str | None) -> Credentials:
    """Create a user with this one policy or with none, and return the user's credentials."""
    iam = stack.client("iam")
    iam.create_user(UserName=name)
    if policy_arn:
        iam.attach_user_policy(UserName=name, PolicyArn=policy_arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def user(stack: Stack, name: str, policy_arn: str) -> Client:
    """Create a user with this one policy, and return a function that returns the user's client of a service."""
    keys = credentials(stack, name, policy_arn)
    session = botocore.session.Session()
    session.set_credentials(keys.access_key, keys.secret_key)
    return functools.cache(
        lambda service: session.create_client(service, endpoint_url=stack.endpoint, region_name=REGION)
    )


@pytest.fixture(scope="module")
def users(deployed: DeployedStack) -> dict[str, Client]:
    """Create a user for each policy."""
    # Not the fixture `stack`: `deployed` has already restarted the sender with the settings of the tests. A restart
    # could kill the invocation for a message that these tests send.
    stack = deployed.stack
    return {policy: user(stack, policy, stack.outputs[f"{policy}PolicyArn"]) for policy in POLICIES}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: "-".join((call.operation, *call.outputs.values())))
def test_a_policy_allows_what_it_is_for_and_nothing_else(
    stack: Stack, users: dict[str, Client], call: Call, policy: str
) -> None:
    if policy in call.allowed:
        assert call.make(stack, users[policy])["ResponseMetadata"]["HTTPStatusCode"] == 200
        return
    with pytest.raises(ClientError) as error:
        call.make(stack, users[policy])
    assert error.value.response["Error"]["Code"] in DENIED


@pytest.mark.parametrize("queue", ["QueueUrl", "UrgentQueueUrl"])
def test_a_message_of_a_producer_is_sent(deployed: DeployedStack, users: dict[str, Client], queue: str) -> None:
    url, reference = deployed.stack.outputs[queue], f"produced-{queue}"
    sqs = users[PRODUCER]("sqs")
    assert sqs.get_queue_url(QueueName=url.rpartition("/")[2])["QueueUrl"] == url
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({**MESSAGE, "reference": reference}))
    deployed.wait_for_status(reference, "DELIVERED")


def test_an_operator_moves_a_dead_letter_back_to_the_queue(deployed: DeployedStack, users: dict[str, Client]) -> None:
    deployed.dead_letters("")  # makes the dead letters of other tests invisible
    deployed.send(deployed.message("moved-by-an-operator", recipient=1))
    deployed.wait_for_status("moved-by-an-operator", "INVALID")
    deployed.drain()
    sqs, dead_letters = users[OPERATOR]("sqs"), deployed.stack.outputs["DeadLetterQueueUrl"]
    (dead_letter,) = sqs.receive_message(QueueUrl=dead_letters, WaitTimeSeconds=5)["Messages"]
    handle = {"QueueUrl": dead_letters, "ReceiptHandle": dead_letter["ReceiptHandle"]}
    sqs.change_message_visibility(**handle, VisibilityTimeout=30)
    sqs.send_message(QueueUrl=deployed.stack.outputs["QueueUrl"], MessageBody=dead_letter["Body"])
    sqs.delete_message(**handle)
    deployed.drain()
    assert deployed.statuses("moved-by-an-operator") == ["INVALID", "INVALID"]


def test_the_actions_of_a_consumer_are_enough_to_read_the_stream(stack: Stack) -> None:
    # The local AWS compares every call about a stream with the resource `*`, so only the policy's actions are tried
    # here. tests/stack/test_template_access.py checks its resources.
    iam, arn = stack.client("iam"), stack.outputs["ConsumerPolicyArn"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    for statement in document["Statement"]:
        statement["Resource"] = "*"
    anywhere = iam.create_policy(PolicyName="consumer-anywhere", PolicyDocument=json.dumps(document))
    reader = user(stack, "reader", anywhere["Policy"]["Arn"])
    key = {"pk": {"S": "read-by-a-consumer"}, "sk": {"S": "MESSAGE"}}
    table = {"TableName": stack.outputs["TableName"]}
    stack.client("dynamodb").put_item(**table, Item=key)
    stack.client("dynamodb").delete_item(**table, Key=key)
    streams = reader("dynamodbstreams")
    (stream,) = streams.list_streams(**table)["Streams"]
    arn = stream["StreamArn"]
    assert arn == stack.outputs["StreamArn"]
    shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]

    def seen() -> bool:
        iterators = [
            streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
            for shard in shards
        ]
        pages = [streams.get_records(ShardIterator=iterator["ShardIterator"]) for iterator in iterators]
        keys = [record["dynamodb"]["Keys"]["pk"]["S"] for page in pages for record in page["Records"]]
        return "read-by-a-consumer" in keys

    wait_for(seen, "the consumer to read the record")


BODY = b'{"to": "be signed"}'


def api_id(stack: Stack) -> str:
    return stack.outputs["SignUrl"].removeprefix("https://").partition(".")[0]


def account(stack: Stack) -> str:
    return stack.outputs["QueueArn"].split(":")[4]


def created_policy(stack: Stack, name: str, document: Fields) -> str:
    """Create a policy, and return its ARN."""
    policy = stack.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
    return str(policy["Policy"]["Arn"])


def invoking(stack: Stack, path: str) -> str:
    """Create a policy to invoke this route of the API and no other, and return its ARN."""
    resource = f"arn:aws:execute-api:{REGION}:{account(stack)}:{api_id(stack)}/v1/POST/{path}"
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}
    return created_policy(stack, f"invoke-{path}", {"Version": "2012-10-17", "Statement": [statement]})


def request_signature(stack: Stack, caller: Credentials) -> tuple[int, bytes]:
    """Request the signature of a body with these credentials, and return status and body of the answer."""
    request = AWSRequest("POST", stack.sign_url, data=BODY, headers={"Content-Type": "application/json"})
    SigV4Auth(caller, "execute-api", REGION).add_auth(request)
    headers = dict(request.headers)
    answer = urllib3.request("POST", stack.sign_url, body=BODY, headers=headers, timeout=60, retries=False)
    return answer.status, answer.data


@pytest.mark.parametrize("policy", [None, *POLICIES, "webhooks"])
def test_without_permission_for_the_route_there_is_no_signature(stack: Stack, policy: str | None) -> None:
    arn = stack.outputs[f"{policy}PolicyArn"] if policy in POLICIES else policy and invoking(stack, policy)
    status, answer = request_signature(stack, credentials(stack, f"unsigned-{policy}", arn))
    assert status == 403
    assert b"v1=" not in answer


def test_with_permission_for_the_route_a_body_is_signed(stack: Stack) -> None:
    status, answer = request_signature(stack, credentials(stack, "signer", invoking(stack, "sign")))
    assert (status, json.loads(answer)) == (200, {"signature": sign(BODY, stack.webhook_key)})


@pytest.mark.parametrize(("command", "arguments"), [("smoke", []), ("status", ["--reference", "for-status"])])
def test_a_command_works_with_the_policy_that_the_deployment_guide_prints(
    deployed: DeployedStack, command: str, arguments: list[str]
) -> None:
    stack = deployed.stack
    if command == "status":
        deployed.send(deployed.message("for-status"))
        deployed.wait_for_status("for-status", "DELIVERED")
    printed = (PROJECT / "docs/deploy.md").read_text()
    found = re.search(rf"<!-- policy: {command} -->\n```json\n(.*?)```", printed, re.DOTALL)
    assert found
    text = found[1]
    values = {"REGION": REGION, "ACCOUNT": account(stack), "STACK": NAME, "API_ID": api_id(stack)}
    for placeholder, value in {**values, "TABLE_NAME": stack.outputs["TableName"]}.items():
        text = re.sub(rf"\b{placeholder}\b", value, text)
    keys = credentials(stack, f"runs-{command}", created_policy(stack, f"runs-{command}", json.loads(text)))
    ran = subprocess.run(
        [sys.executable, "-m", f"tools.{command}", "--stack", NAME, *arguments],
        cwd=PROJECT,
        env=own_environment()
        | {
            "AWS_ENDPOINT_URL": stack.endpoint,
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_REGION": REGION,
            "PYTHONPATH": str(PROJECT / "layers/gatewayapi"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
