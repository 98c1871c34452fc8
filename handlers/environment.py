"""The environment, as one frozen dataclass per function: a field's name in capitals is the variable's name.

The values that Powertools reads for itself are its own.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from rotation_guard.domain.audit.age_limits import AgeClass
from rotation_guard.domain.audit.audit_settings import AuditSettings


class InvalidEnvironment(RuntimeError):
    """A variable is missing or cannot be read; the message names it."""


class _FromEnvironment:
    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The settings in this environment, the process's own unless given. Raises InvalidEnvironment."""
        environment = os.environ if environment is None else environment
        return cls(**{field.name: _read(field.name.upper(), field.type, environment) for field in fields(cls)})  # ty: ignore[invalid-argument-type]


def _read(name: str, kind: object, environment: Mapping[str, str]) -> str | int:
    text = environment.get(name)
    if text is None:
        raise InvalidEnvironment(f"{name} must be set in the function's environment, got nothing")
    if kind is not int:
        return text
    try:
        return int(text)
    except ValueError:
        raise InvalidEnvironment(f"{name} must be a whole number, got {text!r}") from None


@dataclass(frozen=True)
class AuditWriterSettings(_FromEnvironment):
    """Where events wait, where they are recorded, and for how long."""

    audit_queue_url: str
    audit_trail_table_name: str
    status_table_name: str
    history_days: int
    event_accounts: str
    """`own`, or `all` where events of several accounts arrive."""


@dataclass(frozen=True)
class RotationCheckSettings(_FromEnvironment):
    """What is audited, and where the answers go."""

    table_name: str
    status_table_name: str
    runs_table_name: str
    audit_trail_table_name: str
    """Where events are recorded; empty where nothing records them, and then nothing is held against them."""
    incidents_table_name: str
    """Where incidents are; empty where there are none."""
    max_age_days: int
    max_age_classes: str
    """JSON: a list of `days` with `name`, or `tag_key` and perhaps `tag_value`."""
    warn_days: int
    stuck_hours: int
    missed_hours: int
    managed_tag_key: str
    managed_tag_value: str
    history_mode: str
    """`everyRun` or `changes`."""
    history_days: int
    period_seconds: int
    """How far apart the runs are."""
    publish_status: str
    """`true` to tell a hub by events what was found."""

    @property
    def managed_tag(self) -> str:
        """The tag that puts a secret under audit, as `key=value`."""
        return f"{self.managed_tag_key}={self.managed_tag_value}"

    def audit(self) -> AuditSettings:
        """What is too old, and what is too late."""
        classes = tuple(AgeClass(**one) for one in json.loads(self.max_age_classes))
        return AuditSettings(self.max_age_days, self.warn_days, self.stuck_hours, self.missed_hours, classes)


@dataclass(frozen=True)
class RemediationStartSettings(_FromEnvironment):
    """What is started for an event."""

    state_machine_arn: str


@dataclass(frozen=True)
class RemediationClaimSettings(_FromEnvironment):
    """Where incidents are kept, and how long AWS is given to recover by itself."""

    incidents_table_name: str
    settle_minutes: int
    remediation_scope: str
    """JSON: `name`, a pattern, and `tag` with `key` and perhaps `value`; an empty map for every secret."""
    restart_targets: str
    """JSON: the ARNs of what may be restarted."""


@dataclass(frozen=True)
class RemediationDiagnoseSettings(_FromEnvironment):
    """What a secret may opt in to."""

    incidents_table_name: str
    remediation_mode: str
    remediation_scope: str
    """JSON: `name`, a pattern, and `tag` with `key` and perhaps `value`; an empty map for every secret."""
    probe_functions: str
    """JSON: the ARNs of the functions that may be asked which version works."""
    restart_targets: str
    """JSON: the ARNs of what may be restarted."""


@dataclass(frozen=True)
class RemediationProbeSettings(_FromEnvironment):
    """How long a probe may take."""

    probe_timeout_seconds: int


@dataclass(frozen=True)
class RemediationDecideSettings(_FromEnvironment):
    """How often, how much, and when."""

    incidents_table_name: str
    kill_switch_parameter_name: str
    max_retries: int
    retry_base_minutes: int
    retry_cap_minutes: int
    breaker_threshold: int
    max_actions_per_hour: int
    change_window: str
    """JSON: `days`, `start` and `end` in UTC; an empty map for any time."""


@dataclass(frozen=True)
class RemediationActSettings(_FromEnvironment):
    """Where an action is written down before it is done."""

    incidents_table_name: str


@dataclass(frozen=True)
class RemediationEndSettings(_FromEnvironment):
    """Where incidents are kept, and for how long once they are closed."""

    incidents_table_name: str
    history_days: int


@dataclass(frozen=True)
class RemediationNotifySettings(_FromEnvironment):
    """Whom to tell, and where they read on."""

    incidents_table_name: str
    remediation_topic_arn: str
    critical_topic_arn: str
    runbook_url: str
    """The runbook, without a heading."""


@dataclass(frozen=True)
class RemediationRestartSettings(_FromEnvironment):
    """Where restarts are written down, and what may stop them."""

    incidents_table_name: str
    kill_switch_parameter_name: str


@dataclass(frozen=True)
class RemediationWatchSettings(_FromEnvironment):
    """Where it is written down how restarts went."""

    incidents_table_name: str


@dataclass(frozen=True)
class DemoDatabaseSettings(_FromEnvironment):
    """What the demo's functions take for a database."""

    demo_database_parameter_name: str


@dataclass(frozen=True)
class ScheduledReportSettings(_FromEnvironment):
    """What a report is read from, where it is stored, and who is notified."""

    status_table_name: str
    runs_table_name: str
    incidents_table_name: str
    """Where incidents are; empty where there are none."""
    reports_bucket_name: str
    reports_topic_arn: str
    product_version: str
    """The release that was deployed, which a report names."""


@dataclass(frozen=True)
class HubRecordSettings(_FromEnvironment):
    """Where a hub records what its members report, for how long, and whom it notifies."""

    incidents_table_name: str
    status_table_name: str
    runs_table_name: str
    history_days: int
    remediation_topic_arn: str
    critical_topic_arn: str
    runbook_url: str
    """The runbook, without a heading."""


@dataclass(frozen=True)
class RedeliverSettings(_FromEnvironment):
    """Where events are that did not reach the hub, and where they belong."""

    dead_letters_url: str
    hub_event_bus_arn: str


@dataclass(frozen=True)
class ImportFindingsSettings(_FromEnvironment):
    """Where the recommendations of findings lead."""

    runbook_url: str
    """The runbook, without a heading."""
