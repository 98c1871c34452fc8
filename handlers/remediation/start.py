"""Starts remediation for what was heard of a rotation: the entry that keeps the event itself out of the history."""

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
    """Takes an event as EventBridge delivers it, and answers the `outcome`: `started`, `known` or `passed`.

    The execution's name comes from the event, so that all its copies are one execution. Raises MalformedEvent for what
    is no event; Lambda then tries again, and sends it to the dead letters.
    """
    settings = RemediationStartSettings.from_env()
    told = parse_signal(event)
    if told is None:
        return {"outcome": "passed"}
    started = executions.start(settings.state_machine_arn, execution_name(told), {"heard": asdict(told)})
    logger.info("heard", extra={"kind": told.kind, "secret_arn": told.secret_arn, "started": started})
    return {"outcome": "started" if started else "known"}


def execution_name(told: RotationSignal) -> str:
    """What the execution for this event is called: readable, and the same for every copy of it."""
    what = f"{told.source}|{told.kind}|{told.identity}|{told.secret_arn}"
    return f"{told.kind.replace(' ', '')}-{hashlib.sha256(what.encode(errors='surrogatepass')).hexdigest()[:32]}"
