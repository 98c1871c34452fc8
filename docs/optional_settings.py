"""What settings add to the prod stack that are off by default: for the pages of permissions and of costs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from local.mocks.recording import Recording, deploy_program, stack_config

_NAMESPACE = "rotation-guard:"
_RECEIVER = {"topic": "remediation", "protocol": "webhook", "endpoint": "https://example.com/incidents"}
SETTINGS: Mapping[str, str] = {
    "reportSchedule": "rate(1 day)",
    "securityHub": "true",
    "canarySchedule": "rate(1 day)",
    "subscriptions": json.dumps([_RECEIVER]),
}
"""Each with a value that turns it on; of subscriptions one for a program over HTTPS, as Slack and PagerDuty have."""
_ROLE, _ALARM = "aws:iam/role:Role", "aws:cloudwatch/metricAlarm:MetricAlarm"


@dataclass(frozen=True)
class Addition:
    """What one setting adds."""

    setting: str
    recording: Recording
    """The prod stack with it."""
    roles: frozenset[str]
    """The names of the roles that it adds."""
    alarms: int
    """How many metric alarms it adds."""


@cache
def list_additions() -> tuple[Addition, ...]:
    """What each of them adds to the prod stack."""
    return tuple(_deploy_with())


def _deploy_with() -> Iterator[Addition]:
    config = {**stack_config("prod"), f"{_NAMESPACE}subscriptions": "[]"}
    before = deploy_program(config, stack="prod")
    known = {role.name for role in before.of_type(_ROLE)}
    for setting, value in SETTINGS.items():
        recording = deploy_program({**config, f"{_NAMESPACE}{setting}": value}, stack="prod")
        roles = frozenset(role.name for role in recording.of_type(_ROLE)) - known
        alarms = len(recording.of_type(_ALARM)) - len(before.of_type(_ALARM))
        yield Addition(setting, recording, roles, alarms)
