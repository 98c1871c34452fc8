"""The deployments that remediation is told on, each made once: one repairs, one only retries, one only tells."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.remediation import remediation, steps
from local.deploy import deployment
from tests.e2e.remediation.dependents import TARGETS
from tests.e2e.remediation.estate import FUNCTIONS
from tests.e2e.remediation.world import World

WAIT_SCALE = 0.01
"""A minute of the workflow's waits takes 0.6 s here."""
FAST = {
    "settleMinutes": 1,
    "maxRetries": 2,
    "rotationFunctions": [FUNCTIONS["rotate"]],
    "probeFunctions": [FUNCTIONS["probe"], FUNCTIONS["hang"], FUNCTIONS["gone"]],
}


@pytest.fixture(scope="session")
def repairing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """As far as it goes, for secrets that are broken a few at a time; the breaker opens after two incidents."""
    yield from _deployed(
        tmp_path_factory,
        {
            **FAST,
            "remediationMode": "repair",
            "maxActionsPerHour": 50,
            "breakerThreshold": 2,
            "restartTargets": TARGETS,
            "restartTimeoutMinutes": 1,
        },
    )


@pytest.fixture(scope="session")
def patient(stack: deployment.RunningStack) -> World:
    """It gives AWS a minute before it looks, which is enough however busy this machine is."""
    return World(stack)


@pytest.fixture(scope="session")
def retrying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Retries alone, and six of them in an hour."""
    config = {**FAST, "remediationMode": "retry", "maxActionsPerHour": 6, "settleMinutes": 0}
    # Many are held before they are told together: within some seconds, where they are gathered for eleven.
    yield from _deployed(tmp_path_factory, config, wait_scale=0.06)


@pytest.fixture(scope="session")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """As it is deployed unless somebody says more."""
    yield from _deployed(tmp_path_factory, {**FAST, "remediationMode": "notify"})


def _deployed(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any], wait_scale: float = WAIT_SCALE
) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "RETRY_BASE_MINUTES", 1)
        patch.setattr(steps, "RETRY_CAP_MINUTES", 1)
        # A function's first call takes a second where others are at work.
        patch.setattr(steps, "PROBE_SECONDS", 4)
        # Long enough for two incidents to want the same, however busy this machine is.
        patch.setattr(remediation, "RESTART_DEBOUNCE_SECONDS", 300)
        stack = deployment.up(tmp_path_factory.mktemp("remediation") / ".local", config=config, wait_scale=wait_scale)
    try:
        yield World(stack)
    finally:
        # Its end is all that is asked here: other stories hold `down` to leaving nothing behind.
        if emulator := stack.emulator:
            emulator.stop()
