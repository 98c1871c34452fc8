"""Adds automations of Systems Manager, which MiniStack lacks.

Runs inside the emulator, and replaces MiniStack's request handler as `secrets_manager.py` does. There are no documents,
so the end of a document's name decides how its automations end: `-never` stays InProgress, `-fails` ends as Failed,
`-missing` does not exist, and all others succeed. The first status of an automation is InProgress.
"""

import json
import re
import time
import uuid
from typing import Any

from ministack.core.iam_actions import access_denied_response
from ministack.core.iam_evaluator import AuthError, enforce
from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)
from ministack.core.router import extract_access_key_id
from ministack.services import ssm as store

Response = tuple[int, dict[str, str], bytes]
Request = dict[str, Any]

_TOKEN = re.compile(r"[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}")
_END_STATUSES = {"never": None, "fails": "Failed"}

_executions = AccountRegionScopedDict()
_by_token = AccountRegionScopedDict()
_handle_request_by_ministack = store.handle_request


def install() -> None:
    """Handle Systems Manager's calls."""
    store.handle_request = handle_request  # ty: ignore[invalid-assignment]


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Response:
    """Handle a call that IAM has allowed."""
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    if action not in _REPLACED_ACTIONS:
        return await _handle_request_by_ministack(method, path, headers, body, query_params)
    if action == "StartAutomationExecution" and (denial := _check_execution_permission(headers, query_params)):
        return denial
    return _REPLACED_ACTIONS[action](json.loads(body))


def start_automation_execution(request: Request) -> Response:
    """StartAutomationExecution: a token that was used with the same request returns the same automation.

    "Error returned when an idempotent operation is retried and the parameters don't match the original call to the API
    with the same idempotency token" (API reference, IdempotentParameterMismatch).
    """
    name, token = request["DocumentName"], request.get("ClientToken", str(uuid.uuid4())).lower()
    if not _TOKEN.fullmatch(token):
        return error_response_json("ValidationException", "Value at 'clientToken' failed to satisfy constraint")
    if name.endswith("-missing"):
        return error_response_json(
            "AutomationDefinitionNotFoundException", f"Automation Definition with name {name} is not found."
        )
    parameters = {key: value for key, value in request.items() if key != "ClientToken"}
    existing, original_parameters = _by_token.get(token, (None, parameters))
    if original_parameters != parameters:
        return error_response_json(
            "IdempotentParameterMismatch", "The request parameters do not match those of the original call."
        )
    execution = existing or str(uuid.uuid4())
    if existing is None:
        _by_token[token] = (execution, parameters)
        _executions[execution] = {"name": name, "started": time.time()}
    return json_response({"AutomationExecutionId": execution})


def get_automation_execution(request: Request) -> Response:
    """GetAutomationExecution: return the status, which is InProgress the first time."""
    execution_id = request["AutomationExecutionId"]
    execution = _executions.get(execution_id)
    if execution is None:
        return error_response_json(
            "AutomationExecutionNotFoundException", f"Couldn't find Automation Execution with ID {execution_id}."
        )
    end_status = _END_STATUSES.get(execution["name"].rpartition("-")[2], "Success")
    is_over = end_status is not None and "first_read_at" in execution
    end_time = {"ExecutionEndTime": execution.get("first_read_at")} if is_over else {}
    execution.setdefault("first_read_at", time.time())
    return json_response(
        {
            "AutomationExecution": {
                "AutomationExecutionId": execution_id,
                "DocumentName": execution["name"],
                "DocumentVersion": "1",
                "Mode": "Auto",
                "ExecutionStartTime": execution["started"],
                "AutomationExecutionStatus": end_status if is_over else "InProgress",
                "StepExecutions": [],
                "StepExecutionsTruncated": False,
                **end_time,
            }
        }
    )


def _check_execution_permission(headers: dict[str, str], query_params: dict[str, Any]) -> Response | None:
    """Return the error for a caller who may run the document but not create automations: AWS checks both.

    (https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-identity-based-policies.html)
    """
    action, region = "ssm:StartAutomationExecution", get_region()
    arn = f"arn:aws:ssm:{region}:{get_account_id()}:automation-execution/{uuid.uuid4()}"
    denied = enforce(extract_access_key_id(headers, query_params), action, "ssm", region, resource_arn=arn)
    if denied is None or isinstance(denied, AuthError):
        return None
    return access_denied_response("ssm", action, denied.principal_arn, "", resource_arn=arn)


_REPLACED_ACTIONS = {
    "StartAutomationExecution": start_automation_execution,
    "GetAutomationExecution": get_automation_execution,
}
