"""A stack is found by its name, and an error says what is wrong with the name or the environment."""

import pytest

from tests.tools.conftest import Deploy
from tools.command import CommandError
from tools.deployed import Deployed


def test_outputs_and_parameters_are_the_stacks(deploy: Deploy) -> None:
    stack = deploy(SendMode="DryRun")
    assert stack.output("QueueUrl").startswith("https://")
    assert stack.parameters["SendMode"] == "DryRun"


@pytest.mark.usefixtures("deployed")
def test_a_stack_that_does_not_exist_is_named_with_its_region() -> None:
    with pytest.raises(CommandError, match=r"There is no stack 'elsewhere' in eu-west-1.*`make local`"):
        Deployed("elsewhere")


def test_an_output_that_is_missing_is_named(deployed: Deployed) -> None:
    with pytest.raises(CommandError, match="has no output Colour"):
        deployed.output("Colour")


def test_the_region_may_come_from_aws_region_alone(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert Deployed(deployed.name).session.get_config_variable("region") == "eu-west-1"
