"""Finds secrets that are gone although no event reported their deletion."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.reconciliation import MAX_EVENT_DELAY, VANISHED, Discrepancy, is_deletion_reported

from ..adapters.audit_trail import AuditTrail

_DETAIL = "It is no longer listed with its tag, and no event reported its deletion."


def find_unreported_deletions(trail: AuditTrail | None, gone: Iterable[Mapping[str, Any]]) -> list[Discrepancy]:
    """A discrepancy for each status row of a secret that is gone without an event about its deletion."""
    return [Discrepancy(VANISHED, status["secret_name"], _DETAIL) for status in gone if not _is_reported(trail, status)]


def _is_reported(trail: AuditTrail | None, status: Mapping[str, Any]) -> bool:
    if status["verdict"] == "pending_deletion":
        return True
    if trail is None:
        return False
    since = datetime.fromisoformat(status["checked_at"]) - MAX_EVENT_DELAY
    return is_deletion_reported(trail.last_event_times(status["secret_arn"], since))
