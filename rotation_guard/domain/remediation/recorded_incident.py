"""The row of an incident with the types that it was written with, whoever wrote it.

A report must neither fail nor hide an incident because of one attribute; what somebody changed by hand, `verify` tells.
"""

from collections.abc import Mapping
from typing import Any

from ..plain_values import read_count, read_list, read_mapping

_TEXTS = frozenset(
    {
        *("outcome", "failed_step", "reason", "event_type", "mode", "execution", "ended_by"),
        *("occurred_at", "last_failure_at", "closed_at", "resolved_at", "resolved_by", "resolved_outcome"),
        *("acknowledged_at", "acknowledged_by", "acknowledged_until", "acknowledged_reason"),
    }
)
_NAMES = frozenset({"secret_name", "state"})
"""Without one, the key of the row and the default are better than any text."""
_COUNTS = frozenset({"attempts", "failures", "alive_until"})
_MAPPINGS = frozenset({"evidence", "moved"})
_ENTRY_TEXTS = frozenset({"at", "action", "outcome", "reason"})


def restore_types(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row, with texts for what must be texts, and without other attributes that have an unexpected type."""
    return {name: value for name, stored in row.items() if (value := _restore(name, stored)) is not None}


def _restore(name: str, value: Any) -> Any:
    if name in _TEXTS:
        return _read_text(value)
    if name in _NAMES:
        return value if isinstance(value, str) else None
    if name in _COUNTS:
        return read_count(value)
    if name in _MAPPINGS:
        return _restore_evidence(value) if isinstance(value, Mapping) else None
    if name == "actions":
        return [_restore_entry(entry) for entry in read_list(value) if isinstance(entry, Mapping)]
    if name == "restarts":
        return [entry for entry in read_list(value) if isinstance(entry, Mapping)]
    if name == "versions":
        return {version: [*map(str, read_list(labels))] for version, labels in read_mapping(value).items()}
    return value


def _restore_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An action; one without a name is called so, because it happened."""
    restored = {name: _read_text(value) if name in _ENTRY_TEXTS else value for name, value in entry.items()}
    if "evidence" in restored:
        restored["evidence"] = _restore_evidence(read_mapping(restored["evidence"]))
    return {**restored, "action": restored.get("action") or "unknown action"}


def _restore_evidence(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {**evidence, "notes": read_list(evidence["notes"])} if "notes" in evidence else dict(evidence)


def _read_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)
