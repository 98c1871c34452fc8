"""The names of all metrics that the functions emit; alarms, the dashboard and docs/costs.py use the same names."""

from collections.abc import Mapping
from enum import StrEnum

NAMESPACE = "rotation-guard"
LONGEST_ALARM_SECONDS = 7 * 86_400
"""The most that an alarm looks back (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html)."""


class MetricName(StrEnum):
    """A metric in NAMESPACE, with the dimensions `service` and `function_name`."""

    # The audit writer, for each event.
    EVENTS_RECORDED = "EventsRecorded"
    EVENTS_REPEATED = "EventsRepeated"
    EVENTS_WITHOUT_SECRET = "EventsWithoutSecret"  # noqa: S105
    EVENTS_UNRECORDED = "EventsUnrecorded"
    EVENTS_NOT_NOTED = "EventsNotNoted"
    CANARY_EVENTS_RECORDED = "CanaryEventsRecorded"
    ROTATIONS_FAILED = "RotationsFailed"
    ROTATIONS_SUCCEEDED = "RotationsSucceeded"
    # The audit check, at the end of each run.
    SECRETS_CHECKED = "SecretsChecked"
    SECRETS_FLAGGED = "SecretsFlagged"
    SECRETS_UNKNOWN = "SecretsUnknown"
    AUDIT_RUNS_COMPLETE = "AuditRunsComplete"
    AUDIT_RUNS_LOST = "AuditRunsLost"
    MOVED_WITHOUT_EVENT = "DiscrepanciesMovedUnheard"
    EVENT_WITHOUT_MOVE = "DiscrepanciesHeardUnmoved"
    STUCK_WITHOUT_INCIDENT = "DiscrepanciesStuckWithoutIncident"
    VANISHED = "DiscrepanciesVanished"
    INCIDENTS_OPEN = "IncidentsOpen"
    # Remediation, for each incident.
    INCIDENTS_OPENED = "IncidentsOpened"
    INCIDENTS_RECOVERED_BY_AWS = "IncidentsRecoveredByAws"
    INCIDENTS_RECOVERED_BY_RETRY = "IncidentsRecoveredByRetry"
    INCIDENTS_ROLLED_FORWARD = "IncidentsRolledForward"
    INCIDENTS_FALLEN_BACK = "IncidentsFallenBack"
    INCIDENTS_ESCALATED = "IncidentsEscalated"
    INCIDENTS_HELD = "IncidentsHeld"
    INCIDENTS_RESOLVED = "IncidentsResolved"
    INCIDENTS_RESTARTED = "IncidentsRestarted"
    SECONDS_TO_RECOVERY = "SecondsToRecovery"


DISCREPANCY_METRICS: Mapping[str, MetricName] = {
    "moved_unheard": MetricName.MOVED_WITHOUT_EVENT,
    "heard_unmoved": MetricName.EVENT_WITHOUT_MOVE,
    "stuck_without_incident": MetricName.STUCK_WITHOUT_INCIDENT,
    "vanished": MetricName.VANISHED,
}
"""The metric that counts each kind of discrepancy."""
OUTCOME_METRICS: Mapping[str, MetricName] = {
    "recovered by AWS": MetricName.INCIDENTS_RECOVERED_BY_AWS,
    "recovered by retry": MetricName.INCIDENTS_RECOVERED_BY_RETRY,
    "rolled forward": MetricName.INCIDENTS_ROLLED_FORWARD,
    "fallen back": MetricName.INCIDENTS_FALLEN_BACK,
    "escalated": MetricName.INCIDENTS_ESCALATED,
    "held": MetricName.INCIDENTS_HELD,
    "resolved": MetricName.INCIDENTS_RESOLVED,
    "restarted": MetricName.INCIDENTS_RESTARTED,
}
"""The metric that counts the incidents with each outcome."""
AUDIT_RUN_METRICS = (
    MetricName.SECRETS_CHECKED,
    MetricName.SECRETS_FLAGGED,
    MetricName.SECRETS_UNKNOWN,
    MetricName.AUDIT_RUNS_COMPLETE,
    MetricName.AUDIT_RUNS_LOST,
    *DISCREPANCY_METRICS.values(),
)
"""Emitted by every run of the audit."""
HEALTHY_METRICS = (MetricName.EVENTS_RECORDED, MetricName.ROTATIONS_SUCCEEDED, MetricName.INCIDENTS_OPEN)
"""Also emitted while nothing is wrong."""
CANARY_METRICS = (MetricName.CANARY_EVENTS_RECORDED,)
"""Emitted by a stack with a canary."""
PROBLEM_METRICS = tuple(
    name for name in MetricName if name not in (*AUDIT_RUN_METRICS, *HEALTHY_METRICS, *CANARY_METRICS)
)
"""Emitted only when something is wrong, or repeated."""
