"""What the tests of examples share: an example as Lambda would load it, and a Secrets Manager that knows one value."""

import importlib.util
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest

from tests.paths import ROOT

EXAMPLES = ROOT / "examples"
ASKED = {"SecretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-Ab12Cd", "VersionId": "one"}


@pytest.fixture
def load() -> Callable[[str], ModuleType]:
    """Loads a file below `examples/` anew."""

    def from_file(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location("probe", EXAMPLES / path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return from_file


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Asks a probe about a version with this value, a text or what is written as JSON."""

    def asked(probe: ModuleType, value: Any) -> Any:
        event = {**ASKED, "VersionStage": "AWSPENDING"}

        class SecretsManager:
            def get_secret_value(self, **names: str) -> dict[str, str]:
                assert names == event
                return {"SecretString": value if isinstance(value, str) else json.dumps(value)}

        monkeypatch.setattr(boto3, "client", {"secretsmanager": SecretsManager()}.__getitem__)
        return probe.handler(event, None)

    return asked
