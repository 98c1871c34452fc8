"""Starts the remediation workflow with the signal of an event, so that the event stays out of the history."""

import hashlib
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.event_parser import parse_signal
from rotation_guard.domain.rotation_event import RotationSignal

from ..adapters import clients, executions
from ..environment import RemediationStartSettings

ACTIONS = executions.ACTIONS

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes an event as EventBridge delivers it; `outcome` is `started`, `known` (a copy) or `passed` (irrelevant).

    The execution's name is derived from the event, so that all its copies start one execution. Raises MalformedEvent
    for an invalid event; Lambda then retries, and sends it to the dead-letter queue.
    """
    settings = RemediationStartSettings.from_env()
    signal = parse_signal(event)
    if signal is None:
        return {"outcome": "passed"}
    started = executions.start(settings.state_machine_arn, build_execution_name(signal), {"heard": asdict(signal)})
    logger.info("signal", extra={"kind": signal.kind, "secret_arn": signal.secret_arn, "started": started})
    return {"outcome": "started" if started else "known"}


def build_execution_name(signal: RotationSignal) -> str:
    """The name of the execution for a signal: readable, and the same for every copy of the event."""
    key = f"{signal.source}|{signal.kind}|{signal.identity}|{signal.secret_arn}"
    return f"{signal.kind.replace(' ', '')}-{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()[:32]}"
