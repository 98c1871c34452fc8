"""Asks Secrets Manager for a rotation again: the one thing that a secret opts in to by `retry`."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.diagnosis import UnreadableSecret, has_recovered
from rotation_guard.domain.remediation.incidents import OPEN
from rotation_guard.domain.secret import ListedSecret
from rotation_guard.domain.timestamps import to_iso

from ..adapters import clients, incidents, rotations, secrets
from ..environment import RemediationActSettings

ACTIONS = rotations.ROTATING_ACTIONS | secrets.DESCRIBING_ACTIONS | incidents.LOOKING_ACTIONS | incidents.NOTING_ACTIONS
_ASKED = "asked"
_SWITCHED_OFF = "Rotation was switched off while this was decided."

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]
Answer = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:
    """Makes the retry of this `number` for the `incident`.

    Answers `asked`, `refused` with the `reason`, `recovered` when AWS has completed the rotation since the decision,
    which knew of none (`recovered` of the event), or `over`: the incident is closed, or another execution's.

    It is written down before it is asked for. An invocation that finds it written down by an earlier one, which died or
    is still at work, answers what that one has noted; where that has noted nothing it asks again, unless the secret has
    recovered: while a rotation is unfinished AWS takes the second request for the first. Raises LostRace where another
    invocation was faster, which is worth another try.
    """
    settings = RemediationActSettings.from_env()
    arn, opened_at = event["incident"]["secret_arn"], event["incident"]["opened_at"]
    number = event["decision"]["number"]
    register = incidents.Incidents(settings.incidents_table_name)
    row = register.own(arn, opened_at, event["execution"])
    if row is None or row["attempts"] not in (number - 1, number):
        return _answer("over")
    is_begun = row["attempts"] == number
    if is_begun and (noted := _noted(row, number)):
        return noted
    described = secrets.Secrets().described(arn)
    if isinstance(described, UnreadableSecret):
        # Whether it may be touched is not known, and never taken for a yes.
        return _refused(register, row, number, f"RotateSecret was not called: {described.reason}")
    if not described.secret.rotation_enabled:
        # RotateSecret would switch it on again.
        return _refused(register, row, number, _SWITCHED_OFF)
    if _has_recovered(described.secret, row):
        if is_begun:
            return _answer(_ASKED)
        # What the decision knew, it has weighed: AWSCURRENT may be disproved. An older definition does not say.
        if event.get("recovered") is False:
            return _answer("recovered")
    if not is_begun and not _begin(register, row, number):
        raise incidents.LostRace("another invocation has begun this retry, or the incident was closed")
    started = rotations.rotate(arn)
    if isinstance(started, rotations.Refused):
        return _refused(register, row, number, f"RotateSecret was refused: {started.reason}.")
    _note(register, row, number, started)
    return _answer(_ASKED)


def _begin(register: incidents.Incidents, row: Row, number: int) -> bool:
    """Writes the retry down; False where the incident is not as it was read."""
    return register.change(
        row["secret_arn"],
        row["opened_at"],
        {"attempts": number, "failures_when_asked": row["failures"]},
        _action(number, _ASKED),
        condition="#state = :open AND #attempts = :before",
        values={":open": OPEN, ":before": number - 1},
        names=["state"],
    )


def _noted(row: Row, number: int) -> Answer | None:
    """The answer of an earlier invocation of this step, where it came so far as to note one."""
    noted = [one["outcome"] for one in row["actions"] if one["action"] == "retry" and one.get("number") == number]
    if noted[-1:] in ([], [_ASKED]):
        return None
    return _answer(_ASKED) if noted[-1] in rotations.STARTED else _answer("refused", noted[-1])


def _refused(register: incidents.Incidents, row: Row, number: int, reason: str) -> Answer:
    _note(register, row, number, reason)
    return _answer("refused", reason)


def _note(register: incidents.Incidents, row: Row, number: int, outcome: str) -> None:
    register.note(row["secret_arn"], row["opened_at"], _action(number, outcome))
    logger.info("retry", extra={"secret_arn": row["secret_arn"], "number": number, "outcome": outcome})


def _action(number: int, outcome: str) -> Row:
    return {"action": "retry", "at": to_iso(datetime.now(UTC)), "number": number, "outcome": outcome}


def _answer(outcome: str, reason: str = "") -> Answer:
    return {"outcome": outcome, "reason": reason}


def _has_recovered(secret: ListedSecret, row: Row) -> bool:
    return has_recovered(secret, row.get("current_version_id"), row["last_failure_at"])
