"""A function on the local AWS: its name, its settings and its processes."""

from typing import Any

from local.stack import NAME, Stack
from local.waiting import wait_for


def name_of(stack: Stack, logical_id: str, *, stack_name: str = NAME) -> str:
    """Return the deployed name of a template's function."""
    resource = stack.client("cloudformation").describe_stack_resource(
        StackName=stack_name, LogicalResourceId=logical_id
    )
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])


def processes_of(stack: Stack, name: str) -> str:
    """Return a text that is in the command line of the function's processes, and of no others."""
    return f"{stack.folder}/ministack-lambda-{name}-"


def update(stack: Stack, name: str, **settings: Any) -> None:  # noqa: ANN401 - as AWS has them
    """Change settings, and wait until they are active. The function's processes restart."""
    functions = stack.client("lambda")
    functions.update_function_configuration(FunctionName=name, **settings)
    wait_for(
        lambda: functions.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful",
        "the function's update",
    )
