"""Which resource a call is about, where MiniStack's IAM looks at another one, or at none.

A policy that names what its holder may use would else let nobody in. Runs inside the emulator.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions

from rotation_guard.domain.remediation.restarts import to_canonical_arn

Request = dict[str, Any]

_resource_of_ministack = iam_actions.extract_resource_arn


def install() -> None:
    """Have IAM look at these from here on."""
    iam_actions.extract_resource_arn = resource_arn  # ty: ignore[invalid-assignment]


def resource_arn(
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    region: str,
    account_id: str,
) -> str:
    """The ARN that a call is about, as AWS's service authorization reference has it; `*` where that is not known."""
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    name = _NAMED.get(f"{service}:{action}")
    try:
        named = name(json.loads(body)) if name else None
    except (ValueError, LookupError):
        named = None
    if named is None:
        return _resource_of_ministack(service, method, path, headers, body, query_params, region, account_id)
    return to_canonical_arn(named if named.startswith("arn:") else f"arn:aws:{service}:{region}:{account_id}:{named}")


def _document(request: Request) -> str:
    name = request["DocumentName"]
    return name if name.startswith("arn:") else f"document/{name}"


def _service(cluster: str, service: str) -> str:
    return service if service.startswith("arn:") else f"service/{cluster.rpartition('/')[2]}/{service}"


_NAMED: dict[str, Callable[[Request], str]] = {
    "ssm:StartAutomationExecution": _document,
    "ssm:GetAutomationExecution": lambda request: f"automation-execution/{request['AutomationExecutionId']}",
    "ecs:UpdateService": lambda request: _service(request["cluster"], request["service"]),
    # Of several services IAM is asked for each; here only for the first.
    "ecs:DescribeServices": lambda request: _service(request["cluster"], request["services"][0]),
}
