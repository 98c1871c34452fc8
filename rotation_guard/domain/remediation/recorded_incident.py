"""The row of an incident with the types that it was written with, whoever wrote it.

A report must neither fail nor hide an incident because of one attribute; what somebody changed by hand, `verify` tells.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..plain_values import read_attributes, read_count, read_list, read_mapping, read_string


def restore_types(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row, with texts for what must be texts, and without other attributes that have an unexpected type."""
    return read_attributes(row, _OF_INCIDENT)


def _to_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _read_evidence(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    return {**value, "notes": read_list(value["notes"])} if "notes" in value else dict(value)


def _read_actions(value: Any) -> list[dict[str, Any]]:
    """The actions; one without a name is called so, because it happened."""
    return [
        {**entry, "action": "unknown action", **read_attributes(entry, _OF_ACTION)} for entry in _read_mappings(value)
    ]


def _read_mappings(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in read_list(value) if isinstance(entry, Mapping)]


def _read_versions(value: Any) -> dict[str, list[str]]:
    return {version: [*map(str, read_list(labels))] for version, labels in read_mapping(value).items()}


_OF_ACTION: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("at", "outcome", "reason"), _to_text),
    "action": lambda value: _to_text(value) or None,
    "evidence": lambda value: _read_evidence(value) or {},
}
_OF_INCIDENT: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("outcome", "failed_step", "reason", "event_type", "mode", "execution", "ended_by"), _to_text),
    **dict.fromkeys(("occurred_at", "last_failure_at", "closed_at"), _to_text),
    **dict.fromkeys(("resolved_at", "resolved_by", "resolved_outcome"), _to_text),
    **dict.fromkeys(("acknowledged_at", "acknowledged_by", "acknowledged_until", "acknowledged_reason"), _to_text),
    # Without one, the key of the row and the default are better than any text.
    **dict.fromkeys(("secret_name", "state"), read_string),
    **dict.fromkeys(("attempts", "failures", "alive_until"), read_count),
    **dict.fromkeys(("evidence", "moved"), _read_evidence),
    "actions": _read_actions,
    "restarts": _read_mappings,
    "versions": _read_versions,
}
"""What is left of an attribute; None if nothing is."""
