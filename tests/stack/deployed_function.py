"""A deployed function as the local AWS knows it: its name, its settings, and the processes that it runs in."""

from typing import Any

from local.stack import NAME, Stack
from local.waiting import wait_for


def name_of(stack: Stack, logical_id: str, *, stack_name: str = NAME) -> str:
    """Return the name that a template's function was deployed under."""
    resource = stack.client("cloudformation").describe_stack_resource(
        StackName=stack_name, LogicalResourceId=logical_id
    )
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])


def processes_of(stack: Stack, name: str) -> str:
    """Return what stands in the command line of each of its processes, and in no other's."""
    return f"{stack.folder}/ministack-lambda-{name}-"


def update(stack: Stack, name: str, **settings: Any) -> None:  # noqa: ANN401 - as AWS has them
    """Change settings, and wait until they are in force; the processes start anew with them."""
    functions = stack.client("lambda")
    functions.update_function_configuration(FunctionName=name, **settings)
    wait_for(
        lambda: functions.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful",
        "the function's update",
    )
