"""What happened in an incident, in order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SUBJECT_FIELDS = ("turn", "number", "target")
"""The fields that say which notification, retry or dependent an action is about."""
_ENTRY_FIELDS = ("at", "action", "outcome", "reason", "evidence")
_LABELS = {"current": "AWSCURRENT", "pending": "AWSPENDING", "previous": "AWSPREVIOUS"}


def list_entries(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What happened, in order; an action is as it was recorded."""
    failed_at, opened_at, closed_at = record.get("occurred_at"), record["opened_at"], record.get("closed_at")
    kind = record.get("event_type") or "An event"
    if failed_at:
        yield _entry({"at": failed_at, "action": kind, "outcome": record.get("failed_step")})
    yield _entry({"at": opened_at, "action": "open"})
    outcome = record.get("resolved_outcome") or record.get("outcome")
    closing = {"at": closed_at, "action": "close", "outcome": outcome, "reason": record.get("reason")}
    actions: list[Mapping[str, Any]] = [*(record.get("actions") or ())]
    if resolved_at := record.get("resolved_at"):
        resolving = {"at": resolved_at, "action": "resolve", "outcome": "resolved"}
        actions.insert(
            _position(actions, resolved_at),
            {**resolving, "reason": f"A new value is in use ({record.get('resolved_by')})."},
        )
    if closed_at:
        actions.insert(_position(actions, closed_at), closing)
    yield from map(_entry, actions)


def describe_entry(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """An entry in words: what was done, its outcome, and its reason, evidence and details."""
    subject = " ".join(str(entry[name]) for name in _SUBJECT_FIELDS if entry.get(name) is not None)
    evidence, details = format_evidence(entry.get("evidence")), _details(entry, (*_ENTRY_FIELDS, *_SUBJECT_FIELDS))
    notes = [entry["reason"], evidence and f"Evidence: {evidence}", details and f"({details})"]
    what, outcome = f"{entry['action']} {subject}".rstrip(), str(entry["outcome"] or "")
    return what, outcome, " ".join(text for text in notes if text)


def format_evidence(evidence: Mapping[str, Any] | None) -> str:
    """A probe's result for each version, in sentences; empty without a probe."""
    if not evidence:
        return ""
    results = ", ".join(f"{label} {evidence[name]}" for name, label in _LABELS.items() if evidence.get(name))
    return " ".join([f"{results}.", *(str(note) for note in evidence.get("notes") or ())])


def format_details(entry: Mapping[str, Any]) -> str:
    """The fields of an entry that none of its columns shows, in words."""
    return _details(entry, _ENTRY_FIELDS)


def _entry(action: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(_ENTRY_FIELDS[:-1]), **action}


def _position(actions: Sequence[Mapping[str, Any]], ended_at: str) -> int:
    """Where the end of the incident belongs among its actions."""
    return next((index for index, action in enumerate(actions) if _comes_after(action, ended_at)), len(actions))


def _comes_after(action: Mapping[str, Any], ended_at: str) -> bool:
    """Whether an action came after the end: within the same second, only a notification does."""
    at, end = (action.get("at") or "")[:19], ended_at[:19]
    return at > end or (at == end and action.get("action") == "notify")


def _details(entry: Mapping[str, Any], shown: Sequence[str]) -> str:
    """The other fields of an entry, in words."""
    rest = {name: value for name, value in entry.items() if name not in shown and value not in (None, "", [], {})}
    return ", ".join(f"{name} {value}" for name, value in rest.items())
