"""Writes the text of a notification from its payload: severity, facts, actions, and next steps.

Lines have at most 80 columns, except commands and URLs, which are on lines of their own and never wrapped.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .commands import OUTPUTS
from .diagnosis import MARKED_FOR_DELETION
from .incidents import Outcome
from .next_steps import list_next_steps
from .notification_payload import (
    DIGEST,
    ESCALATED,
    MISSING,
    NEW_VALUES,
    OPENED,
    RECOVERED,
    REMINDER,
    RESOLVED,
    RESTARTED,
    RETRIED,
    UNIDENTIFIED,
    Payload,
)
from .repair_steps import Step, has_failed_restart
from .restarts import RestartState
from .severity import Severity

SUBJECT_LENGTH = 99
"""SNS accepts fewer than 100 characters of printable ASCII (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
COLUMNS = 80
LINES = 30
"""Maximum number of listed actions: the latest are kept."""
_NAME_LENGTH = 70
"""Maximum length of a secret's name in a line of text."""

_FAILURES = {
    "RotationFailed": "failed",
    "RotationAbandoned": "was abandoned",
    "TestRotationFailed": "failed its test",
    "Rotation Stuck": "is stuck",
}
_OUTCOMES: Mapping[str, str] = {
    Outcome.RECOVERED_BY_AWS: "was recovered by AWS",
    Outcome.RECOVERED_BY_RETRY: "was recovered by a retry",
    Outcome.ROLLED_FORWARD: "was rolled forward",
    Outcome.ROLLED_BACK: "was rolled back",
    Outcome.ESCALATED: "was escalated",
    Outcome.RATE_LIMITED: "was rate limited",
    RECOVERED: "has recovered",
    RETRIED: "was retried",
}
"""Outcome or transition -> what happened to a rotation."""
_WORDS: Mapping[str, str] = {Outcome.ROLLED_BACK: "rolled back", Outcome.RATE_LIMITED: "rate limited"}
"""Stored outcome -> its word in a notification, where that differs."""
_PROVEN = {"works": "works", "broken": "does not work"}
_LABELS = {"current": "AWSCURRENT", "pending": "AWSPENDING", "previous": "AWSPREVIOUS"}


@dataclass(frozen=True)
class Notification:
    """One notification, for people and for programs."""

    subject: str
    """One line, fewer than 100 characters of printable ASCII."""
    text: str
    payload: Payload
    """See `notification_payload.build_payload`; with the `next` steps and their `commands`."""


def build_notification(payload: Payload) -> Notification:
    """Build the notification for this payload."""
    steps = list_next_steps(payload)
    commands = [command for step in steps for command in step.commands]
    complete = {**payload, "next": " ".join(step.sentence for step in steps), "commands": commands}
    paragraphs = [
        _write_summary(complete),
        _write_identity(complete),
        _write_body(complete),
        _write_next_steps(steps),
        _write_links(complete),
    ]
    return Notification(
        _write_subject(complete), "\n\n".join("\n".join(lines) for lines in paragraphs if lines), complete
    )


# --- the subject ------------------------------------------------------------------------------------------------------


def _write_subject(payload: Payload) -> str:
    """`SEVERITY secret account Region: what happened`; only the secret's name is shortened to fit."""
    severity, summary = payload["severity"], _summarize(payload)
    where = "".join(f" {payload[name]}" for name in ("account", "region") if payload[name])
    remaining = SUBJECT_LENGTH - len(f"{severity} {where}: {summary}")
    return f"{severity} {_shorten_names(payload, remaining)}{where}: {summary}"


def _summarize(payload: Payload) -> str:
    """What happened, in 40 characters at most."""
    step = f" at {payload['failed_step']}" if payload["failed_step"] else ""
    match payload["turn"]:
        case "held_burst":
            count = payload["held"]["count"]
            return f"{count} failed {'rotation' if count == 1 else 'rotations'} rate limited"
        case "restarted":
            return f"dependents {_describe_restarts(payload)}"
        case "missing":
            return "incident record lost"
    if has_failed_restart(payload):
        return "restart of dependents failed"
    if payload["turn"] == REMINDER:
        return f"rotation still fails{step}"
    outcome = _find_outcome(payload)
    if outcome in ("", Outcome.ESCALATED):
        return f"rotation {outcome or _describe_failure(payload)}{step}"
    if outcome == Outcome.RESOLVED:
        return "new value in use"
    return "rotation rate limited" if outcome == Outcome.RATE_LIMITED else _WORDS.get(outcome, outcome)


def _shorten_names(payload: Payload, length: int) -> str:
    if not payload["held"]:
        return _shorten(_name_secret(payload), length)
    more = payload["held"]["count"] - 1
    others = f" and {more} more" if more else ""
    return _shorten(payload["held"]["secrets"][0]["secret_name"] or "?", length - len(others)) + others


# --- the text ---------------------------------------------------------------------------------------------------------


def _write_summary(payload: Payload) -> list[str]:
    """What happened, and its impact as far as it is proven."""
    return [*_wrap(f"{payload['severity']}: {write_headline(payload)}"), *_wrap(assess_impact(payload), "")]


def write_headline(payload: Payload) -> str:
    """What happened, in one sentence or two."""
    if payload["turn"] == DIGEST:
        count = payload["held"]["count"]
        return f"{count} {'rotation' if count == 1 else 'rotations'} failed, and repairs are rate limited."
    name = _shorten(_name_secret(payload), _NAME_LENGTH)
    at = f" at {payload['failed_step']}" if payload["failed_step"] else ""
    if payload["turn"] == RESTARTED:
        return f"{name} has a new value; its dependents were {_describe_restarts(payload)}."
    if payload["turn"] == RESOLVED:
        return f"{name}: the incident is resolved."
    if payload["turn"] == REMINDER and not has_failed_restart(payload):
        return f"{name}: rotation still fails{at}. It was escalated and is not resolved."
    if payload["turn"] == MISSING:
        return f"{name}: the record of the incident is lost."
    if has_failed_restart(payload):
        return f"{name} has a new value, but a restart of its dependents failed."
    failure = f"{name}: rotation {_describe_failure(payload)}{at}"
    if payload["kind"] in NEW_VALUES:
        failure = f"{name} has a new value"
    outcome = _find_outcome(payload)
    return f"{failure} and {_OUTCOMES.get(outcome, outcome)}." if outcome else f"{failure}."


def assess_impact(payload: Payload) -> str:
    """Whether applications can log in, as far as it is proven."""
    if payload["severity"] == Severity.OUTAGE:
        if payload["held"]:
            others = ", and possibly with others" if _may_have_unlisted_outages(payload["held"]) else ""
            return f"A probe proved that applications cannot log in with those marked OUTAGE{others}."
        return "A probe proved that AWSCURRENT does not work: applications cannot log in."
    if payload["unreadable"]:
        return payload["unreadable"].replace("It ", "The secret ", 1)
    if (reason := _find_unavailability(payload)) and payload["turn"] in (OPENED, ESCALATED, REMINDER):
        return f"{reason}: applications cannot read it."
    if payload["severity"] != Severity.AT_RISK or payload["turn"] in (DIGEST, RESTARTED, MISSING, UNIDENTIFIED):
        return ""
    if has_failed_restart(payload):
        return "Dependents that were not restarted may still use the old value."
    if (payload["now"]["evidence"] or {}).get("current") == "works":
        return "A probe proved that AWSCURRENT works: applications can log in with it."
    if {*payload["failed_steps"]} == {"createSecret"}:
        return "The password has not changed yet: createSecret only stores the new value."
    return "No probe has proved that AWSCURRENT works: check that applications can log in."


def _may_have_unlisted_outages(digest: Payload) -> bool:
    """Whether secrets that are not listed may have an outage; the most severe are listed first."""
    secrets = digest["secrets"]
    return digest["count"] > len(secrets) and all(secret.get("severity") == Severity.OUTAGE for secret in secrets)


def _find_unavailability(payload: Payload) -> str:
    """Why applications cannot read the secret, though rotation-guard can describe it; empty if they can."""
    if payload["reason"] == MARKED_FOR_DELETION:
        return "The secret is marked for deletion"
    decision = next((action for action in reversed(payload["actions"]) if action["action"] == "decide"), {})
    return "No version of the secret has AWSCURRENT" if decision.get("rule") == "no AWSCURRENT" else ""


def _write_identity(payload: Payload) -> list[str]:
    """The secret, its owner, and where it is."""
    owner = payload["owner"]
    function = payload["function"].split(":")[6] if payload["function"] else None
    known = {
        "Secret": payload["secret_arn"],
        "Owner": ", ".join(owner) if isinstance(owner, list) else owner,
        "Account": payload["account"],
        "Region": payload["region"],
        "Function": function,
        "Execution": payload["execution"],
    }
    return [line for name, value in known.items() if value for line in _write_field(name, value)]


def _name_secret(payload: Payload) -> str:
    return payload["secret_name"] or "an unidentified secret"


def _find_outcome(payload: Payload) -> str:
    """The outcome or transition that tells how the rotation went on; empty while the incident is open."""
    return payload["outcome"] or (payload["turn"] if payload["turn"] in (RECOVERED, RETRIED) else "")


def _describe_failure(payload: Payload) -> str:
    return _FAILURES.get(payload["kind"] or "", "failed")


def _describe_restarts(payload: Payload) -> str:
    states = {entry["state"] for entry in payload["restarts"]}
    return "not restarted" if states == {RestartState.REFUSED} else "restarted"


def _write_body(payload: Payload) -> list[str]:
    """What is known, and what was done."""
    if payload["held"]:
        return _write_digest(payload)
    lines = _write_field("When", _describe_times(payload)) if payload["occurred_at"] else []
    if payload["error"]:
        lines += _wrap(f"A step of the workflow failed for good: {payload['error']}.")
    elif payload["reason"]:
        lines += _write_field("Why", payload["reason"])
    lines += _write_actions(payload)
    if payload["secret_arn"]:
        lines += _write_field("Now", _describe_labels(payload))
    if payload["now"]["evidence"]:
        lines += _write_field("Probe", _describe_evidence(payload["now"]["evidence"]))
    return lines


def _write_digest(payload: Payload) -> list[str]:
    """The secrets in a digest."""
    names = [
        _shorten(secret["secret_name"] or "?", _NAME_LENGTH)
        + (": OUTAGE" if secret.get("severity") == Severity.OUTAGE else "")
        for secret in payload["held"]["secrets"]
    ]
    more = payload["held"]["count"] - len(names)
    return [
        *_write_field("Why", payload["reason"]),
        *(f"- {name}" for name in names),
        *([f"- and {more} more"] if more else []),
    ]


def _describe_times(payload: Payload) -> str:
    first = f"{payload['occurred_at']} ({payload['kind'] or 'an event'})"
    last, failures = payload["last_failure_at"], payload["failures"] or 1
    if payload["turn"] == REMINDER:
        return f"{first}; it failed again at {last}" if last else first
    return f"{first}; {failures} failures, the last at {last}" if failures > 1 and last else first


def _write_actions(payload: Payload) -> list[str]:
    """Each action with its time; the two entries of an action, before and after, are one line."""
    outcomes: dict[str, tuple[str, str]] = {}
    for action in payload["actions"]:
        if action["action"] in ("decide", "restart"):
            continue
        number, to, word = action.get("number"), action.get("to"), action["action"]
        name = (
            f"{_WORDS.get(word, word)}{f' {number}' if number else ''}{f', AWSCURRENT to version {to}' if to else ''}"
        )
        started_at, _ = outcomes.get(name, (action["at"], ""))
        outcomes[name] = (started_at or "?", action["outcome"] or "?")
    lines = [f"- {at} {name}: {outcome}" for name, (at, outcome) in outcomes.items()]
    times = {action.get("target"): action["at"] for action in payload["actions"] if action["action"] == "restart"}
    lines += [_write_restart(entry, times.get(entry["target"])) for entry in payload["restarts"]]
    if payload["turn"] == MISSING:
        return ["Actions: unknown."]
    if not lines:
        return ["Actions: none yet."] if payload["turn"] == OPENED else ["Actions: none, except notifications."]
    return ["Actions:", *(piece for line in lines[-LINES:] for piece in _wrap(line))]


def _write_restart(entry: Payload, at: str | None) -> str:
    why = f": {entry['why']}" if entry["why"] else ""
    if entry["state"] == RestartState.REFUSED:
        return f"- not restarted: {entry['target']}{why}"
    return f"- {f'{at} ' if at else ''}restart of {entry['target']}: {entry['state']}{why}"


def _describe_labels(payload: Payload) -> str:
    now = payload["now"]
    if payload["unreadable"] and not now["current"]:
        return "the labels could not be read."
    if not any(now[label] for label in _LABELS):
        return "the labels are unknown."
    if not now["current"]:
        return "no version has AWSCURRENT."
    read = "" if _find_unavailability(payload) else ", which applications read"
    parts = [f"AWSCURRENT is on version {now['current']}{read}"]
    if now["pending"]:
        parts.append(f"AWSPENDING is on version {now['pending']}: the rotation is unfinished")
    return "; ".join(parts) + "."


def _describe_evidence(evidence: Payload) -> str:
    proven = [f"{name} {_PROVEN[evidence[label]]}" for label, name in _LABELS.items() if evidence.get(label) in _PROVEN]
    return " ".join([f"{', '.join(proven) or 'nothing is proven'}.", *evidence["notes"]])


def _write_next_steps(steps: Sequence[Step]) -> list[str]:
    lines = ["Next:"]
    for number, step in enumerate(steps, start=1):
        lines += _wrap(f"{number}. {step.text}", "   ")
        lines += [line for command in step.commands for line in ("", f"   {command}")]
        lines += [""] if step.commands else []
    if any(OUTPUTS in command for step in steps for command in step.commands):
        lines += [] if lines[-1] == "" else [""]
        lines += _wrap(f"{OUTPUTS} has the output of `pulumi stack output --json` for this deployment.", "")
    return lines[:-1] if lines[-1] == "" else lines


def _write_links(payload: Payload) -> list[str]:
    names = {"secret": "Secret", "log": "Log", "execution": "Execution", "runbook": "Runbook"}
    return [f"{name}: {payload['links'][kind]}" for kind, name in names.items() if payload["links"][kind]]


def _write_field(name: str, value: str) -> list[str]:
    return _wrap(f"{name}: {value}")


def _wrap(text: str, indent: str = "  ") -> list[str]:
    """Wrap the text at 80 columns; a longer word is not broken, so that it can be copied."""
    return textwrap.wrap(text, COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
