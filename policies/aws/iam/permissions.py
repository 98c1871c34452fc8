"""Converts a permission of a function or an event bus to the policy statement that AWS makes of it."""

import re
from collections.abc import Mapping
from typing import Any

from ...model import values
from ...model.stack import Resource
from .access_inputs import PERMISSIONS
from .policy_documents import Statement

TYPES = tuple(PERMISSIONS)
_CONDITIONS: Mapping[str, tuple[str, str]] = {
    "sourceArn": ("ArnLike", "aws:SourceArn"),
    # AWS does not support wildcards here; one that is written is meant as a pattern.
    "sourceAccount": ("StringLike", "aws:SourceAccount"),
    "principalOrgId": ("StringLike", "aws:PrincipalOrgID"),
    "organizationId": ("StringLike", "aws:PrincipalOrgID"),
    "eventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "functionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
}
"""The operator and key of each property (https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html)."""
_SERVICE = re.compile(r"[\w.-]+\.amazonaws\.com(\.cn)?|[\w.-]+\.amazon\.com|[\w-]+\.internal")


def statement(permission: Resource) -> Statement:
    """Convert a permission to a statement. Raises Undecided where the principal is unknown."""
    principal = permission.text("principal") or ""
    return Statement(
        {
            "Effect": "Allow",
            "Principal": {"Service" if _SERVICE.fullmatch(principal) else "AWS": principal},
            "Action": permission.value("action") or "events:PutEvents",
            "Condition": _conditions(permission),
        },
        0,
    )


def _conditions(permission: Resource) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for path, (operator, key) in _CONDITIONS.items():
        if permission.has(path):
            block.setdefault(operator, {})[key] = permission.value(path)
    condition = values.document(permission.value("condition"))
    if condition is not None:
        operator, key = (values.text(condition.get(name)) or "" for name in ("type", "key"))
        block.setdefault(operator, {})[key] = condition.get("value")
    return block
