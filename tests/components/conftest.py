"""Deploys components under Pulumi mocks, and gives what they asked for."""

import json

import pytest

from components.audit.audit_status import AuditStatus
from components.rotation_guard import RotationGuard
from local.mocks import recording


@pytest.fixture(scope="session")
def deploy():
    """Deploys a component: `deploy(Component, "name", {args}, preview=...)` gives its Recording.

    The same is deployed once, as nobody changes a record. Args that hold Outputs are made by a function.
    """
    made = {}

    def deploy_once(component, name, *args, **how):
        if any(map(callable, args)):
            return recording.deploy(component, name, *args, **how)
        key = (component, name, json.dumps([args, how], sort_keys=True))
        if key not in made:
            made[key] = recording.deploy(component, name, *args, **how)
        return made[key]

    return deploy_once


@pytest.fixture(scope="session")
def make_status():
    """Makes the table of the audit's status in a deployment: the args by which another component finds it."""

    def make_status(name):
        status = AuditStatus(name)
        return {"status_table_name": status.table_name, "status_table_arn": status.table_arn}

    return make_status


@pytest.fixture(scope="session")
def deploy_program():
    """Runs `__main__.py` with this config and gives its Recording."""
    return recording.deploy_program


@pytest.fixture(scope="session")
def stack_config():
    """The config of a stack, or of the project's defaults alone, as the engine hands it to the program."""
    return recording.stack_config


@pytest.fixture(scope="session")
def run():
    """Runs any function as a Pulumi program and gives its Recording."""
    return recording.run


@pytest.fixture(scope="session")
def guard(deploy):
    """Deploys `RotationGuard("guard", settings)`."""
    return lambda preview=False, **settings: deploy(RotationGuard, "guard", settings, preview=preview)
