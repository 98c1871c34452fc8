"""The stacks as they would be deployed."""

import json

import pytest

from local.mocks.organization import deploy_organization
from local.mocks.recording import deploy_program, stack_config

FUNCTION = "aws:lambda/function:Function"
HERE = "eu-west-1:111122223333"
TARGETS = [
    f"arn:aws:ecs:{HERE}:service/shop/orders",
    f"arn:aws:lambda:{HERE}:function:api",
    f"arn:aws:ssm:{HERE}:document/restart",
]
"""One restart target of each kind; the dev stack has none."""
EVERYTHING = {
    "reportSchedule": "rate(1 day)",
    "restartTargets": TARGETS,
    "restartRoleArns": ["arn:aws:iam::111122223333:role/automation"],
    "securityHub": True,
}
"""Settings with which the dev stack has every function with all its permissions."""


@pytest.fixture(scope="session")
def dev():
    """The dev stack, with the demo, as it would be deployed."""
    return deploy_program(stack_config("dev"), stack="dev")


@pytest.fixture(scope="session")
def whole():
    """The dev stack with everything configured: every function, with all its permissions."""
    config = {
        f"rotation-guard:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in EVERYTHING.items()
    }
    return deploy_program({**stack_config("dev"), **config}, stack="dev")


@pytest.fixture(scope="session")
def prod():
    """The production stack as it would be deployed."""
    return deploy_program(stack_config("prod"), stack="prod")


@pytest.fixture(scope="session")
def organization():
    """A hub and a member of it."""
    return deploy_organization()


@pytest.fixture(scope="session")
def functions(whole, organization):
    """Pairs of entry point and Lambda function; one that the stack deploys twice appears twice.

    Of the hub and the member those that the stack has not.
    """
    of_stack = [(resource.inputs["handler"], resource) for resource in whole.of_type(FUNCTION)]
    known = {entry_point for entry_point, _ in of_stack}
    others = [(resource.inputs["handler"], resource) for resource in organization.of_type(FUNCTION)]
    return [*of_stack, *((entry_point, function) for entry_point, function in others if entry_point not in known)]
