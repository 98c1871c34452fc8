"""What people read about an incident: severity first, what is true, what was done, and what to do. Made of the facts.

Lines of ours have at most 80 columns. Commands and URLs are on lines of their own, and whole.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from .commands import OUTPUTS
from .diagnosis import MARKED_FOR_DELETION
from .incidents import Outcome
from .next_steps import Step, has_failed_restart, next_steps
from .notification_payload import (
    ESCALATED,
    HELD_BURST,
    MISSING,
    NEW_VALUES,
    OPENED,
    RECOVERED,
    REMINDER,
    RESOLVED,
    RESTARTED,
    RETRIED,
    UNIDENTIFIED,
    Facts,
)
from .restarts import RestartState
from .severity import Severity

SUBJECT_LENGTH = 99
"""SNS takes fewer than 100 characters, printable ASCII (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
COLUMNS = 80
LINES = 30
"""The most entries about what was done: the latest are kept."""
_NAME_LENGTH = 70
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
class Notification:
    """One notice, for people and for machines."""

    subject: str
    """One line, fewer than 100 characters of printable ASCII."""
    text: str
    facts: Facts
    """As `facts.facts_of` describes them, with what to do `next` and the `commands` for it."""


def build_notification(facts: Facts) -> Notification:
    """The notice of these facts."""
    steps = next_steps(facts)
    commands = [command for step in steps for command in step.commands]
    known = {**facts, "next": " ".join(step.sentence for step in steps), "commands": commands}
    paragraphs = [
        _summary(known),
        _identity(known),
        _body(known),
        _next(steps),
        _links(known),
    ]
    return Notification(_subject(known), "\n\n".join("\n".join(lines) for lines in paragraphs if lines), known)


# --- the subject ------------------------------------------------------------------------------------------------------


def _subject(facts: Facts) -> str:
    """`SEVERITY secret account Region: what happened`; what does not fit is cut from the secret's name alone."""
    severity, what = facts["severity"], _event(facts)
    where = "".join(f" {facts[name]}" for name in ("account", "region") if facts[name])
    left = SUBJECT_LENGTH - len(f"{severity} {where}: {what}")
    return f"{severity} {_cut_names(facts, left)}{where}: {what}"


def _event(facts: Facts) -> str:
    """What happened, in 40 characters at most."""
    step = f" at {facts['failed_step']}" if facts["failed_step"] else ""
    match facts["turn"]:
        case "held_burst":
            count = facts["held"]["count"]
            return f"{count} failed {'rotation' if count == 1 else 'rotations'} rate limited"
        case "restarted":
            return f"dependents {_restarted(facts)}"
        case "missing":
            return "incident record lost"
    if has_failed_restart(facts):
        return "restart of dependents failed"
    if facts["turn"] == REMINDER:
        return f"rotation still fails{step}"
    ended = _ended(facts)
    if ended in ("", Outcome.ESCALATED):
        return f"rotation {ended or _happened(facts)}{step}"
    return {Outcome.HELD: "rotation rate limited", Outcome.RESOLVED: "new value in use"}.get(ended, ended)


def _cut_names(facts: Facts, length: int) -> str:
    if not facts["held"]:
        return _cut(_who(facts), length)
    more = facts["held"]["count"] - 1
    rest = f" and {more} more" if more else ""
    return _cut(facts["held"]["secrets"][0]["secret_name"] or "?", length - len(rest)) + rest


# --- the text ---------------------------------------------------------------------------------------------------------


def _summary(facts: Facts) -> list[str]:
    """What happened, and how bad that is as far as anybody knows."""
    return [*_wrap(f"{facts['severity']}: {_headline(facts)}"), *_wrap(_assess(facts), "")]


def _headline(facts: Facts) -> str:
    if facts["turn"] == HELD_BURST:
        count = facts["held"]["count"]
        return f"{count} {'rotation' if count == 1 else 'rotations'} failed, and repairs are rate limited."
    who, step = _cut(_who(facts), _NAME_LENGTH), facts["failed_step"]
    if facts["turn"] == RESTARTED:
        return f"{who} has a new value; its dependents were {_restarted(facts)}."
    if facts["turn"] == RESOLVED:
        return f"the incident of {who} is resolved."
    if facts["turn"] == REMINDER and not has_failed_restart(facts):
        return f"the rotation of {who} still fails{f' at {step}' if step else ''}: escalated, and not resolved since."
    if facts["turn"] == MISSING:
        return f"the record of the incident of {who} is lost."
    if has_failed_restart(facts):
        return f"{who} has a new value, and a restart of what uses it failed."
    failed = f"the rotation of {who} {_happened(facts)}{f' at {step}' if step else ''}"
    if facts["kind"] in NEW_VALUES:
        failed = f"{who} has a new value"
    ended = _ended(facts)
    return f"{failed}: {'rate limited' if ended == Outcome.HELD else ended}." if ended else f"{failed}."


def _assess(facts: Facts) -> str:
    """Whether applications can log in, as far as that is proven."""
    if facts["severity"] == Severity.OUTAGE:
        if facts["held"]:
            others = ", and perhaps with others" if _has_unnamed_outages(facts["held"]) else ""
            return f"A probe proved that applications cannot log in with those marked OUTAGE{others}."
        return "A probe proved that AWSCURRENT does not work: applications cannot log in."
    if facts["unreadable"]:
        return facts["unreadable"].replace("It ", "The secret ", 1)
    if (reason := _unavailable(facts)) and facts["turn"] in (OPENED, ESCALATED, REMINDER):
        return f"{reason}: applications cannot read it."
    if facts["severity"] != Severity.AT_RISK or facts["turn"] in (HELD_BURST, RESTARTED, MISSING, UNIDENTIFIED):
        return ""
    if has_failed_restart(facts):
        return "What was not restarted may still use the old value."
    if (facts["now"]["evidence"] or {}).get("current") == "works":
        return "A probe proved that AWSCURRENT works: applications can log in with it."
    if {*facts["failed_steps"]} == {"createSecret"}:
        return "The password was not changed yet: createSecret only prepares the new value."
    return "No probe has proved that AWSCURRENT works: check that applications can log in."


def _has_unnamed_outages(burst: Facts) -> bool:
    """Whether there may be outages among those that are not named; the most severe are named first."""
    named = burst["secrets"]
    return burst["count"] > len(named) and all(one.get("severity") == Severity.OUTAGE for one in named)


def _unavailable(facts: Facts) -> str:
    """Why nobody can read the secret though rotation-guard can look at it; empty where that is not so."""
    if facts["reason"] == MARKED_FOR_DELETION:
        return "The secret is marked for deletion"
    decided = next((one for one in reversed(facts["actions"]) if one["action"] == "decide"), {})
    return "No version of the secret holds AWSCURRENT" if decided.get("rule") == "no AWSCURRENT" else ""


def _identity(facts: Facts) -> list[str]:
    """What is concerned, and whose it is."""
    owner = facts["owner"]
    function = facts["function"].split(":")[6] if facts["function"] else None
    known = {
        "Secret": facts["secret_arn"],
        "Owner": ", ".join(owner) if isinstance(owner, list) else owner,
        "Account": facts["account"],
        "Region": facts["region"],
        "Function": function,
        "Execution": facts["execution"],
    }
    return [line for name, value in known.items() if value for line in _field(name, value)]


def _who(facts: Facts) -> str:
    return facts["secret_name"] or "an unidentified secret"


def _ended(facts: Facts) -> str:
    """How it ended, as far as that is known; empty where it has not."""
    return facts["outcome"] or {RECOVERED: "recovered", RETRIED: "retried"}.get(facts["turn"], "")


def _happened(facts: Facts) -> str:
    return _HAPPENED.get(facts["kind"] or "", "failed")


def _restarted(facts: Facts) -> str:
    states = {entry["state"] for entry in facts["restarts"]}
    return "not restarted" if states == {RestartState.REFUSED} else "restarted"


def _body(facts: Facts) -> list[str]:
    """What is true and what was done."""
    if facts["held"]:
        return _burst(facts)
    lines = _field("When", _when(facts)) if facts["occurred_at"] else []
    if facts["error"]:
        lines += _wrap(f"A step of the workflow failed for good: {facts['error']}.")
    elif facts["reason"]:
        lines += _field("Why", facts["reason"])
    lines += _done(facts)
    if facts["secret_arn"]:
        lines += _field("Now", _labels(facts))
    if facts["now"]["evidence"]:
        lines += _field("Probe", _said(facts["now"]["evidence"]))
    return lines


def _burst(facts: Facts) -> list[str]:
    """Many of the same kind, in one notice."""
    names = [
        f"{_cut(one['secret_name'] or '?', _NAME_LENGTH)}{': OUTAGE' if one.get('severity') == Severity.OUTAGE else ''}"
        for one in facts["held"]["secrets"]
    ]
    more = facts["held"]["count"] - len(names)
    return [
        *_field("Why", facts["reason"]),
        *(f"- {name}" for name in names),
        *([f"- and {more} more"] if more else []),
    ]


def _when(facts: Facts) -> str:
    first = f"{facts['occurred_at']} ({facts['kind'] or 'an event'})"
    last, failures = facts["last_failure_at"], facts["failures"] or 1
    if facts["turn"] == REMINDER:
        return f"{first}; it failed again at {last}" if last else first
    return f"{first}; {failures} failures, the last at {last}" if failures > 1 and last else first


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
        return ["Done: nothing yet."] if facts["turn"] == OPENED else ["Done: nothing but notifying."]
    return ["Done:", *(piece for line in lines[-LINES:] for piece in _wrap(line))]


def _restart(entry: Facts, at: str | None) -> str:
    why = f": {entry['why']}" if entry["why"] else ""
    if entry["state"] == RestartState.REFUSED:
        return f"- not restarted: {entry['target']}{why}"
    return f"- {f'{at} ' if at else ''}restart of {entry['target']}: {entry['state']}{why}"


def _labels(facts: Facts) -> str:
    now = facts["now"]
    if facts["unreadable"] and not now["current"]:
        return "the labels could not be read."
    if not any(now[label] for label in _LABELS):
        return "the labels were not looked at."
    if not now["current"]:
        return "no version holds AWSCURRENT."
    read = "" if _unavailable(facts) else ", which is what applications read"
    parts = [f"AWSCURRENT is on version {now['current']}{read}"]
    if now["pending"]:
        parts.append(f"AWSPENDING is on version {now['pending']}: the rotation is unfinished")
    return "; ".join(parts) + "."


def _said(evidence: Facts) -> str:
    proven = [f"{name} {_PROVEN[evidence[label]]}" for label, name in _LABELS.items() if evidence.get(label) in _PROVEN]
    return " ".join([f"{', '.join(proven) or 'nothing is proven'}.", *evidence["notes"]])


def _next(steps: Sequence[Step]) -> list[str]:
    lines = ["Next:"]
    for number, step in enumerate(steps, start=1):
        lines += _wrap(f"{number}. {step.text}", "   ")
        lines += [line for command in step.commands for line in ("", f"   {command}")]
        lines += [""] if step.commands else []
    if any(OUTPUTS in command for step in steps for command in step.commands):
        lines += [] if lines[-1] == "" else [""]
        lines += _wrap(f"{OUTPUTS} is what `pulumi stack output --json` prints for this deployment.", "")
    return lines[:-1] if lines[-1] == "" else lines


def _links(facts: Facts) -> list[str]:
    names = {"secret": "Secret", "log": "Log", "execution": "Execution", "runbook": "Runbook"}
    return [f"{name}: {facts['links'][kind]}" for kind, name in names.items() if facts["links"][kind]]


def _field(name: str, value: str) -> list[str]:
    return _wrap(f"{name}: {value}")


def _wrap(text: str, indent: str = "  ") -> list[str]:
    """These words on lines of 80 columns; a longer word is not broken, so that it can be copied."""
    return textwrap.wrap(text, COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
