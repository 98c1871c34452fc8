"""The rotation process of AWS Secrets Manager, which MiniStack has only a stub of.

Runs inside the emulator, on its event loop: a rotation is a task, so nothing it changes can interleave with a request.
What it does is told in the user guide, "Rotate AWS Secrets Manager secrets" and "Lambda rotation functions". AWS also
tries a failed rotation again several times by itself; here a rotation is tried once, and again when RotateSecret asks
for it or `aws_retries.py` plays AWS.

Everything this module knows lies on MiniStack's own record of the secret (`LastRotatedDate`, `NextRotationDate`), and
dates are plain epoch seconds there: what wants a secret to be older than it is sets them back in that one place.
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

from . import cloudtrail

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
_RATE = re.compile(r"rate\((\d+) (hour|hours|day|days)\)")

_log = logging.getLogger("rotation")
_tasks: set[asyncio.Task[None]] = set()
_turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


class _FunctionError(Exception):
    """The rotation function ended a step with an error."""


def may_invoke(function_arn: str) -> bool:
    """Whether Secrets Manager may call this function: its resource policy has to name the service as a principal."""
    found = lambda_svc.function_policy_for_arn(function_arn)
    for statement in found[0].get("Statement", []) if found else []:
        principal = statement.get("Principal")
        services = principal.get("Service") if isinstance(principal, dict) else principal
        services = services if isinstance(services, list) else [services]
        if statement.get("Effect") == "Allow" and {"secretsmanager.amazonaws.com", "*"} & set(services):
            return True
    return False


def stuck_version(secret: dict[str, Any]) -> str | None:
    """The version that holds AWSPENDING although it is not AWSCURRENT: a rotation that is running or has failed."""
    version_id, version = store._find_stage_version(secret, "AWSPENDING")
    return None if version is None or "AWSCURRENT" in version["Stages"] else version_id


def begin(secret: dict[str, Any], version_id: str) -> None:
    """Put AWSPENDING on a version that has no value yet, and rotate in the background."""
    _add_pending(secret, version_id, {"SecretString": None, "SecretBinary": None})
    _in_background(_rotate(secret["ARN"], version_id))


def attempt_again(secret: dict[str, Any], version_id: str) -> None:
    """Run the rotation of this pending version once more, in the background."""
    _in_background(_rotate(secret["ARN"], version_id))


def begin_test(secret: dict[str, Any], version_id: str) -> None:
    """What `RotateImmediately=false` asks for: the testSecret step alone, on a pending version that goes again.

    That this version holds the current value is unproven; AWS says only that it is created and then removed.
    """
    _, current = store._find_stage_version(secret, "AWSCURRENT")
    _add_pending(secret, version_id, current or {"SecretString": None, "SecretBinary": None})
    _in_background(_test(secret["ARN"], version_id))


def next_rotation(secret: dict[str, Any], since: int) -> int | None:
    """When the rules ask for the next rotation; None where they do so by a cron expression."""
    rules = secret.get("RotationRules") or {}
    if days := rules.get("AutomaticallyAfterDays"):
        return since + int(days) * 86_400
    if match := _RATE.fullmatch(rules.get("ScheduleExpression", "")):
        return since + int(match[1]) * (3_600 if match[2].startswith("hour") else 86_400)
    return None


def _add_pending(secret: dict[str, Any], version_id: str, value: dict[str, Any]) -> None:
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


def _in_background(work: Coroutine[Any, Any, None]) -> None:
    # The task inherits account and Region of the request: MiniStack keeps them in context variables.
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_done)


def _done(task: asyncio.Task[None]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and (error := task.exception()):
        _log.error("a rotation ended by itself", exc_info=error)


async def _rotate(secret_arn: str, version_id: str) -> None:
    async with _turns[secret_arn]:
        secret = _awaiting(secret_arn, version_id)
        if secret is None:
            return
        rotation_id, step = str(uuid.uuid4()), STEPS[0]
        cloudtrail.send_service_event("RotationStarted", secret_arn, rotation_id)
        try:
            for step in STEPS:
                if not secret["RotationEnabled"]:
                    return
                await _invoke(secret, step, version_id)
            # A function that never moved AWSCURRENT has finished nothing.
            if "AWSCURRENT" not in secret["Versions"].get(version_id, {}).get("Stages", []):
                raise _FunctionError
        except _FunctionError:
            cloudtrail.send_service_event("RotationFailed", secret_arn, rotation_id, _complaint(secret, step))
            return
        secret["LastRotatedDate"] = secret["LastChangedDate"] = int(time.time())
        secret["NextRotationDate"] = next_rotation(secret, secret["LastRotatedDate"])
        cloudtrail.send_service_event("RotationSucceeded", secret_arn, rotation_id)


async def _test(secret_arn: str, version_id: str) -> None:
    async with _turns[secret_arn]:
        secret = _awaiting(secret_arn, version_id)
        if secret is None:
            return
        rotation_id = str(uuid.uuid4())
        cloudtrail.send_service_event("TestRotationStarted", secret_arn, rotation_id)
        try:
            await _invoke(secret, "testSecret", version_id)
        except _FunctionError:
            complaint = _complaint(secret, "testSecret")
            cloudtrail.send_service_event("TestRotationFailed", secret_arn, rotation_id, complaint)
        else:
            cloudtrail.send_service_event("TestRotationSucceeded", secret_arn, rotation_id)
        finally:
            with contextlib.suppress(KeyError):
                del secret["Versions"][version_id]


def _awaiting(secret_arn: str, version_id: str) -> dict[str, Any] | None:
    """The secret, when this version still waits for its rotation: it may have been deleted, healed or repaired."""
    _, secret = store._resolve(secret_arn)
    if secret is None or secret.get("DeletedDate") or stuck_version(secret) != version_id:
        return None
    return secret


async def _invoke(secret: dict[str, Any], step: str, version_id: str) -> None:
    arn = secret["RotationLambdaARN"]
    event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": version_id}
    status, headers, _ = await lambda_svc.handle_request(
        "POST", f"/2015-03-31/functions/{arn}/invocations", {}, json.dumps(event).encode(), {}
    )
    if status >= 300 or "X-Amz-Function-Error" in headers:
        raise _FunctionError


def _complaint(secret: dict[str, Any], step: str) -> str:
    return f"Error when executing lambda {secret['RotationLambdaARN']} during {step} step"
