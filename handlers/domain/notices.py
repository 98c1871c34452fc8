"""What people read about an incident: short, and useful on a phone. All of it is made of the facts."""

from dataclasses import dataclass

from .advice import advice
from .facts import (
    HELD_BURST,
    MISSING,
    NEW_VALUES,
    OPENED,
    RECOVERED,
    REMINDER,
    RESOLVED,
    RESTARTED,
    RETRIED,
    Facts,
)
from .incidents import Outcome
from .restarts import State

SUBJECT_LENGTH = 99
"""SNS takes fewer than 100 characters, printable ASCII (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
LINES = 30
"""The most lines about what was done: the latest are kept."""
_NAME_LENGTH = 100
"""Of a name in a list of many."""

_HAPPENED = {
    "RotationFailed": "failed",
    "RotationAbandoned": "was abandoned",
    "TestRotationFailed": "failed its test",
    "Rotation Stuck": "is stuck",
}
_PROVEN = {"works": "works", "broken": "does not work"}
_LABELS = {"current": "AWSCURRENT", "pending": "AWSPENDING", "previous": "AWSPREVIOUS"}


@dataclass(frozen=True)
class Notice:
    """One notice, for people and for machines."""

    subject: str
    """One line, fewer than 100 characters of printable ASCII."""
    text: str
    facts: Facts
    """As `facts.facts_of` describes them, with what to do `next`."""


def notice_of(facts: Facts) -> Notice:
    """The notice of these facts."""
    known = {**facts, "next": advice(facts)}
    lines = [_headline(known), "", *_body(known), f"Next: {known['next']}", "", *_links(known)]
    return Notice(_subject(known), "\n".join(lines), known)


def _subject(facts: Facts) -> str:
    step = f" at {facts['failed_step']}" if facts["failed_step"] else ""
    if facts["turn"] == HELD_BURST:
        count = facts["held"]["count"]
        what, step = f"{count} failed {'rotation' if count == 1 else 'rotations'} held", ""
    elif facts["turn"] == RESTARTED:
        what, step = f"Dependents {_restarted(facts)}", ""
    elif facts["turn"] == REMINDER:
        what = "Rotation still escalated"
    elif facts["turn"] == MISSING:
        what, step = "Incident lost", ""
    else:
        ended = _ended(facts)
        what = f"Rotation {ended or _happened(facts)}"
        step = step if ended in ("", Outcome.ESCALATED) else ""
    return f"{what}: {_cut(_who(facts), SUBJECT_LENGTH - len(what) - len(step) - 2)}{step}"


def _headline(facts: Facts) -> str:
    if facts["turn"] == HELD_BURST:
        count = facts["held"]["count"]
        return f"{count} {'secret whose rotation' if count == 1 else 'secrets whose rotations'} failed: held."
    who, step = _who(facts), facts["failed_step"]
    if facts["turn"] == RESTARTED:
        return f"{who} has a new value; its dependents were {_restarted(facts)}."
    if facts["turn"] == RESOLVED:
        return f"{who}: resolved."
    if facts["turn"] == REMINDER:
        return f"The rotation of {who} still fails{f' at {step}' if step else ''}: escalated, and not resolved since."
    if facts["turn"] == MISSING:
        return f"The incident of {who} is lost: escalated."
    failed = f"The rotation of {who} {_happened(facts)}{f' at {step}' if step else ''}"
    if facts["kind"] in NEW_VALUES:
        failed = f"{who} has a new value"
    return f"{failed}: {_ended(facts)}." if _ended(facts) else f"{failed}."


def _who(facts: Facts) -> str:
    """Whom it is about, in few words."""
    if facts["held"]:
        first, more = facts["held"]["secrets"][0]["secret_name"] or "?", facts["held"]["count"] - 1
        return f"{_cut(first, 50)} and {more} more" if more else first
    return facts["secret_name"] or "an unnamed secret"


def _ended(facts: Facts) -> str:
    """How it ended, as far as that is known; empty where it has not."""
    return facts["outcome"] or {RECOVERED: "recovered", RETRIED: "retried"}.get(facts["turn"], "")


def _happened(facts: Facts) -> str:
    return _HAPPENED.get(facts["kind"] or "", "failed")


def _restarted(facts: Facts) -> str:
    states = {entry["state"] for entry in facts["restarts"]}
    return "not restarted" if states == {State.REFUSED} else "restarted"


def _body(facts: Facts) -> list[str]:
    if facts["held"]:
        return _burst(facts)
    lines = [_when(facts)] if facts["occurred_at"] else []
    if facts["error"]:
        lines.append(f"A step of the workflow failed for good: {facts['error']}.")
    elif facts["reason"]:
        lines.append(f"Why: {facts['reason']}")
    lines += _done(facts)
    if facts["secret_arn"]:
        lines.append(f"Now: {_labels(facts['now'])}")
    if facts["now"]["evidence"]:
        lines.append(f"Probe: {_said(facts['now']['evidence'])}")
    return lines


def _burst(facts: Facts) -> list[str]:
    """Many of the same kind, told once."""
    names = [_cut(one["secret_name"] or "?", _NAME_LENGTH) for one in facts["held"]["secrets"]]
    more = facts["held"]["count"] - len(names)
    lines = [
        *(f"- {name}" for name in names),
        *([f"- and {more} more: rotation-guard incidents list --outcome held"] if more else []),
    ]
    return [f"Why: {facts['reason']}", *lines]


def _when(facts: Facts) -> str:
    failures, last = facts["failures"] or 1, facts["last_failure_at"]
    repeats = f"; {failures} failures, the last at {last}" if failures > 1 and last else ""
    return f"When: {facts['occurred_at']} ({facts['kind'] or 'an event'}){repeats}"


def _done(facts: Facts) -> list[str]:
    """Each action in a few words with its time; what has two entries, before and after, is one line."""
    done: dict[str, tuple[str, str]] = {}
    for one in facts["actions"]:
        if one["action"] in ("decide", "restart"):
            continue
        number, to = one.get("number"), one.get("to")
        what = f"{one['action']}{f' {number}' if number else ''}{f', AWSCURRENT to version {to}' if to else ''}"
        begun, _ = done.get(what, (one["at"], ""))
        done[what] = (begun or "?", one["outcome"] or "?")
    lines = [f"- {at} {what}: {outcome}" for what, (at, outcome) in done.items()]
    times = {one.get("target"): one["at"] for one in facts["actions"] if one["action"] == "restart"}
    lines += [_restart(one, times.get(one["target"])) for one in facts["restarts"]]
    if facts["turn"] == MISSING:
        return ["Done: not known."]
    if not lines:
        return ["Done: nothing yet."] if facts["turn"] == OPENED else ["Done: nothing but telling."]
    return ["Done:", *lines[-LINES:]]


def _restart(entry: Facts, at: str | None) -> str:
    why = f": {entry['why']}" if entry["why"] else ""
    if entry["state"] == State.REFUSED:
        return f"- not restarted: {entry['target']}{why}"
    return f"- {f'{at} ' if at else ''}restart of {entry['target']}: {entry['state']}{why}"


def _labels(now: Facts) -> str:
    if not any(now[label] for label in _LABELS):
        return "the labels were not looked at."
    if not now["current"]:
        return "no version holds AWSCURRENT."
    parts = [f"AWSCURRENT is on version {now['current']}, which is what applications read"]
    if now["pending"]:
        parts.append(f"AWSPENDING is on version {now['pending']}: the rotation is unfinished")
    return "; ".join(parts) + "."


def _said(evidence: Facts) -> str:
    proven = [f"{name} {_PROVEN[evidence[label]]}" for label, name in _LABELS.items() if evidence.get(label) in _PROVEN]
    return " ".join([f"{', '.join(proven) or 'nothing is proven'}.", *evidence["notes"]])


def _links(facts: Facts) -> list[str]:
    names = {"secret": "Secret", "execution": "Execution", "runbook": "Runbook"}
    return [f"{name}: {facts['links'][kind]}" for kind, name in names.items() if facts["links"][kind]]


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
