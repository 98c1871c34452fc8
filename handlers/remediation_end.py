"""Ends an incident: takes it from everybody else, releases its claim, closes it once its dependents have settled."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import incidents, standings
from .domain.history import expires_at, iso
from .domain.incidents import CLOSED, OPEN, RECOVERIES, RESTARTING
from .settings import RemediationEndSettings

ACTIONS = incidents.ENDING_ACTIONS | standings.WRITING_ACTIONS

logger = Logger()

Row = dict[str, Any]


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes the `ending` of the `incident`: its `outcome`, the `reason`, and which `restarts` are due.

    Answers `state`: `mine`, so that this execution is the one to tell of it, or `over` when another was faster; and
    `restarts`, whether dependents are to be restarted before it is closed. With restarts of `False` it is the second
    call, which closes what the first has left open for them. A step that runs twice gets the same answer twice.
    """
    settings = RemediationEndSettings.from_env()
    ending, execution, now = event["ending"], event["execution"], datetime.now(UTC)
    register = incidents.Incidents(settings.incidents_table_name)
    row = register.row(event["incident"]["secret_arn"], event["incident"]["opened_at"])
    if row is None:
        return _OVER
    closing = {
        "state": CLOSED,
        "outcome": ending["outcome"],
        "reason": ending["reason"],
        "closed_at": iso(now),
        "ended_by": execution,
        "expires_at": expires_at(now, settings.history_days),
    }
    if row["state"] == OPEN:
        return _take(register, row, ending, closing, settings)
    if row.get("ended_by") != execution:
        return _OVER
    if row["state"] == RESTARTING and ending.get("restarts"):
        return {"state": "mine", "restarts": True}
    if row["state"] == RESTARTING:
        register.change(row["secret_arn"], row["opened_at"], closing)
    return {"state": "mine", "restarts": False}


_OVER = {"state": "over", "restarts": False}


def _take(
    register: incidents.Incidents, row: Row, ending: Row, closing: Row, settings: RemediationEndSettings
) -> dict[str, Any]:
    """Takes an open incident: nobody else ends it from here on, and a failure from here on opens another."""
    if ending["outcome"] in RECOVERIES:
        # Before the claim goes: what is told of until then belongs to what is over.
        at = (row.get("moved") or {}).get("at") or row["last_failure_at"]
        standings.Standings(settings.incidents_table_name).succeeded(row["secret_arn"], at)
    restarts = [dict(entry) for entry in ending.get("restarts") or []]
    version = ending.get("version")
    wanted = any(entry["state"] == "wanted" for entry in restarts)
    if wanted and version and not register.take_version(row["secret_arn"], version, closing["ended_by"]):
        why = "Another event of the same rotation has restarted it."
        restarts = [{**entry, "state": "covered", "why": why} for entry in restarts]
        wanted = False
    changes = {**closing, "restarts": restarts or None}
    if wanted:
        moment = int(datetime.now(UTC).timestamp() * 1000)
        changes |= {"state": RESTARTING, "closed_at": None, "expires_at": None, "restarts_wanted_at": moment}
    if not register.end(row, changes):
        found = register.row(row["secret_arn"], row["opened_at"])
        if found is None or found.get("ended_by") != closing["ended_by"]:
            return _OVER
    logger.info("ended", extra={"secret_arn": row["secret_arn"], "outcome": ending["outcome"], "restarts": wanted})
    return {"state": "mine", "restarts": wanted}
