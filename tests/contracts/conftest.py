"""The stacks as they would be deployed."""

import json

import pytest

from local.mocks.recording import deploy_program, stack_config

HERE = "eu-west-1:111122223333"
TARGETS = [
    f"arn:aws:ecs:{HERE}:service/shop/orders",
    f"arn:aws:lambda:{HERE}:function:api",
    f"arn:aws:ssm:{HERE}:document/restart",
]
"""One of each kind of what may be restarted, which the dev stack has none of."""
EVERYTHING = {"restartTargets": TARGETS, "restartRoleArns": ["arn:aws:iam::111122223333:role/automation"]}
"""Settings with which the dev stack has every function, with all that its role may do."""


@pytest.fixture(scope="session")
def dev():
    """The dev stack, with the demo, as it would be deployed."""
    return deploy_program(stack_config("dev"), stack="dev")


@pytest.fixture(scope="session")
def whole():
    """The dev stack with all that can be configured: every function that there is, with all that its role may do."""
    config = {f"rotation-guard:{key}": json.dumps(value) for key, value in EVERYTHING.items()}
    return deploy_program({**stack_config("dev"), **config}, stack="dev")


@pytest.fixture(scope="session")
def prod():
    """The production stack as it would be deployed."""
    return deploy_program(stack_config("prod"), stack="prod")


@pytest.fixture(scope="session")
def functions(whole):
    """Every Lambda function by its entry point: one that is deployed twice is looked at twice."""
    return [(resource.inputs["handler"], resource) for resource in whole.of_type("aws:lambda/function:Function")]
