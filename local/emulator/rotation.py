"""Rotates secrets as AWS Secrets Manager does, of which MiniStack has only a stub.

Runs inside the emulator, on its event loop: a rotation is a task, so its changes never interleave with a request. It
carries out the instructions of `rotation_model.py`. AWS also retries a failed
rotation several times by itself; here only RotateSecret and `aws_retries.py` retry it.

All state is in MiniStack's record of the secret (`LastRotatedDate`, `NextRotationDate`), with dates in epoch seconds.
"""

import asyncio
import contextlib
import json
import logging
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any

from ministack.services import lambda_svc
from ministack.services import secretsmanager as store

from . import cloudtrail, rotation_model
from .rotation_model import SUCCEEDED, Invoke

_RATE = re.compile(r"rate\((\d+) (hour|hours|day|days)\)")

_log = logging.getLogger("rotation")
_tasks: set[asyncio.Task[None]] = set()
_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


def may_invoke(function_arn: str) -> bool:
    """Whether the function's resource policy allows Secrets Manager to call it."""
    policy_and_revision = lambda_svc.function_policy_for_arn(function_arn)
    for statement in policy_and_revision[0].get("Statement", []) if policy_and_revision else []:
        principal = statement.get("Principal")
        services = principal.get("Service") if isinstance(principal, dict) else principal
        services = services if isinstance(services, list) else [services]
        if statement.get("Effect") == "Allow" and {"secretsmanager.amazonaws.com", "*"} & set(services):
            return True
    return False


def find_pending_version(secret: dict[str, Any]) -> str | None:
    """Return the version of a running or failed rotation."""
    return rotation_model.find_incomplete_version(read_labels(secret))


def read_labels(secret: dict[str, Any]) -> dict[str, str]:
    """Return the secret's staging labels, each with its version."""
    return {label: version_id for version_id, version in secret["Versions"].items() for label in version["Stages"]}


def begin_rotation(secret: dict[str, Any], version_id: str) -> None:
    """Put AWSPENDING on a new version without a value, and rotate in the background."""
    _add_pending_version(secret, version_id, {"SecretString": None, "SecretBinary": None})
    _run_in_background(_rotate(secret["ARN"], version_id))


def retry_rotation(secret: dict[str, Any], version_id: str) -> None:
    """Retry the rotation of this pending version in the background."""
    _run_in_background(_rotate(secret["ARN"], version_id))


def begin_test(secret: dict[str, Any], version_id: str) -> None:
    """Run the testSecret step only, on a temporary pending version, as for `RotateImmediately=false`.

    That this version has the current value is unproven; AWS documents only that it is created and then removed.
    """
    _, current = store._find_stage_version(secret, "AWSCURRENT")
    _add_pending_version(secret, version_id, current or {"SecretString": None, "SecretBinary": None})
    _run_in_background(_test_rotation(secret["ARN"], version_id))


def compute_next_rotation(secret: dict[str, Any], since: int) -> int | None:
    """Return the time of the next rotation by the rules; None for a cron expression."""
    rules = secret.get("RotationRules") or {}
    if days := rules.get("AutomaticallyAfterDays"):
        return since + int(days) * 86_400
    if match := _RATE.fullmatch(rules.get("ScheduleExpression", "")):
        return since + int(match[1]) * (3_600 if match[2].startswith("hour") else 86_400)
    return None


def _add_pending_version(secret: dict[str, Any], version_id: str, value: dict[str, Any]) -> None:
    store._remove_stage_everywhere(secret, "AWSPENDING")
    version = secret["Versions"].setdefault(
        version_id,
        {
            "SecretString": value["SecretString"],
            "SecretBinary": value["SecretBinary"],
            "CreatedDate": int(time.time()),
            "Stages": [],
        },
    )
    version["Stages"].append("AWSPENDING")


def _run_in_background(coroutine: Coroutine[Any, Any, None]) -> None:
    # The task inherits account and Region of the request: MiniStack keeps them in context variables.
    task = asyncio.get_running_loop().create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_log_error)


def _log_error(task: asyncio.Task[None]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and (error := task.exception()):
        _log.error("a rotation crashed", exc_info=error)


async def _rotate(secret_arn: str, version_id: str) -> None:
    async with _locks[secret_arn]:
        secret = _find_waiting_secret(secret_arn, version_id)
        if secret is None:
            return
        rotation_id = str(uuid.uuid4())
        rotation = rotation_model.rotate(version_id, lambda: read_labels(secret), lambda: secret["RotationEnabled"])
        succeeded = None
        while instruction := rotation_model.advance(rotation, succeeded):
            succeeded = None
            if isinstance(instruction, Invoke):
                succeeded = await _invoke(secret, instruction.step, version_id)
                continue
            if instruction.event == SUCCEEDED:
                secret["LastRotatedDate"] = secret["LastChangedDate"] = int(time.time())
                secret["NextRotationDate"] = compute_next_rotation(secret, secret["LastRotatedDate"])
            error = _format_error(secret, instruction.failed_step) if instruction.failed_step else None
            cloudtrail.send_service_event(instruction.event, secret_arn, rotation_id, error)


async def _test_rotation(secret_arn: str, version_id: str) -> None:
    async with _locks[secret_arn]:
        secret = _find_waiting_secret(secret_arn, version_id)
        if secret is None:
            return
        rotation_id = str(uuid.uuid4())
        cloudtrail.send_service_event("TestRotationStarted", secret_arn, rotation_id)
        try:
            if await _invoke(secret, "testSecret", version_id):
                cloudtrail.send_service_event("TestRotationSucceeded", secret_arn, rotation_id)
            else:
                error = _format_error(secret, "testSecret")
                cloudtrail.send_service_event("TestRotationFailed", secret_arn, rotation_id, error)
        finally:
            with contextlib.suppress(KeyError):
                del secret["Versions"][version_id]


def _find_waiting_secret(secret_arn: str, version_id: str) -> dict[str, Any] | None:
    """Return the secret if this version is still pending: the secret may have been deleted or repaired meanwhile."""
    _, secret = store._resolve(secret_arn)
    if secret is None or secret.get("DeletedDate") or find_pending_version(secret) != version_id:
        return None
    return secret


async def _invoke(secret: dict[str, Any], step: str, version_id: str) -> bool:
    """Invoke the rotation function for a step; return whether it succeeded."""
    arn = secret["RotationLambdaARN"]
    event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": version_id}
    status, headers, _ = await lambda_svc.handle_request(
        "POST", f"/2015-03-31/functions/{arn}/invocations", {}, json.dumps(event).encode(), {}
    )
    return status < 300 and "X-Amz-Function-Error" not in headers


def _format_error(secret: dict[str, Any], step: str) -> str:
    return f"Error when executing lambda {secret['RotationLambdaARN']} during {step} step"
