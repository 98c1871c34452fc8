"""Retries a rotation by calling RotateSecret."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.diagnosis import UnreadableSecret, has_recovered
from rotation_guard.domain.remediation.incidents import OPEN
from rotation_guard.domain.remediation.step_results import RetryOutcome, RetryStepResult, to_payload
from rotation_guard.domain.secret import ListedSecret
from rotation_guard.domain.timestamps import to_iso

from ..adapters import clients, incidents, rotations, secrets
from ..environment import RemediationActSettings

ACTIONS = (
    rotations.ROTATING_ACTIONS | secrets.DESCRIBING_ACTIONS | incidents.READING_ACTIONS | incidents.WRITING_ACTIONS
)
_REQUESTED = "asked"
"""Outcome in an action of a retry that has begun."""
_SWITCHED_OFF = "Rotation was switched off after the decision."

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Makes the retry with the `number` in the `decision` about the `incident`."""
    settings = RemediationActSettings.from_env()
    incidents_table = incidents.Incidents(settings.incidents_table_name)
    return to_payload(_retry(event, incidents_table))


def _retry(event: Row, incidents_table: incidents.Incidents) -> RetryStepResult:
    """Record the retry, then call RotateSecret.

    If an earlier invocation recorded it, which died or is still running, this returns the outcome that it recorded.
    Without one it calls RotateSecret again, unless the secret has recovered: while a rotation is unfinished, AWS treats
    a second call as the same request. Raises LostRace, which is worth a retry, if another invocation was faster.
    """
    arn, number = event["incident"]["secret_arn"], event["decision"]["number"]
    row = incidents_table.read_owned(arn, event["incident"]["opened_at"], event["execution"])
    if row is None or row["attempts"] not in (number - 1, number):
        return RetryStepResult(RetryOutcome.NOT_OPEN)
    is_begun = row["attempts"] == number
    if is_begun and (earlier_result := _read_earlier_result(row, number)):
        return earlier_result
    secret = secrets.Secrets().describe(arn)
    if isinstance(secret, UnreadableSecret):
        # Its tag cannot be read, so the retry is not allowed.
        return _refuse(incidents_table, row, number, f"RotateSecret was not called: {secret.reason}")
    if not secret.secret.rotation_enabled:
        # RotateSecret would switch it on again.
        return _refuse(incidents_table, row, number, _SWITCHED_OFF)
    if _has_recovered(secret.secret, row):
        if is_begun:
            return RetryStepResult(RetryOutcome.STARTED)
        # A recovery that the decision knew of does not count: AWSCURRENT may be broken. Older definitions do not say.
        if event.get("recovered") is False:
            return RetryStepResult(RetryOutcome.RECOVERED)
    if not is_begun and not _record_request(incidents_table, row, number):
        raise incidents.LostRace("another invocation has begun this retry, or the incident was closed")
    rotation = rotations.rotate(arn)
    if isinstance(rotation, rotations.Refusal):
        return _refuse(incidents_table, row, number, f"RotateSecret was refused: {rotation.reason}.")
    _record_outcome(incidents_table, row, number, rotation)
    return RetryStepResult(RetryOutcome.STARTED)


def _record_request(incidents_table: incidents.Incidents, row: Row, number: int) -> bool:
    """Record the retry before it is made; False if the incident has changed."""
    return incidents_table.update(
        row["secret_arn"],
        row["opened_at"],
        {"attempts": number, "failures_when_asked": row["failures"]},
        _build_action(number, _REQUESTED),
        condition="#state = :open AND #attempts = :before",
        values={":open": OPEN, ":before": number - 1},
        names=["state"],
    )


def _read_earlier_result(row: Row, number: int) -> RetryStepResult | None:
    """The result of an earlier invocation of this step, if it recorded one."""
    retries = [entry for entry in row["actions"] if entry["action"] == "retry" and entry.get("number") == number]
    outcome = retries[-1]["outcome"] if retries else _REQUESTED
    if outcome == _REQUESTED:
        return None
    if outcome in rotations.STARTED:
        return RetryStepResult(RetryOutcome.STARTED)
    return RetryStepResult(RetryOutcome.REFUSED, outcome)


def _refuse(incidents_table: incidents.Incidents, row: Row, number: int, reason: str) -> RetryStepResult:
    _record_outcome(incidents_table, row, number, reason)
    return RetryStepResult(RetryOutcome.REFUSED, reason)


def _record_outcome(incidents_table: incidents.Incidents, row: Row, number: int, outcome: str) -> None:
    incidents_table.append_actions(row["secret_arn"], row["opened_at"], _build_action(number, outcome))
    logger.info("retry", extra={"secret_arn": row["secret_arn"], "number": number, "outcome": outcome})


def _build_action(number: int, outcome: str) -> Row:
    return {"action": "retry", "at": to_iso(datetime.now(UTC)), "number": number, "outcome": outcome}


def _has_recovered(secret: ListedSecret, row: Row) -> bool:
    return has_recovered(secret, row.get("current_version_id"), row["last_failure_at"])
