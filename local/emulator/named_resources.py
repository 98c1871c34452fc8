"""Finds the resource that IAM must check for a call, where MiniStack checks another one or none.

Otherwise a policy that names specific resources would allow nothing. Runs inside the emulator.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions

from rotation_guard.domain.remediation.restarts import to_canonical_arn

Request = dict[str, Any]

_extract_by_ministack = iam_actions.extract_resource_arn


def install() -> None:
    """Let IAM check these resources."""
    iam_actions.extract_resource_arn = extract_resource_arn  # ty: ignore[invalid-assignment]


def extract_resource_arn(
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    region: str,
    account_id: str,
) -> str:
    """Return the ARN that a call is about, as in AWS's service authorization reference; `*` when it is unknown."""
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    extract = _EXTRACTORS.get(f"{service}:{action}")
    try:
        resource = extract(json.loads(body)) if extract else None
    except (ValueError, LookupError):
        resource = None
    if resource is None:
        return _extract_by_ministack(service, method, path, headers, body, query_params, region, account_id)
    return to_canonical_arn(
        resource if resource.startswith("arn:") else f"arn:aws:{service}:{region}:{account_id}:{resource}"
    )


def _name_document(request: Request) -> str:
    extract = request["DocumentName"]
    return extract if extract.startswith("arn:") else f"document/{extract}"


def _name_service(cluster: str, service: str) -> str:
    return service if service.startswith("arn:") else f"service/{cluster.rpartition('/')[2]}/{service}"


_EXTRACTORS: dict[str, Callable[[Request], str]] = {
    "ssm:StartAutomationExecution": _name_document,
    "ssm:GetAutomationExecution": lambda request: f"automation-execution/{request['AutomationExecutionId']}",
    "ecs:UpdateService": lambda request: _name_service(request["cluster"], request["service"]),
    # A call without a target: the path of a request to Security Hub names its action.
    "securityhub:": lambda request: request["Findings"][0]["ProductArn"],
    # IAM checks each of several services; here only the first is checked.
    "ecs:DescribeServices": lambda request: _name_service(request["cluster"], request["services"][0]),
}
