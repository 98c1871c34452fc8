"""Asks Secrets Manager for a rotation again: the one thing that a secret opts in to by `retry`."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import clients, incidents, rotations, secrets
from .domain.diagnosis import Described, Unreadable, has_recovered
from .domain.history import iso
from .domain.incidents import OPEN
from .settings import RemediationActSettings

ACTIONS = rotations.ROTATING_ACTIONS | secrets.DESCRIBING_ACTIONS | incidents.LOOKING_ACTIONS | incidents.NOTING_ACTIONS

logger = Logger()


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Makes the retry of this `number` for the `incident`; answers `asked`, `refused` with the `reason`, or `over`.

    It is written down before it is asked for. A step that died in between asks again, unless the secret has recovered:
    while a rotation is unfinished AWS takes the second request for the first.
    """
    settings = RemediationActSettings.from_env()
    arn, opened_at = event["incident"]["secret_arn"], event["incident"]["opened_at"]
    number = event["decision"]["number"]
    register = incidents.Incidents(settings.incidents_table_name)
    row = register.row(arn, opened_at)
    if row is None or row["state"] != OPEN or row["attempts"] not in (number - 1, number):
        return {"outcome": "over", "reason": ""}
    found = secrets.Secrets().described(arn)
    if isinstance(found, Described) and not found.secret.rotation_enabled:
        # RotateSecret would switch it on again.
        reason = "Rotation was switched off while this was decided."
        note = {"action": "retry", "at": iso(datetime.now(UTC)), "number": number, "outcome": reason}
        register.note(arn, opened_at, note)
        return {"outcome": "refused", "reason": reason}
    if row["attempts"] == number and _has_recovered(found, row):
        return {"outcome": "asked", "reason": ""}
    begun = row["attempts"] == number or register.change(
        arn,
        opened_at,
        {"attempts": number, "failures_when_asked": row["failures"]},
        {"action": "retry", "at": iso(datetime.now(UTC)), "number": number, "outcome": "asked"},
        condition="#state = :open AND #attempts = :before",
        values={":open": OPEN, ":before": number - 1},
        names=["state"],
    )
    if not begun:
        return {"outcome": "over", "reason": ""}
    answer = rotations.rotate(arn)
    if isinstance(answer, rotations.Refused):
        outcome, reason = "refused", f"RotateSecret was refused: {answer.reason}."
    else:
        outcome, reason = "asked", ""
    note = {"action": "retry", "at": iso(datetime.now(UTC)), "number": number, "outcome": reason or answer}
    register.note(arn, opened_at, note)
    logger.info("asked for a rotation", extra={"secret_arn": arn, "number": number, "outcome": note["outcome"]})
    return {"outcome": outcome, "reason": reason}


def _has_recovered(found: Described | Unreadable, row: dict[str, Any]) -> bool:
    return isinstance(found, Described) and has_recovered(
        found.secret, row.get("current_version_id"), row["last_failure_at"]
    )
