"""Tells which secrets are gone without a word: what the audit knew of, and no event told the deletion of."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.reconciliation import LATE, VANISHED, Discrepancy, reports_deletion

from ..adapters.audit_trail import AuditTrail


def find_unannounced(trail: AuditTrail | None, gone: Iterable[Mapping[str, Any]]) -> list[Discrepancy]:
    """Those of these statuses, each of a secret that is not there any more, whose end no event told of."""
    detail = "It is no longer listed with its tag, and no event told of its deletion."
    return [Discrepancy(VANISHED, status["secret_name"], detail) for status in gone if not _is_told(trail, status)]


def _is_told(trail: AuditTrail | None, status: Mapping[str, Any]) -> bool:
    if status["verdict"] == "pending_deletion":
        return True
    if trail is None:
        return False
    since = datetime.fromisoformat(status["checked_at"]) - LATE
    return reports_deletion(trail.heard_since(status["secret_arn"], since))
