"""AWS Security Hub: imports findings."""

from collections.abc import Mapping, Sequence
from typing import Any

from .clients import client

ACTIONS = frozenset({"securityhub:BatchImportFindings"})
FINDINGS = 100
"""Maximum number of findings of one call
(https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html)."""


def import_findings(findings: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Import findings; returns the error code of each that Security Hub did not take, by its Id.

    AWS's errors about all of them are raised, such as InvalidAccessException where Security Hub is off.
    """
    failed: dict[str, str] = {}
    for start in range(0, len(findings), FINDINGS):
        response = client("securityhub").batch_import_findings(Findings=[*findings[start : start + FINDINGS]])
        failed |= {error["Id"]: error["ErrorCode"] for error in response.get("FailedFindings", [])}
    return failed
