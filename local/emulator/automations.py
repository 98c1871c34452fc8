"""Automations of Systems Manager, which MiniStack does not have.

Runs inside the emulator, and is put in MiniStack's place as `secrets_manager.py` is. There are no documents either,
so a document's name says how its automations end: one that ends in `-never` stays InProgress for good, `-fails` ends as
Failed, `-missing` is not known, and all others succeed. Each is seen under way once, whenever that is, and then as it
ended.
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

Answer = tuple[int, dict[str, str], bytes]
Request = dict[str, Any]

_TOKEN = re.compile(r"[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}")
_ENDS = {"never": None, "fails": "Failed"}

_executions = AccountRegionScopedDict()
_by_token = AccountRegionScopedDict()
_answer_of_ministack = store.handle_request


def install() -> None:
    """Answer Systems Manager's calls from here on."""
    store.handle_request = handle_request  # ty: ignore[invalid-assignment]


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Answer:
    """Answer one call that IAM has let through."""
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    if action not in _PLAYED:
        return await _answer_of_ministack(method, path, headers, body, query_params)
    if action == "StartAutomationExecution" and (refusal := _denied_execution(headers, query_params)):
        return refusal
    return _PLAYED[action](json.loads(body))


def start_automation_execution(request: Request) -> Answer:
    """StartAutomationExecution: a token that was used with the same request answers the same automation again.

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
    asked = {key: value for key, value in request.items() if key != "ClientToken"}
    known, before = _by_token.get(token, (None, asked))
    if before != asked:
        return error_response_json(
            "IdempotentParameterMismatch", "The request parameters do not match those of the original call."
        )
    execution = known or str(uuid.uuid4())
    if known is None:
        _by_token[token] = (execution, asked)
        _executions[execution] = {"name": name, "started": time.time()}
    return json_response({"AutomationExecutionId": execution})


def get_automation_execution(request: Request) -> Answer:
    """GetAutomationExecution: how far it is by now."""
    execution_id = request["AutomationExecutionId"]
    execution = _executions.get(execution_id)
    if execution is None:
        return error_response_json(
            "AutomationExecutionNotFoundException", f"Couldn't find Automation Execution with ID {execution_id}."
        )
    ends_as = _ENDS.get(execution["name"].rpartition("-")[2], "Success")
    is_over = ends_as is not None and "seen" in execution
    ended = {"ExecutionEndTime": execution.get("seen")} if is_over else {}
    execution.setdefault("seen", time.time())
    return json_response(
        {
            "AutomationExecution": {
                "AutomationExecutionId": execution_id,
                "DocumentName": execution["name"],
                "DocumentVersion": "1",
                "Mode": "Auto",
                "ExecutionStartTime": execution["started"],
                "AutomationExecutionStatus": ends_as if is_over else "InProgress",
                "StepExecutions": [],
                "StepExecutionsTruncated": False,
                **ended,
            }
        }
    )


def _denied_execution(headers: dict[str, str], query_params: dict[str, Any]) -> Answer | None:
    """The refusal to who may run the document, and make no automation: AWS asks for both.

    (https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-identity-based-policies.html)
    """
    action, region = "ssm:StartAutomationExecution", get_region()
    arn = f"arn:aws:ssm:{region}:{get_account_id()}:automation-execution/{uuid.uuid4()}"
    denied = enforce(extract_access_key_id(headers, query_params), action, "ssm", region, resource_arn=arn)
    if denied is None or isinstance(denied, AuthError):
        return None
    return access_denied_response("ssm", action, denied.principal_arn, "", resource_arn=arn)


_PLAYED = {
    "StartAutomationExecution": start_automation_execution,
    "GetAutomationExecution": get_automation_execution,
}
