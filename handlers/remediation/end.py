"""Ends an incident: releases its claim, and closes it once its dependents have settled."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.incidents import ALIVE_SECONDS, CLOSED, OPEN, RECOVERIES, RESTARTING, Outcome
from rotation_guard.domain.remediation.restarts import RestartState
from rotation_guard.domain.remediation.step_results import EndState, EndStepResult, to_payload
from rotation_guard.domain.timestamps import expires_at, state_entered_at, to_iso

from ..adapters import clients, incident_chain, incidents, remediation_states
from ..environment import RemediationEndSettings
from . import chain_links, incident_metrics

ACTIONS = incidents.ENDING_ACTIONS | remediation_states.WRITING_ACTIONS | incident_chain.ACTIONS
ATTEMPTS = 5
"""Optimistic-lock retries while other executions update the incident."""

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Ends the `incident` with the `outcome`, `reason` and `restarts` of the `ending`.

    If dependents are restarted, a second call without restarts closes the incident. A step that runs twice returns the
    same result. The incident stays listed as unfinished until its end is published. Raises IncidentMissing.
    """
    settings = RemediationEndSettings.from_env()
    ending, execution = event["ending"], event["execution"]
    now = state_entered_at(event, datetime.now(UTC))
    incidents_table = incidents.Incidents(settings.incidents_table_name)
    row = incidents_table.read_existing(event["incident"]["secret_arn"], event["incident"]["opened_at"])
    closing = {
        "state": CLOSED,
        "outcome": ending["outcome"],
        "reason": ending["reason"],
        "closed_at": to_iso(now),
        "ended_by": execution,
        "alive_until": int(now.timestamp()) + ALIVE_SECONDS,
        "expires_at": expires_at(now, settings.history_days),
    }
    restarts = [dict(entry) for entry in ending.get("restarts") or []]
    was_open = row["state"] == OPEN
    if was_open:
        row = _take(incidents_table, row, event, closing, restarts, now, settings)
    if row["state"] == OPEN:
        return to_payload(EndStepResult(EndState.STALE if row["execution"] == execution else EndState.NOT_OPEN))
    if row.get("ended_by") != execution:
        return to_payload(EndStepResult(EndState.NOT_OPEN))
    if was_open:
        incident_metrics.emit(_measure(row, now), context.function_name)
    has_restarts = row["state"] == RESTARTING and _claim_restarts(
        incidents_table, row, restarts, ending.get("version"), closing
    )
    if not has_restarts:
        chain_links.add(settings.incidents_table_name, row["secret_arn"], row["opened_at"], now)
    logger.info(
        "ended", extra={"secret_arn": row["secret_arn"], "outcome": ending["outcome"], "restarts": has_restarts}
    )
    return to_payload(EndStepResult(EndState.OWNED, restarts=has_restarts))


def _take(
    incidents_table: incidents.Incidents,
    row: Row,
    event: Row,
    closing: Row,
    restarts: Sequence[Row],
    now: datetime,
    settings: RemediationEndSettings,
) -> Row:
    """End the incident, unless another execution has, and return its row; a later failure then opens a new incident.

    The row is still open if a failure arrived that the ending does not know of.
    """
    arn, opened_at, version = row["secret_arn"], row["opened_at"], event["ending"].get("version")
    if _is_outdated(row, event):
        return row
    if closing["outcome"] in RECOVERIES:
        # Before the claim is released: failures until then belong to this incident.
        at = (row.get("moved") or {}).get("at") or row["last_failure_at"]
        is_verified = bool(row.get("verified"))
        remediation_states.RemediationStates(settings.incidents_table_name).record_success(
            arn, at, is_verified=is_verified
        )
    changes = {**closing, "restarts": restarts or None}
    if any(entry["state"] == RestartState.WANTED for entry in restarts):
        requested_at = int(now.timestamp() * 1000)
        changes |= {"state": RESTARTING, "closed_at": None, "expires_at": None, "restarts_wanted_at": requested_at}
        changes["restart_version"] = version or None
    for _ in range(ATTEMPTS):
        # A failure that joins at the same time makes this fail without ending the incident.
        if incidents_table.end(row, changes):
            return {**row, **changes}
        row = incidents_table.read_existing(arn, opened_at)
        if row["state"] != OPEN or _is_outdated(row, event):
            return row
    raise incidents.LostRace(f"{ATTEMPTS} attempts to end the incident of {arn} lost to others")


def _measure(row: Row, now: datetime) -> dict[str, float]:
    """The metrics of an ended incident: its outcome and its time to recovery."""
    outcome = Outcome(row["outcome"])
    values: dict[str, float] = {incident_metrics.name_outcome_metric(outcome): 1}
    if outcome in RECOVERIES:
        seconds = (now - datetime.fromisoformat(row["opened_at"])).total_seconds()
        values[incident_metrics.SECONDS_TO_RECOVERY] = max(0, seconds)
    return values


def _is_outdated(row: Row, event: Row) -> bool:
    """Whether a failure of this incident is newer than the recovery that ends it."""
    # An older definition cannot handle the result `stale`.
    if event["ending"]["outcome"] not in RECOVERIES or "entered_at" not in event:
        return False
    if row["execution"] == event["execution"]:
        return row["last_failure_at"] > row.get("decided_failure_at", row["last_failure_at"])
    signal = event.get("heard") or {}
    return row["last_failure_at"] > signal.get("occurred_at", row["last_failure_at"])


def _claim_restarts(
    incidents_table: incidents.Incidents, row: Row, restarts: Sequence[Row], version: str | None, closing: Row
) -> bool:
    """Claim the restarts for a version; False, and the incident is closed, if another execution has or none are due."""
    arn, opened_at = row["secret_arn"], row["opened_at"]
    if restarts and (not version or incidents_table.claim_version(arn, version, closing["ended_by"])):
        return True
    covered = {"state": str(RestartState.COVERED), "why": "Another event of the same rotation restarted it."}
    entries = [{**entry, **covered} if entry["state"] == RestartState.WANTED else entry for entry in restarts]
    incidents_table.update(arn, opened_at, {**closing, "restarts": entries or None})
    return False
