"""The Report of the kill switch: whether repairs are stopped, since when, by whom and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotation_guard.domain.timestamps import to_iso

from .deployment import Deployment
from .incident_report import headline, report_body
from .report import Records, Report

COLUMNS = ("parameter", "state", "value", "since", "changed_by", "reason")


@dataclass(frozen=True)
class LastChange:
    """Who set the parameter, as far as it is recorded."""

    explanation: str
    """The same in a sentence, or why it is unknown."""
    changed_by: str | None = None
    """An ARN."""
    reason: str | None = None


@dataclass(frozen=True)
class KillSwitchState:
    """The parameter as it is; any value but `go` means that repairs are stopped, and so does a missing parameter."""

    parameter: str
    is_stopped: bool
    value: str | None
    """None if the parameter does not exist."""
    since: datetime | None = None
    last_change: LastChange | None = None

    @property
    def sentence(self) -> str:
        """Whether repairs are stopped, and why."""
        if self.value is None:
            return f"Remediation is stopped: the parameter {self.parameter} does not exist."
        since = f", since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        if self.is_stopped:
            return f"Remediation is stopped: the parameter {self.parameter} is {self.value!r}{since}."
        return f"Remediation is enabled: the parameter {self.parameter} is go{since}."


def build_kill_switch_report(state: KillSwitchState, deployment: Deployment, now: datetime) -> Report:
    """The Report of a kill switch, which needs attention while repairs are stopped."""
    change = state.last_change
    fields: Mapping[str, Any] = {
        "parameter": state.parameter,
        "state": "stopped" if state.is_stopped else "enabled",
        "value": state.value,
        "since": to_iso(state.since) if state.since else None,
        "changed_by": change.changed_by if change else None,
        "reason": change.reason if change else None,
    }
    records = Records(COLUMNS, [[fields[name] for name in COLUMNS]])
    return Report(
        headline=f"{headline(deployment, now)}, kill switch.",
        answer=state.sentence,
        columns=(),
        rows=(),
        summary=change.explanation if change else "Run `pulumi refresh` and `pulumi up`, which create it again.",
        body=report_body(deployment, now, kill_switch=fields),
        csv=records,
        markdown=records,
        has_attention=state.is_stopped,
    )
