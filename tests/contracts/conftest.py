"""Deploys the program under Pulumi mocks, with the recorder that the components' tests use."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def recording():
    """The recorder as a module."""
    name = "recording_of_components"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / "components" / "recording.py")
        assert spec
        assert spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def dev(recording):
    """The dev stack, which has all that there is, as it would be deployed."""
    return recording.deploy_program(recording.stack_config("dev"), stack="dev")


@pytest.fixture(scope="session")
def prod(recording):
    """The production stack as it would be deployed."""
    return recording.deploy_program(recording.stack_config("prod"), stack="prod")


@pytest.fixture(scope="session")
def functions(dev):
    """Every Lambda function by its entry point: one that is deployed twice is looked at twice."""
    return [(one.inputs["handler"], one) for one in dev.of_type("aws:lambda/function:Function")]
