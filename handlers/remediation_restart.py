"""Starts the restarts that an incident has asked for, each once, whatever is lost on the way."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import clients, kill_switch, restart_log, restarters
from .domain.history import iso
from .domain.restarts import CannotBeRestarted, PassingTrouble, Restart, State, together, token
from .settings import RemediationRestartSettings

ACTIONS = kill_switch.ACTIONS | restart_log.ACTIONS | restarters.STARTING_ACTIONS
_STOPPED = "The kill switch says stop, so nothing was restarted."
_COVERED = "A restart for another incident, begun after the new value was in use, covers it."

logger = Logger()


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Starts what is `wanted` in the `incident` for this `version`, on behalf of the `execution`.

    Answers the `state`: `waiting` for some to settle, `settled` when there is nothing to wait for, `failed` when one
    could not be started. One that AWS could not answer for keeps no other from being started; then the step fails, and
    is to be tried again.
    """
    settings = RemediationRestartSettings.from_env()
    log = restart_log.RestartLog(settings.incidents_table_name)
    is_stopped = kill_switch.says_stop(settings.kill_switch_parameter_name)
    incident, now = event["incident"], datetime.now(UTC)
    asked = log.asked(incident["secret_arn"], incident["opened_at"], _milliseconds(now))
    troubles: list[PassingTrouble] = []
    for index, restart in enumerate(asked.restarts):
        if restart.state != State.WANTED:
            continue
        try:
            begun = (
                replace(restart, state=State.REFUSED, why=_STOPPED)
                if is_stopped
                else _begin(log, asked, restart, event["execution"], event.get("version"))
            )
        except PassingTrouble as trouble:
            logger.warning("not restarted yet", extra={"target_arn": restart.arn, "code": str(trouble)})
            troubles.append(trouble)
            continue
        asked = log.write(asked, index, begun, iso(datetime.now(UTC)))
        logger.info("restart", extra={"target_arn": begun.arn, "state": begun.state, "why": begun.why})
    if troubles:
        raise troubles[0]
    return {"state": together(asked.restarts)}


def _begin(
    log: restart_log.RestartLog, asked: restart_log.Asked, restart: Restart, execution: str, version: str | None
) -> Restart:
    """Starts one, unless that is done: who holds the claim and what it is watched by is written down on the way."""
    claim = log.claim(restart.arn, execution, asked.since, _milliseconds(datetime.now(UTC)))
    if claim.holder != execution:
        return replace(restart, state=State.COVERED, why=_COVERED, handle=claim.handle)
    if claim.handle:
        return replace(restart, state=State.STARTED, handle=claim.handle)
    own = token(asked.secret_arn, asked.opened_at, version, restart.arn)
    try:
        handle = restarters.restarter_of(restart.arn).start(restart.arn, own, claim.started_at)
    except CannotBeRestarted as problem:
        log.give_up(restart.arn, claim, str(problem))
        return replace(restart, state=State.FAILED, why=str(problem))
    log.note(restart.arn, claim, handle)
    return replace(restart, state=State.STARTED, handle=handle)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
