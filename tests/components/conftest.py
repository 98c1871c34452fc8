"""Deploys components with Pulumi's mocks, and returns what they registered."""

import json

import pytest

from components.audit.audit_status import AuditStatus
from components.rotation_guard import RotationGuard
from local.mocks import recording


@pytest.fixture(scope="session")
def deploy():
    """Deploys a component: `deploy(Component, "name", {args}, preview=...)` returns its Recording.

    Equal deployments are cached, because no test changes a Recording. Args with Outputs are made by a function.
    """
    recordings = {}

    def deploy_once(component, name, *args, **options):
        if any(map(callable, args)):
            return recording.deploy(component, name, *args, **options)
        key = (component, name, json.dumps([args, options], sort_keys=True))
        if key not in recordings:
            recordings[key] = recording.deploy(component, name, *args, **options)
        return recordings[key]

    return deploy_once


@pytest.fixture(scope="session")
def make_status():
    """Creates a status table, and returns the args that refer to it."""

    def make_status(name):
        status = AuditStatus(name)
        return {"status_table_name": status.table_name, "status_table_arn": status.table_arn}

    return make_status


@pytest.fixture(scope="session")
def deploy_program():
    """Runs `__main__.py` with this configuration and returns its Recording."""
    return recording.deploy_program


@pytest.fixture(scope="session")
def stack_config():
    """The config of a stack, or of the project's defaults alone, as the engine passes it to the program."""
    return recording.stack_config


@pytest.fixture(scope="session")
def run():
    """Runs any function as a Pulumi program and returns its Recording."""
    return recording.run


@pytest.fixture(scope="session")
def guard(deploy):
    """Deploys `RotationGuard("guard", settings)`."""
    return lambda preview=False, **settings: deploy(RotationGuard, "guard", settings, preview=preview)
