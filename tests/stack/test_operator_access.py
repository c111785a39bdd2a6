"""The two policies that the stack hands out, each worn by a user who has nothing else, with IAM enforced.

And who may have a body signed, which neither policy is enough for.
"""

import json
from collections.abc import Callable
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
from local.stack import Stack
from local.waiting import wait_for
from tests.stack.deployed_stack import World

Fields = dict[str, Any]
Client = Callable[[str], Any]
DENIED = {"AccessDenied", "AccessDeniedException"}
MESSAGE = {"sender": "Example", "recipient": 4512345678, "message": "Hello"}


def credentials(stack: Stack, name: str, policy_arn: str | None) -> Credentials:
    """Make a user with this one policy or with none, and return the user's credentials."""
    iam = stack.client("iam")
    iam.create_user(UserName=name)
    if policy_arn:
        iam.attach_user_policy(UserName=name, PolicyArn=policy_arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def user(stack: Stack, name: str, policy_arn: str) -> Client:
    """Make a user with this one policy, and return what makes the user's clients."""
    keys = credentials(stack, name, policy_arn)
    session = botocore.session.Session()
    session.set_credentials(keys.access_key, keys.secret_key)
    return lambda service: session.create_client(service, endpoint_url=stack.endpoint, region_name=REGION)


@pytest.fixture(scope="module")
def producer(stack: Stack) -> Client:
    return user(stack, "producer", stack.outputs["ProducerPolicyArn"])


@pytest.fixture(scope="module")
def consumer(stack: Stack) -> Client:
    return user(stack, "consumer", stack.outputs["ConsumerPolicyArn"])


@pytest.mark.parametrize("queue", ["QueueUrl", "UrgentQueueUrl"])
def test_a_producer_may_send(world: World, producer: Client, queue: str) -> None:
    url, reference = world.stack.outputs[queue], f"produced-{queue}"
    sqs = producer("sqs")
    assert sqs.get_queue_url(QueueName=url.rpartition("/")[2])["QueueUrl"] == url
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({**MESSAGE, "reference": reference}))
    world.wait_for_status(reference, "DELIVERED")


def test_what_a_consumer_may_do_is_enough_to_read_the_stream(stack: Stack) -> None:
    # The local AWS compares every call about a stream with the resource `*`, so the policy's actions alone are tried
    # here; tests/stack/test_template_access.py holds its resources.
    iam, arn = stack.client("iam"), stack.outputs["ConsumerPolicyArn"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    for statement in document["Statement"]:
        statement["Resource"] = "*"
    anywhere = iam.create_policy(PolicyName="consumer-anywhere", PolicyDocument=json.dumps(document))
    reader = user(stack, "reader", anywhere["Policy"]["Arn"])
    key = {"pk": {"S": "read by a consumer"}, "sk": {"S": "MESSAGE"}}
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
        return "read by a consumer" in keys

    wait_for(seen, "the consumer to read the record")


ELSEWHERE = [
    ("sqs", "receive_message", {"QueueUrl": "QueueUrl"}),
    ("sqs", "purge_queue", {"QueueUrl": "QueueUrl"}),
    ("sqs", "delete_queue", {"QueueUrl": "QueueUrl"}),
    ("sqs", "receive_message", {"QueueUrl": "DeadLetterQueueUrl"}),
    ("dynamodb", "scan", {"TableName": "TableName"}),
    ("dynamodb", "delete_table", {"TableName": "TableName"}),
    ("secretsmanager", "get_secret_value", {"SecretId": "ApiTokenSecretArn"}),
    ("secretsmanager", "get_secret_value", {"SecretId": "WebhookKeySecretArn"}),
    ("iam", "list_users", {}),
    ("lambda", "list_functions", {}),
    ("logs", "describe_log_groups", {}),
]


def refused(stack: Stack, client: Client, call: tuple[str, str, Fields], **literal: object) -> bool:
    """Return whether a call is refused for want of leave, and not for anything else."""
    service, operation, outputs = call
    arguments = {name: stack.outputs[output] for name, output in outputs.items()}
    with pytest.raises(ClientError) as error:
        getattr(client(service), operation)(**arguments, **literal)
    return error.value.response["Error"]["Code"] in DENIED


@pytest.mark.parametrize("call", ELSEWHERE, ids=lambda call: f"{call[1]}-{'-'.join(call[2].values())}")
def test_neither_may_do_anything_else(
    stack: Stack, producer: Client, consumer: Client, call: tuple[str, str, Fields]
) -> None:
    assert refused(stack, producer, call)
    assert refused(stack, consumer, call)


def test_each_may_not_do_what_the_other_may(stack: Stack, producer: Client, consumer: Client) -> None:
    assert refused(stack, producer, ("dynamodbstreams", "describe_stream", {"StreamArn": "StreamArn"}))
    for queue in ("QueueUrl", "UrgentQueueUrl"):
        assert refused(stack, consumer, ("sqs", "send_message", {"QueueUrl": queue}), MessageBody="{}")


def test_a_producer_may_not_put_a_message_into_the_dead_letter_queue(stack: Stack, producer: Client) -> None:
    assert refused(stack, producer, ("sqs", "send_message", {"QueueUrl": "DeadLetterQueueUrl"}), MessageBody="{}")


def route(stack: Stack, path: str) -> str:
    """Return the ARN of one of the API's routes, as a policy names it."""
    host, stage = stack.outputs["SignUrl"].removeprefix("https://").split("/")[:2]
    account = stack.outputs["QueueArn"].split(":")[4]
    return f"arn:aws:execute-api:{REGION}:{account}:{host.split('.')[0]}/{stage}/POST/{path}"


def ask(stack: Stack, asking: Credentials) -> tuple[int, bytes]:
    """Ask for a body to be signed, with these credentials, and return the status and the answer."""
    request = AWSRequest("POST", stack.sign_url, data=BODY, headers={"Content-Type": "application/json"})
    SigV4Auth(asking, "execute-api", REGION).add_auth(request)
    headers = dict(request.headers)
    answer = urllib3.request("POST", stack.sign_url, body=BODY, headers=headers, timeout=60, retries=False)
    return answer.status, answer.data


BODY = b'{"to": "be signed"}'
POLICIES: dict[str, Callable[[Stack], str | None]] = {
    "nothing": lambda _: None,
    "producer": lambda stack: stack.outputs["ProducerPolicyArn"],
    "consumer": lambda stack: stack.outputs["ConsumerPolicyArn"],
    "another route": lambda stack: invoking(stack, "webhooks"),
}


def invoking(stack: Stack, path: str) -> str:
    """Return the ARN of a policy to invoke this route and no other."""
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": route(stack, path)}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    policy = stack.client("iam").create_policy(PolicyName=f"invoke-{path}", PolicyDocument=document)
    return str(policy["Policy"]["Arn"])


@pytest.mark.parametrize(("name", "policy"), POLICIES.items(), ids=POLICIES)
def test_a_principal_without_leave_to_invoke_the_route_gets_no_signature(
    stack: Stack, name: str, policy: Callable[[Stack], str | None]
) -> None:
    status, answer = ask(stack, credentials(stack, f"asking-{name.replace(' ', '-')}", policy(stack)))
    assert status == 403
    assert b"v1=" not in answer


def test_a_principal_with_leave_to_invoke_the_route_gets_the_signature(stack: Stack) -> None:
    status, answer = ask(stack, credentials(stack, "asking-signer", invoking(stack, "sign")))
    assert (status, json.loads(answer)) == (200, {"signature": sign(BODY, stack.webhook_key)})
