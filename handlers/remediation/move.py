"""Moves AWSCURRENT to a version that was proven to work, away from one that was proven not to."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.diagnosis import UnreadableSecret
from rotation_guard.domain.remediation.incidents import OPEN
from rotation_guard.domain.timestamps import state_entered_at, to_iso

from ..adapters import clients, incidents, rotations, secrets
from ..environment import RemediationActSettings

ACTIONS = rotations.MOVING_ACTIONS | secrets.DESCRIBING_ACTIONS | incidents.LOOKING_ACTIONS | incidents.NOTING_ACTIONS

_DONE = "done"

logger = Logger(json_serializer=serialize_log_record)

Row = dict[str, Any]


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Makes the move of the `decision`, `from` one version `to` another, once in the life of an incident.

    Answers `moved`; `lost`, when AWSCURRENT was no more where it was thought to be, and is to be diagnosed again;
    `refused` with the `reason`; or `over`, when the incident is closed or another execution's. It is written down
    before it is done. An invocation that finds it written down by an earlier one, which died or is still at work, looks
    where the label is: a second move of the same kind would turn the first one round. Raises LostRace where another
    invocation was faster, which is worth another try.
    """
    settings = RemediationActSettings.from_env()
    arn, opened_at = event["incident"]["secret_arn"], event["incident"]["opened_at"]
    wanted = {name: event["decision"][name] for name in ("how", "from", "to")}
    register = incidents.Incidents(settings.incidents_table_name)
    row = register.own(arn, opened_at, event["execution"])
    if row is None:
        return _answer("over")
    resumed = row.get("moved")
    if resumed is not None and {name: resumed[name] for name in wanted} != wanted:
        return _answer("lost")  # One move in the life of an incident: another was made.
    if resumed is not None and resumed["outcome"] == _DONE:
        return _answer("moved")
    # By AWS's clock: failures from before it belong to what it repairs.
    at = to_iso(state_entered_at(event, datetime.now(UTC)))
    if resumed is None and not register.change(
        arn,
        opened_at,
        {"moved": {**wanted, "outcome": "asked", "at": at}},
        {"action": wanted["how"], "at": at, **_ends(wanted), "outcome": "asked"},
        condition="#state = :open AND attribute_not_exists(#moved)",
        values={":open": OPEN},
        names=["state"],
    ):
        raise incidents.LostRace("another invocation has begun this move, or the incident was closed")
    answer = _moved(arn, wanted, is_resumed=resumed is not None)
    _write_down(register, arn, opened_at, wanted, answer, at, is_resumed=resumed is not None)
    logger.info("moved AWSCURRENT", extra={"secret_arn": arn, **_ends(wanted), "outcome": answer["outcome"]})
    return answer


def _moved(arn: str, wanted: Row, *, is_resumed: bool) -> Row:
    """Moves the label, unless an earlier invocation has, and answers where it is then."""
    if is_resumed:
        current = _current(arn)
        if isinstance(current, UnreadableSecret):
            # Where the label is, and whether it may be touched, is not known, and never taken for a yes.
            return _answer("refused", f"AWSCURRENT was not moved: {current.reason}")
        if current == wanted["to"]:
            return _answer("moved")
    refused = rotations.move_current(arn, wanted["to"], wanted["from"])
    if refused is None:
        return _answer("moved")
    current = _current(arn)
    if current == wanted["to"]:
        # An answer that is lost on the way is asked for again, by this step or by boto3, and refused as it is done.
        return _answer("moved")
    if current != wanted["from"] and not isinstance(current, UnreadableSecret):
        return _answer("lost")
    return _answer("refused", f"UpdateSecretVersionStage was refused: {refused.reason}.")


def _write_down(
    register: incidents.Incidents, arn: str, opened_at: str, wanted: Row, answer: Row, at: str, *, is_resumed: bool
) -> None:
    """Notes what came of it. A move that may have been made, and was lost since, stays the one of this incident."""
    outcome = answer["reason"] or {"moved": _DONE, "lost": "lost the race"}[answer["outcome"]]
    action = {"action": wanted["how"], "at": to_iso(datetime.now(UTC)), **_ends(wanted), "outcome": outcome}
    if answer["outcome"] == "moved":
        register.change(arn, opened_at, {"moved": {**wanted, "outcome": _DONE, "at": at}}, action)
    else:
        register.change(arn, opened_at, {}, action, remove=[] if is_resumed else ["moved"])


def _answer(outcome: str, reason: str = "") -> Row:
    return {"outcome": outcome, "reason": reason}


def _ends(wanted: Row) -> dict[str, str]:
    return {"from": wanted["from"], "to": wanted["to"]}


def _current(arn: str) -> str | UnreadableSecret | None:
    """The version that holds AWSCURRENT now."""
    described = secrets.Secrets().described(arn)
    return described if isinstance(described, UnreadableSecret) else described.secret.current_version_id
