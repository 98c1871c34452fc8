"""Looks how the restarts of an incident's dependents went."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.remediation.restarts import (
    UNDER_WAY,
    CannotBeRestarted,
    Restart,
    RestartState,
    RestartStatus,
    together,
)
from rotation_guard.domain.timestamps import to_iso

from ..adapters import clients, restart_log, restarters
from ..environment import RemediationWatchSettings

ACTIONS = restart_log.ACTIONS | restarters.WATCHING_ACTIONS

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Looks at what was started in the `incident`, or is covered by another's, and writes down what is over.

    Answers the `state`: `wanted` while one is still to be started, `waiting` while some are under way, `settled`, or
    `failed` when one has failed; `not_owned` when another `execution` carries them out. Whatever goes wrong with one
    keeps no other from being looked at; then the step fails, and is to be tried again.
    """
    settings = RemediationWatchSettings.from_env()
    log = restart_log.RestartLog(settings.incidents_table_name)
    incident, now = event["incident"], datetime.now(UTC)
    milliseconds = int(now.timestamp() * 1000)
    asked = log.asked(incident["secret_arn"], incident["opened_at"], event["execution"], milliseconds)
    if asked is None:
        return {"state": "not_owned"}
    problems: list[Exception] = []
    for index, restart in enumerate(asked.restarts):
        if restart.state not in UNDER_WAY:
            continue
        try:
            standing = _look(log, restart, milliseconds // 1000)
            if standing.state in UNDER_WAY:
                continue
            seen = replace(restart, state=standing.state, why=standing.why or restart.why)
            asked = log.write(asked, index, seen, to_iso(now))
        except restart_log.TakenOver:
            return {"state": "not_owned"}
        except Exception as problem:  # noqa: BLE001 - the others have their turn before it is raised
            logger.warning("not looked at", extra={"target_arn": restart.arn, "problem": type(problem).__name__})
            problems.append(problem)
            continue
        logger.info("restart", extra={"target_arn": seen.arn, "state": seen.state, "why": seen.why})
    if problems:
        raise problems[0]
    return {"state": together(asked.restarts)}


def _look(log: restart_log.RestartLog, restart: Restart, now: int) -> RestartStatus:
    """How one stands; what covers it may not have been started yet, or not at all."""
    handle, before = restart.handle, restart.before
    if not handle:
        claim = log.claim_on(restart.arn)
        if claim.problem:
            return RestartStatus(RestartState.FAILED, claim.problem)
        if log.is_abandoned(claim, now):
            return RestartStatus(RestartState.WANTED)
        handle, before = claim.handle, claim.before or ()
    if not handle:
        return RestartStatus(RestartState.COVERED)
    try:
        return restarters.restarter_of(restart.arn).state(restart.arn, handle, before)
    except CannotBeRestarted as problem:
        return RestartStatus(RestartState.FAILED, str(problem))
