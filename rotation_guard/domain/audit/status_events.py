"""The events by which an account tells a hub what its audit found: the status of a secret, and the end of a run.

They repeat what the account's own tables say, and hold no value of a secret.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..timestamps import to_iso
from .run import Progress

STATUS_CHANGED = "Secret Status Changed"
RUN_FINISHED = "Rotation Audit Finished"
SCHEMA = "rotation-guard.status/1"
STATUS_FIELDS = (
    "secret_arn",
    "secret_name",
    "status",
    "verdict",
    "reason",
    "checked_at",
    "age_days",
    "limit_days",
    "current_version_id",
    "value_created_at",
    "owner",
    "exempt_until",
    "exempt_reason",
    "since",
    "due_at",
    "pending_since",
    "attention",
    "attention_since",
    "gone_since",
)
"""Attributes of a secret's status that its event repeats; null if unknown."""

Detail = dict[str, Any]


def build_status_detail(status: Mapping[str, Any]) -> Detail:
    """The detail of the event about a secret's status, from its row; `schema` says its version."""
    return {"schema": SCHEMA, **{name: _to_json(status.get(name)) for name in STATUS_FIELDS}}


def build_run_detail(
    run_id: str,
    audit: str,
    started_at: datetime,
    finished_at: datetime,
    progress: Progress,
    reasons: list[str],
    settings: Mapping[str, Any],
) -> Detail:
    """The detail of the event about a finished run of the check function with the name `audit`.

    `reasons` are why it did not see every secret; without any it is complete. `settings` are what it judged by, and
    its `period_seconds`.
    """
    return {
        "schema": SCHEMA,
        "audit": audit,
        "run_id": run_id,
        "started_at": to_iso(started_at),
        "finished_at": to_iso(finished_at),
        "listed": progress.listed,
        "checked": progress.checked,
        "flagged": progress.flagged,
        "unknown": progress.unknown,
        "outdated_replicas": progress.outdated_replicas,
        "accepted": dict(progress.accepted),
        "verdicts": dict(progress.verdicts),
        "discrepancies": dict(progress.discrepancies),
        "complete": not reasons,
        "incomplete_because": reasons,
        "settings": dict(settings),
    }


def _to_json(value: Any) -> Any:
    """DynamoDB returns decimals."""
    return int(value) if isinstance(value, Decimal) else value
