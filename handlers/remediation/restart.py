"""Starts the restarts that an incident has asked for, each once, whatever is lost on the way."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.restarts import (
    CannotBeRestarted,
    NotReady,
    Restart,
    RestartState,
    TransientError,
    together,
    token,
)
from rotation_guard.domain.timestamps import state_entered_at, to_iso

from ..adapters import clients, kill_switch, restart_log, restarters
from ..environment import RemediationRestartSettings

ACTIONS = kill_switch.ACTIONS | restart_log.ACTIONS | restarters.STARTING_ACTIONS
_STOPPED = "The kill switch says stop, so nothing was restarted."
_COVERED = "A restart for another incident, begun after the new value was in use, covers it."

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Starts what is `wanted` in the `incident` for its new `version`, on behalf of the `execution`.

    Answers the `state`: `wanted` while AWS is busy with one of them, `waiting` for some to settle, `settled` when there
    is nothing to wait for, `failed` when one could not be started, `not_owned` when another execution carries them out.
    Whatever goes wrong with one keeps no other from being started; then the step fails, and is to be tried again.
    """
    settings = RemediationRestartSettings.from_env()
    log = restart_log.RestartLog(settings.incidents_table_name)
    is_stopped = kill_switch.says_stop(settings.kill_switch_parameter_name)
    incident, now = event["incident"], datetime.now(UTC)
    # By AWS's clock, as is since when others want theirs: one that begins after that covers them.
    entered_at = _milliseconds(state_entered_at(event, now))
    asked = log.asked(incident["secret_arn"], incident["opened_at"], event["execution"], _milliseconds(now))
    if asked is None:
        return {"state": "not_owned"}
    problems: list[Exception] = []
    for index in _in_turn(asked.restarts):
        restart = asked.restarts[index]
        try:
            begun = _refuse(log, asked, restart) if is_stopped else _begin(log, asked, restart, entered_at)
        except TransientError as trouble:
            problems.append(trouble)
            begun = replace(restart, why=f"AWS could not answer: {trouble}.")
        except Exception as problem:  # noqa: BLE001 - the others have their turn before it is raised
            problems.append(problem)
            begun = restart
        if begun == restart:
            continue
        try:
            asked = log.write(asked, index, begun, to_iso(datetime.now(UTC)))
        except restart_log.TakenOver:
            return {"state": "not_owned"}
        except Exception as problem:  # noqa: BLE001 - as above
            problems.append(problem)
        fields = {"target_arn": begun.arn, "state": begun.state, "why": begun.why, "version": event.get("version")}
        logger.info("restart", extra=fields)
    if problems:
        logger.warning("not all restarts were begun", extra={"problems": [type(one).__name__ for one in problems]})
        raise problems[0]
    return {"state": together(asked.restarts)}


def _in_turn(restarts: list[Restart]) -> list[int]:
    """Which are to be started: those first with which there was no trouble before, as each may take its time."""
    wanted = [index for index, restart in enumerate(restarts) if restart.state == RestartState.WANTED]
    return sorted(wanted, key=lambda index: bool(restarts[index].why))


def _refuse(log: restart_log.RestartLog, asked: restart_log.Asked, restart: Restart) -> Restart:
    """Starts nothing; what was started before the stop, by a step that died of it, is watched all the same."""
    claim = log.claim_on(restart.arn)
    if claim.is_for(asked) and claim.handle:
        return replace(restart, state=RestartState.STARTED, handle=claim.handle, before=claim.before or (), why="")
    return replace(restart, state=RestartState.REFUSED, why=_STOPPED)


def _begin(log: restart_log.RestartLog, asked: restart_log.Asked, restart: Restart, at: int) -> Restart:
    """Starts one, unless that is done: who holds the claim and what it is watched by is written down on the way.

    `at` is when, epoch milliseconds.
    """
    own = token(asked.secret_arn, asked.opened_at, asked.since, restart.arn)
    claim = log.claim(restart.arn, asked, own, at)
    begun = replace(restart, handle=claim.handle, before=claim.before or ())
    if not claim.is_for(asked):
        return replace(begun, state=RestartState.COVERED, why=_COVERED)
    if claim.handle:
        return replace(begun, state=RestartState.STARTED, why="")
    restarter = restarters.restarter_of(restart.arn)
    try:
        before = restarter.look(restart.arn) if claim.before is None else None
        if before is not None:
            claim = log.note_before(restart.arn, claim, before)
        handle = restarter.start(restart.arn, claim.token or own, claim.before or ())
    except NotReady as reason:
        return replace(restart, why=str(reason))
    except CannotBeRestarted as problem:
        log.give_up(restart.arn, claim, str(problem))
        return replace(restart, state=RestartState.FAILED, why=str(problem))
    log.note(restart.arn, claim, handle)
    return replace(restart, state=RestartState.STARTED, handle=handle, before=claim.before or (), why="")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
