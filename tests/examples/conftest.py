"""Shared by the tests of examples: an example as Lambda would load it, and a Secrets Manager with one value."""

import importlib.util
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest

from tests.paths import ROOT

EXAMPLES = ROOT / "examples"
REQUEST = {"SecretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-Ab12Cd", "VersionId": "one"}


@pytest.fixture
def load() -> Callable[[str], ModuleType]:
    """Loads a new copy of a file below `examples/`."""

    def from_file(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location("probe", EXAMPLES / path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return from_file


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Invokes a probe for a version with this value, a string or something to write as JSON."""

    def invoke_probe(probe: ModuleType, value: Any) -> Any:
        event = {**REQUEST, "VersionStage": "AWSPENDING"}

        class SecretsManager:
            def get_secret_value(self, **parameters: str) -> dict[str, str]:
                assert parameters == event
                return {"SecretString": value if isinstance(value, str) else json.dumps(value)}

        monkeypatch.setattr(boto3, "client", {"secretsmanager": SecretsManager()}.__getitem__)
        return probe.handler(event, None)

    return invoke_probe
