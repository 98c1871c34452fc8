"""Adds findings of Security Hub, which MiniStack lacks: they are imported, updated and read.

Runs inside the emulator. A finding that AWS would refuse is among the failed ones of the response, as AWS answers
(https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html). Security Hub is on; GetFindings
knows no filter but the one of ids.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)

from .finding_format import MOST_BYTES, find_errors, measure_bytes

Response = tuple[int, dict[str, str], bytes]
Request = Mapping[str, Any]

_SERVICE = "securityhub"
_MOST_FINDINGS = 100
"""Of one call."""
_CUSTOMERS_FIELDS = ("Note", "UserDefinedFields", "VerificationState", "Workflow")
"""What a provider cannot change once a finding exists
(https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html)."""

_findings = AccountRegionScopedDict()


def install() -> None:
    """Handle Security Hub's calls, and let IAM check them."""
    app.SERVICE_HANDLERS[_SERVICE] = handle_request
    iam_actions.SERVICE_TO_IAM_NAMESPACE[_SERVICE] = _SERVICE
    # By the routes in its model IAM finds the action of a request.
    iam_actions._BOTOCORE_SERVICE_MAP[_SERVICE] = [_SERVICE]


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> Response:
    """Handle a call that IAM has allowed."""
    action = _ACTIONS.get((method, path))
    if action is None:
        return error_response_json("InvalidInputException", f"The embedded AWS has no {method} {path} of Security Hub.")
    return action(json.loads(body or b"{}"))


def describe_hub(_: Request) -> Response:
    """DescribeHub: it is on (https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DescribeHub.html)."""
    arn = f"arn:aws:securityhub:{get_region()}:{get_account_id()}:hub/default"
    return json_response({"HubArn": arn, "SubscribedAt": "2026-01-01T00:00:00.000Z"})


def batch_import_findings(request: Request) -> Response:
    """BatchImportFindings: add and update findings; the response names those that are wrong."""
    findings = request.get("Findings", [])
    if not 1 <= len(findings) <= _MOST_FINDINGS:
        message = f"Findings must be 1 to {_MOST_FINDINGS}, got {len(findings)}."
        return error_response_json("InvalidInputException", message)
    failed = []
    for finding in findings:
        if errors := find_errors(finding, get_account_id(), get_region()):
            code = "FindingSizeExceeded" if measure_bytes(finding) > MOST_BYTES else "InvalidInput"
            failed.append({"Id": str(finding.get("Id")), "ErrorCode": code, "ErrorMessage": "; ".join(errors)})
        else:
            _import(finding)
    counts = {"FailedCount": len(failed), "SuccessCount": len(findings) - len(failed)}
    return json_response({**counts, "FailedFindings": failed})


def get_findings(request: Request) -> Response:
    """GetFindings: all findings, or those with one of these ids."""
    ids = {condition["Value"] for condition in request.get("Filters", {}).get("Id", ())}
    return json_response({"Findings": [finding for key, finding in _findings.items() if not ids or key in ids]})


def _import(finding: Mapping[str, Any]) -> None:
    known = _findings.get(finding["Id"])
    # Whether AWS refuses an earlier state, or keeps the later one silently, is unproven.
    if known is not None and known["UpdatedAt"] > finding["UpdatedAt"]:
        return
    kept = {name: known[name] for name in _CUSTOMERS_FIELDS if name in known} if known else {}
    # https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html#asff-findingproviderfields
    provided = finding.get("FindingProviderFields", {})
    _findings[finding["Id"]] = {"RecordState": "ACTIVE", "Workflow": {"Status": "NEW"}, **finding, **provided, **kept}


_ACTIONS: Mapping[tuple[str, str], Callable[[Request], Response]] = {
    ("POST", "/findings/import"): batch_import_findings,
    ("POST", "/findings"): get_findings,
    ("GET", "/accounts"): describe_hub,
}
