"""The deployments for tests of remediation, one for each mode, each made once per session."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.remediation import remediation, steps
from local.deploy import deployment
from local.emulator import api
from tests.e2e.remediation.dependents import TARGETS
from tests.e2e.remediation.estate import FUNCTIONS
from tests.e2e.remediation.world import World
from tests.receivers.server import Receivers, serve

RECEIVERS_ACTION = "RotationGuardReceivers"
PAGERDUTY_KEY = "0123456789abcdef0123456789abcdef"
WAIT_SCALE = 0.01
"""A minute of the workflow's waits takes 0.6 s here."""
FAST = {
    "settleMinutes": 1,
    "maxRetries": 2,
    "rotationFunctions": [FUNCTIONS["rotate"]],
    "probeFunctions": [FUNCTIONS["probe"], FUNCTIONS["hang"], FUNCTIONS["gone"]],
}
SUBSCRIPTIONS = [
    {"topic": "critical", "protocol": "slack", "endpoint": "https://hooks.slack.com/services/T0/B0/secret"},
    {"topic": "critical", "protocol": "pagerduty", "endpoint": PAGERDUTY_KEY},
    {
        "topic": "remediation",
        "protocol": "teams",
        "endpoint": "https://prod-1.westeurope.logic.azure.com:443/workflows/a/invoke?sp=%2Fa%2Frun&sig=b_-c",
        "owners": ["payments"],
    },
    {
        "topic": "remediation",
        "protocol": "webhook",
        "endpoint": "https://hook.example.com/incidents",
        "headers": {"Authorization": "Bearer sEcReT"},
    },
]
ADDRESSES = {
    "https://hooks.slack.com": "slack",
    "https://events.pagerduty.com": "pagerduty",
    "https://prod-1.westeurope.logic.azure.com:443": "teams",
    "https://hook.example.com": "webhook",
}
"""How the addresses of receivers begin -> the receiver that takes their place."""


@pytest.fixture(scope="session")
def receivers() -> Iterator[Receivers]:
    """Slack, Teams, PagerDuty and a webhook, on this machine."""
    with serve() as receivers:
        yield receivers


@pytest.fixture(scope="session")
def repair_world(tmp_path_factory: pytest.TempPathFactory, receivers: Receivers) -> Iterator[World]:
    """Mode repair, with a circuit breaker that opens after two incidents, and incidents sent to all receivers."""
    for world in _deployed(
        tmp_path_factory,
        {
            **FAST,
            "subscriptions": SUBSCRIPTIONS,
            "remediationMode": "repair",
            "maxActionsPerHour": 50,
            "breakerThreshold": 2,
            "restartTargets": TARGETS,
            "restartTimeoutMinutes": 1,
        },
    ):
        addresses = {beginning: receivers.url(receiver) for beginning, receiver in ADDRESSES.items()}
        api.call_action(world.stack.aws, RECEIVERS_ACTION, addresses)
        yield world


@pytest.fixture(scope="session")
def default_world(stack: deployment.RunningStack) -> World:
    """The dev stack, whose grace period of a minute is enough however busy the machine is."""
    return World(stack)


@pytest.fixture(scope="session")
def retry_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Mode retry, with at most six retries in an hour."""
    config = {**FAST, "remediationMode": "retry", "maxActionsPerHour": 6, "settleMinutes": 0}
    # The digest collects rate-limited incidents for eleven seconds; they all arrive within a few.
    yield from _deployed(tmp_path_factory, config, wait_scale=0.06)


@pytest.fixture(scope="session")
def notify_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Mode notify, the default."""
    yield from _deployed(tmp_path_factory, {**FAST, "remediationMode": "notify"})


def _deployed(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any], wait_scale: float = WAIT_SCALE
) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "RETRY_BASE_MINUTES", 1)
        patch.setattr(steps, "RETRY_CAP_MINUTES", 1)
        # A function's first call takes a second on a busy machine.
        patch.setattr(steps, "PROBE_SECONDS", 4)
        # Long enough for two incidents to request the same restart, however busy the machine is.
        patch.setattr(remediation, "RESTART_DEBOUNCE_SECONDS", 300)
        stack = deployment.up(tmp_path_factory.mktemp("remediation") / ".local", config=config, wait_scale=wait_scale)
    try:
        yield World(stack)
    finally:
        # Ending the emulator is enough: other tests check that `down` leaves nothing behind.
        if emulator := stack.emulator:
            emulator.stop()
