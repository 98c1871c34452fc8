"""Watches the restarts of an incident's dependents until they settle."""

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
    summarize,
)
from rotation_guard.domain.remediation.step_results import RestartsState, RestartStepResult, to_payload
from rotation_guard.domain.timestamps import to_iso

from ..adapters import clients, restart_log, restarters
from ..environment import RemediationWatchSettings

ACTIONS = restart_log.ACTIONS | restarters.WATCHING_ACTIONS

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Reads the status of restarts that the `incident` started, or that are covered by another's, and records results.

    An error with one restart does not prevent the others; afterwards the step fails and is retried.
    """
    settings = RemediationWatchSettings.from_env()
    log = restart_log.RestartLog(settings.incidents_table_name)
    incident, now = event["incident"], datetime.now(UTC)
    milliseconds = int(now.timestamp() * 1000)
    requested = log.read_requested(incident["secret_arn"], incident["opened_at"], event["execution"], milliseconds)
    if requested is None:
        return to_payload(RestartStepResult(RestartsState.NOT_OWNED))
    errors: list[Exception] = []
    for index, restart in enumerate(requested.restarts):
        if restart.state not in UNDER_WAY:
            continue
        try:
            status = _read_status(log, restart, milliseconds // 1000)
            if status.state in UNDER_WAY:
                continue
            finished = replace(restart, state=status.state, why=status.why or restart.why)
            requested = log.update(requested, index, finished, to_iso(now))
        except restart_log.OwnershipLost:
            return to_payload(RestartStepResult(RestartsState.NOT_OWNED))
        except Exception as error:  # noqa: BLE001 - raised after the other restarts
            logger.warning("status unknown", extra={"target_arn": restart.arn, "error": type(error).__name__})
            errors.append(error)
            continue
        logger.info("restart", extra={"target_arn": finished.arn, "state": finished.state, "why": finished.why})
    if errors:
        raise errors[0]
    return to_payload(RestartStepResult(RestartsState(summarize(requested.restarts))))


def _read_status(log: restart_log.RestartLog, restart: Restart, now: int) -> RestartStatus:
    """The status of one restart; the one that covers it may not have been started yet, or never will be."""
    restart_id, before = restart.restart_id, restart.before
    if not restart_id:
        claim = log.read_claim(restart.arn)
        if claim.problem:
            return RestartStatus(RestartState.FAILED, claim.problem)
        if log.is_abandoned(claim, now):
            return RestartStatus(RestartState.WANTED)
        restart_id, before = claim.restart_id, claim.before or ()
    if not restart_id:
        return RestartStatus(RestartState.COVERED)
    try:
        return restarters.create_restarter(restart.arn).read_status(restart.arn, restart_id, before)
    except CannotBeRestarted as error:
        return RestartStatus(RestartState.FAILED, str(error))
