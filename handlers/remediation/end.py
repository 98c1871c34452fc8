"""Ends an incident: takes it from everybody else, releases its claim, closes it once its dependents have settled."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.incidents import ALIVE_SECONDS, CLOSED, OPEN, RECOVERIES, RESTARTING, Outcome
from rotation_guard.domain.remediation.restarts import RestartState
from rotation_guard.domain.timestamps import expires_at, state_entered_at, to_iso

from ..adapters import clients, incidents, remediation_states
from ..environment import RemediationEndSettings
from . import incident_metrics

ACTIONS = incidents.ENDING_ACTIONS | remediation_states.WRITING_ACTIONS
ATTEMPTS = 5
"""How often to try again while others write into the incident."""

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes the `ending` of the `incident`: its `outcome`, the `reason`, and which `restarts` are due.

    Answers `state`: `mine`, so that this execution is the one to tell of it; `over` when another was faster, or when
    what was `heard` of a new value is older than the latest failure; `stale` when a failure was heard since this
    execution decided that the secret has recovered, which is to be decided anew. And `restarts`, whether dependents are
    to be restarted before it is closed. Without any restarts it may be the second call, which closes what the first has
    left open for them. A step that runs twice gets the same answer twice. Raises IncidentMissing. The incident stays
    listed as unfinished until it was told how it ended.
    """
    settings = RemediationEndSettings.from_env()
    ending, execution = event["ending"], event["execution"]
    now = state_entered_at(event, datetime.now(UTC))
    register = incidents.Incidents(settings.incidents_table_name)
    row = register.existing(event["incident"]["secret_arn"], event["incident"]["opened_at"])
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
        row = _taken(register, row, event, closing, restarts, now, settings)
    if row["state"] == OPEN:
        return {"state": "stale" if row["execution"] == execution else "over", "restarts": False}
    if row.get("ended_by") != execution:
        return {"state": "over", "restarts": False}
    if was_open:
        incident_metrics.emit(_measure(row, now), context.function_name)
    due = row["state"] == RESTARTING and _restarts(register, row, restarts, ending.get("version"), closing)
    logger.info("ended", extra={"secret_arn": row["secret_arn"], "outcome": ending["outcome"], "restarts": due})
    return {"state": "mine", "restarts": due}


def _taken(
    register: incidents.Incidents,
    row: Row,
    event: Row,
    closing: Row,
    restarts: Sequence[Row],
    now: datetime,
    settings: RemediationEndSettings,
) -> Row:
    """The row once it is ended, by us or another: from here on nobody else ends it, and a failure opens another.

    It is open still where a failure has come since that what it ends with does not know of.
    """
    arn, opened_at, version = row["secret_arn"], row["opened_at"], event["ending"].get("version")
    if _is_outdated(row, event):
        return row
    if closing["outcome"] in RECOVERIES:
        # Before the claim goes: what is told of until then belongs to what is over.
        at = (row.get("moved") or {}).get("at") or row["last_failure_at"]
        is_verified = bool(row.get("verified"))
        remediation_states.RemediationStates(settings.incidents_table_name).succeeded(arn, at, is_verified=is_verified)
    changes = {**closing, "restarts": restarts or None}
    if any(entry["state"] == RestartState.WANTED for entry in restarts):
        moment = int(now.timestamp() * 1000)
        changes |= {"state": RESTARTING, "closed_at": None, "expires_at": None, "restarts_wanted_at": moment}
        changes["restart_version"] = version or None
    for _ in range(ATTEMPTS):
        # A failure that joins at the same moment is in the way, and has not ended it.
        if register.end(row, changes):
            return {**row, **changes}
        row = register.existing(arn, opened_at)
        if row["state"] != OPEN or _is_outdated(row, event):
            return row
    raise incidents.LostRace(f"{ATTEMPTS} attempts to end the incident of {arn} lost to others")


def _measure(row: Row, now: datetime) -> dict[str, float]:
    """How it ended, and if it recovered after how long, by the names of metrics."""
    outcome = Outcome(row["outcome"])
    values: dict[str, float] = {incident_metrics.name_of_outcome(outcome): 1}
    if outcome in RECOVERIES:
        seconds = (now - datetime.fromisoformat(row["opened_at"])).total_seconds()
        values[incident_metrics.SECONDS_TO_RECOVERY] = max(0, seconds)
    return values


def _is_outdated(row: Row, event: Row) -> bool:
    """Whether a failure of this incident is newer than the recovery that it is to end with."""
    # A definition of before does not know what to do about it.
    if event["ending"]["outcome"] not in RECOVERIES or "entered_at" not in event:
        return False
    if row["execution"] == event["execution"]:
        return row["last_failure_at"] > row.get("decided_failure_at", row["last_failure_at"])
    heard = event.get("heard") or {}
    return row["last_failure_at"] > heard.get("occurred_at", row["last_failure_at"])


def _restarts(
    register: incidents.Incidents, row: Row, restarts: Sequence[Row], version: str | None, closing: Row
) -> bool:
    """Whether dependents are to be restarted, by this execution alone for a version; closes the incident if not."""
    arn, opened_at = row["secret_arn"], row["opened_at"]
    if restarts and (not version or register.take_version(arn, version, closing["ended_by"])):
        return True
    covered = {"state": str(RestartState.COVERED), "why": "Another event of the same rotation has restarted it."}
    left = [{**entry, **covered} if entry["state"] == RestartState.WANTED else entry for entry in restarts]
    register.change(arn, opened_at, {**closing, "restarts": left or None})
    return False
