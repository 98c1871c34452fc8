"""The stacks as they would be deployed."""

import pytest

from local.recording import deploy_program, stack_config


@pytest.fixture(scope="session")
def dev():
    """The dev stack, which has all that there is, as it would be deployed."""
    return deploy_program(stack_config("dev"), stack="dev")


@pytest.fixture(scope="session")
def prod():
    """The production stack as it would be deployed."""
    return deploy_program(stack_config("prod"), stack="prod")


@pytest.fixture(scope="session")
def functions(dev):
    """Every Lambda function by its entry point: one that is deployed twice is looked at twice."""
    return [(one.inputs["handler"], one) for one in dev.of_type("aws:lambda/function:Function")]
