"""Starts the restarts that an incident requested, each at most once."""

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
    make_idempotency_key,
    summarize,
)
from rotation_guard.domain.remediation.step_results import RestartsState, RestartStepResult, to_payload
from rotation_guard.domain.timestamps import state_entered_at, to_iso

from ..adapters import clients, kill_switch, restart_log, restarters
from ..environment import RemediationRestartSettings

ACTIONS = kill_switch.ACTIONS | restart_log.ACTIONS | restarters.STARTING_ACTIONS
_STOPPED = "The kill switch says stop, so nothing was restarted."
_COVERED = "A restart for another incident, started after the new value was in use, covers it."

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Starts the requested restarts of the `incident` for its new `version`, if this `execution` owns them.

    An error with one restart does not prevent the others; afterwards the step fails and is retried.
    """
    settings = RemediationRestartSettings.from_env()
    log = restart_log.RestartLog(settings.incidents_table_name)
    is_stopped = kill_switch.is_stopped(settings.kill_switch_parameter_name)
    incident, now = event["incident"], datetime.now(UTC)
    # By AWS's clock, like the times of requests: a restart that starts after a request covers it.
    entered_at = _to_milliseconds(state_entered_at(event, now))
    requested = log.read_requested(
        incident["secret_arn"], incident["opened_at"], event["execution"], _to_milliseconds(now)
    )
    if requested is None:
        return to_payload(RestartStepResult(RestartsState.NOT_OWNED))
    errors: list[Exception] = []
    for index in _order(requested.restarts):
        restart = requested.restarts[index]
        try:
            started = _refuse(log, requested, restart) if is_stopped else _start(log, requested, restart, entered_at)
        except TransientError as error:
            errors.append(error)
            started = replace(restart, why=f"AWS did not respond: {error}.")
        except Exception as error:  # noqa: BLE001 - raised after the other restarts
            errors.append(error)
            started = restart
        if started == restart:
            continue
        try:
            requested = log.update(requested, index, started, to_iso(datetime.now(UTC)))
        except restart_log.OwnershipLost:
            return to_payload(RestartStepResult(RestartsState.NOT_OWNED))
        except Exception as error:  # noqa: BLE001 - as above
            errors.append(error)
        fields = {
            "target_arn": started.arn,
            "state": started.state,
            "why": started.why,
            "version": event.get("version"),
        }
        logger.info("restart", extra=fields)
    if errors:
        logger.warning("not all restarts were started", extra={"errors": [type(error).__name__ for error in errors]})
        raise errors[0]
    return to_payload(RestartStepResult(RestartsState(summarize(requested.restarts))))


def _order(restarts: list[Restart]) -> list[int]:
    """The indices of restarts to start; those that had a problem before come last, because they may take long."""
    wanted = [index for index, restart in enumerate(restarts) if restart.state == RestartState.WANTED]
    return sorted(wanted, key=lambda index: bool(restarts[index].why))


def _refuse(log: restart_log.RestartLog, requested: restart_log.RequestedRestarts, restart: Restart) -> Restart:
    """Refuse the restart; one that a step started before the stop, and did not record, is still watched."""
    claim = log.read_claim(restart.arn)
    if claim.is_for(requested) and claim.restart_id:
        return replace(
            restart, state=RestartState.STARTED, restart_id=claim.restart_id, before=claim.before or (), why=""
        )
    return replace(restart, state=RestartState.REFUSED, why=_STOPPED)


def _start(log: restart_log.RestartLog, requested: restart_log.RequestedRestarts, restart: Restart, at: int) -> Restart:
    """Start one restart unless it was started before, and store its claim and its id; `at` is in epoch milliseconds."""
    key = make_idempotency_key(requested.secret_arn, requested.opened_at, requested.requested_at, restart.arn)
    claim = log.claim(restart.arn, requested, key, at)
    claimed = replace(restart, restart_id=claim.restart_id, before=claim.before or ())
    if not claim.is_for(requested):
        return replace(claimed, state=RestartState.COVERED, why=_COVERED)
    if claim.restart_id:
        return replace(claimed, state=RestartState.STARTED, why="")
    restarter = restarters.create_restarter(restart.arn)
    try:
        before = restarter.list_previous(restart.arn) if claim.before is None else None
        if before is not None:
            claim = log.record_previous(restart.arn, claim, before)
        restart_id = restarter.start(restart.arn, claim.idempotency_key or key, claim.before or ())
    except NotReady as reason:
        return replace(restart, why=str(reason))
    except CannotBeRestarted as error:
        log.record_failure(restart.arn, claim, str(error))
        return replace(restart, state=RestartState.FAILED, why=str(error))
    log.record_restart(restart.arn, claim, restart_id)
    return replace(restart, state=RestartState.STARTED, restart_id=restart_id, before=claim.before or (), why="")


def _to_milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
