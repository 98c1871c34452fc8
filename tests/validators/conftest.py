"""What the validators are held against, once for all tests."""

from collections.abc import Callable
from typing import Any

import pytest

from local.mocks.recording import Recording
from tests.validators import tools
from tests.validators.cloudformation import convert
from tests.validators.configurations import CONFIGURATIONS, record


@pytest.fixture(scope="session")
def recordings() -> dict[str, Recording]:
    """What the program asks for in each configuration, by its name."""
    return {name: record(name) for name in CONFIGURATIONS}


@pytest.fixture(scope="session")
def templates(recordings: dict[str, Recording]) -> dict[str, dict[str, Any]]:
    """The same as CloudFormation templates."""
    return {name: convert(recording) for name, recording in recordings.items()}


@pytest.fixture(scope="session")
def run_validator() -> Callable[..., Any]:
    """Calls a function of `tools`, and skips the test with a reason where this machine has not got the validator."""

    def run(check: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return check(*arguments)
        except tools.Missing as missing:
            pytest.skip(str(missing))

    return run
