"""Moves AWSCURRENT from a version that is proven broken to one that is proven to work."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.diagnosis import UnreadableSecret
from rotation_guard.domain.remediation.incidents import OPEN
from rotation_guard.domain.remediation.step_results import MoveOutcome, MoveStepResult, to_payload
from rotation_guard.domain.timestamps import state_entered_at, to_iso

from ..adapters import clients, incidents, rotations, secrets
from ..environment import RemediationActSettings

ACTIONS = rotations.MOVING_ACTIONS | secrets.DESCRIBING_ACTIONS | incidents.READING_ACTIONS | incidents.WRITING_ACTIONS

_DONE = "done"

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Makes the move in the `decision`, `from` one version `to` another: at most one per incident."""
    return to_payload(_move(event))


def _move(event: Row) -> MoveStepResult:
    """Record the move, then make it.

    If an earlier invocation recorded it, which died or is still running, this reads where the label is first: a second
    call would turn the move around. Raises LostRace, which is worth a retry, if another invocation was faster.
    """
    settings = RemediationActSettings.from_env()
    arn, opened_at = event["incident"]["secret_arn"], event["incident"]["opened_at"]
    move = {name: event["decision"][name] for name in ("how", "from", "to")}
    incidents_table = incidents.Incidents(settings.incidents_table_name)
    row = incidents_table.read_owned(arn, opened_at, event["execution"])
    if row is None:
        return MoveStepResult(MoveOutcome.NOT_OPEN)
    earlier = row.get("moved")
    if earlier is not None and {name: earlier[name] for name in move} != move:
        return MoveStepResult(MoveOutcome.LOST_RACE)  # The incident has made another move, and may make only one.
    if earlier is not None and earlier["outcome"] == _DONE:
        return MoveStepResult(MoveOutcome.MOVED)
    # By AWS's clock: failures from before the move belong to what it repairs.
    at = to_iso(state_entered_at(event, datetime.now(UTC)))
    if earlier is None and not incidents_table.update(
        arn,
        opened_at,
        {"moved": {**move, "outcome": "asked", "at": at}},
        {"action": move["how"], "at": at, "from": move["from"], "to": move["to"], "outcome": "asked"},
        condition="#state = :open AND attribute_not_exists(#moved)",
        values={":open": OPEN},
        names=["state"],
    ):
        raise incidents.LostRace("another invocation has begun this move, or the incident was closed")
    result = _move_label(arn, move, is_resumed=earlier is not None)
    _record(incidents_table, (arn, opened_at), move, result, at, is_resumed=earlier is not None)
    extra = {"secret_arn": arn, "from": move["from"], "to": move["to"], "outcome": result.outcome}
    logger.info("moved AWSCURRENT", extra=extra)
    return result


def _move_label(arn: str, move: Row, *, is_resumed: bool) -> MoveStepResult:
    """Move the label unless an earlier invocation has, and return where it is afterwards."""
    if is_resumed:
        current = _read_current(arn)
        if isinstance(current, UnreadableSecret):
            # Neither the label nor the tag can be read, so the move is not allowed.
            return MoveStepResult(MoveOutcome.REFUSED, f"AWSCURRENT was not moved: {current.reason}")
        if current == move["to"]:
            return MoveStepResult(MoveOutcome.MOVED)
    refusal = rotations.move_current(arn, move["to"], move["from"])
    if refusal is None:
        return MoveStepResult(MoveOutcome.MOVED)
    current = _read_current(arn)
    if current == move["to"]:
        # The response of a first call was lost, so the second call was refused.
        return MoveStepResult(MoveOutcome.MOVED)
    if current != move["from"] and not isinstance(current, UnreadableSecret):
        return MoveStepResult(MoveOutcome.LOST_RACE)
    return MoveStepResult(MoveOutcome.REFUSED, f"UpdateSecretVersionStage was refused: {refusal.reason}.")


def _record(
    incidents_table: incidents.Incidents,
    key: tuple[str, str],
    move: Row,
    result: MoveStepResult,
    at: str,
    *,
    is_resumed: bool,
) -> None:
    """Record the result. A resumed move that lost the race may have been made, so it stays the incident's move."""
    outcome = result.reason or {MoveOutcome.MOVED: _DONE, MoveOutcome.LOST_RACE: "lost the race"}[result.outcome]
    ends = {"from": move["from"], "to": move["to"]}
    action = {"action": move["how"], "at": to_iso(datetime.now(UTC)), **ends, "outcome": outcome}
    if result.outcome is MoveOutcome.MOVED:
        incidents_table.update(*key, {"moved": {**move, "outcome": _DONE, "at": at}}, action)
    else:
        incidents_table.update(*key, {}, action, remove=[] if is_resumed else ["moved"])


def _read_current(arn: str) -> str | UnreadableSecret | None:
    """The version that has AWSCURRENT now."""
    secret = secrets.Secrets().describe(arn)
    return secret if isinstance(secret, UnreadableSecret) else secret.secret.current_version_id
