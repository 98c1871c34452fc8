"""What is promised of every rotation that breaks, and whether the trace of one shows that it was kept."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .timeline import short
from .trace import AWS, CRITICAL, OURS, REMEDIATION, Execution, Message, Row, Trace

BY_RETRY, ROLLED_FORWARD = "recovered by retry", "rolled forward"
EXPECTED = {
    "createSecret": BY_RETRY,
    "setSecret": BY_RETRY,
    "testSecret": ROLLED_FORWARD,
    "finishSecret": ROLLED_FORWARD,
}
"""A step that breaks -> how its incident is to end: once the password is set, AWSCURRENT opens nothing any more."""
_ACTIONS = {
    BY_RETRY: [("decide", "retry"), ("retry", "asked")],
    ROLLED_FORWARD: [("decide", ROLLED_FORWARD), (ROLLED_FORWARD, "asked"), (ROLLED_FORWARD, "done")],
}
_LOGGED = ("claimed", "decided", "published")
"""What the workflow's functions always log: without it, a value was not sought where it could be."""
_TURNS = {BY_RETRY: ("Opened", "Retried", "Recovered"), ROLLED_FORWARD: ("Opened", "Recovered")}


@dataclass(frozen=True)
class Promise:
    """One promise; `broken` says in a sentence how it was, or None."""

    says: str
    broken: Callable[[Trace], str | None]


def judged(trace: Trace) -> list[tuple[Promise, str | None]]:
    """Each promise, and how it was broken; None where it was kept."""
    return [(promise, promise.broken(trace)) for promise in PROMISES]


def failure(execution: Execution) -> str | None:
    """A sentence on an execution that did not succeed, or a step of which failed for good; None on any other."""
    step, is_succeeded = execution.failed_step, execution.status == "SUCCEEDED"
    if is_succeeded and not step:
        return None
    why = f" It ended with {execution.ended.error.rstrip('.')}." if execution.ended and execution.ended.error else ""
    what = f" A step failed for good: {step}." if step else ""
    return f"Execution {execution.name} is {execution.status}{'' if is_succeeded else ', not SUCCEEDED'}.{why}{what}"


def _notices(trace: Trace) -> str | None:
    turns = sorted(str(notice.body.get("turn")) for notice in trace.about_it(REMEDIATION))
    if turns != ["opened", "recovered"]:
        return f"The notices were {_listed(turns)}, not one opened and one recovered."
    if critical := trace.about_it(CRITICAL):
        return f"The critical topic was told: {critical[0].subject}."
    return None


def _outcome(trace: Trace) -> str | None:
    if len(trace.rows) != 1:
        return f"There were {len(trace.rows)} incidents, not one."
    [row] = trace.rows
    if row.get("outcome") != EXPECTED[trace.step]:
        return (
            f"It ended as {row.get('outcome') or row.get('state')}, not as {EXPECTED[trace.step]}: {row.get('reason')}"
        )
    return None


def _current(trace: Trace) -> str | None:
    if len(trace.current) != 1:
        return f"AWSCURRENT is on {len(trace.current)} versions."
    if trace.current == [trace.before]:
        return f"AWSCURRENT is on {short(trace.before)} still."
    if not trace.works:
        return f"AWSCURRENT is on {short(trace.current[0])}, and the database does not take it."
    return None


def _moves(trace: Trace) -> str | None:
    moves = _moves_of(trace, "AWSCURRENT")
    if len(moves) != 1:
        return f"AWSCURRENT was moved {len(moves)} times."
    [move] = moves
    if move.request.get("removeFromVersionId") != trace.before:
        return f"AWSCURRENT was not moved away from {short(trace.before)}, which held it: no compare and swap."
    return None


def _pending(trace: Trace) -> str | None:
    if trace.is_stuck:
        return "AWSPENDING is on a version that is not AWSCURRENT: the rotation is unfinished."
    cleared = _moves_of(trace, "AWSPENDING")
    return f"AWSPENDING was cleared or moved by {cleared[0].caller}." if cleared else None


def _cancelled(trace: Trace) -> str | None:
    calls = trace.of(AWS, "CancelRotateSecret")
    return f"CancelRotateSecret was called by {calls[0].caller}." if calls else None


def _executions(trace: Trace) -> str | None:
    if failures := [sentence for execution in trace.executions if (sentence := failure(execution))]:
        return failures[0]
    known = {execution.arn for execution in trace.executions}
    lost = {row[name] for row in trace.rows for name in ("execution", "ended_by") if name in row} - known
    return f"The row names an execution that is not there: {min(lost).rpartition(':')[2]}." if lost else None


def _written(trace: Trace) -> str | None:
    actions: list[Row] = [action for row in trace.rows for action in row.get("actions", ())]
    for action in actions:
        lacking = [name for name in _HAVE.get(action.get("action"), _HAVE[None]) if not action.get(name)]
        if lacking:
            return f"The row has an action {action.get('action')} without {_listed(lacking)}."
    found = [(action["action"], action["outcome"]) for action in actions]
    lost = [" ".join(wanted) for wanted in _ACTIONS[EXPECTED[trace.step]] if wanted not in found]
    return f"The row does not have: {_listed(lost)}." if lost else None


_HAVE = {None: ("action", "at", "outcome"), "decide": ("at", "outcome", "reason", "rule", "evidence")}
"""What an action of the row has: of this kind, and of all others."""


def _events(trace: Trace) -> str | None:
    heard = sorted(message.subject.removeprefix("Rotation Incident ") for message in trace.about_it(OURS))
    wanted = sorted(_TURNS[EXPECTED[trace.step]])
    return None if heard == wanted else f"The events on the bus were {_listed(heard)}, not {_listed(wanted)}."


def _values(trace: Trace) -> str | None:
    if not trace.values:
        return "No value of the secret could be read, so that none could be sought."
    if silent := [word for word in _LOGGED if not any(f'"message":"{word}"' in text for text in trace.logs.values())]:
        return f"No function has logged {_listed(silent)}, so that the logs are not where values were sought."
    found = (where for where, text in _texts(trace) if any(value in text for value in trace.values))
    return next((f"A value of the secret is in {where}." for where in found), None)


def _texts(trace: Trace) -> Iterator[tuple[str, str]]:
    """Where a value might be, and what is written there."""
    for message in trace.messages:
        yield f"a message of {message.source}: {message.subject}", message.raw
    for execution in trace.executions:
        yield f"execution {execution.name}", execution.raw
    for row in trace.rows:
        yield "the incident's row", json.dumps(row, default=str)
    for group, text in trace.logs.items():
        yield f"the log {group}", text
    yield from trace.texts.items()


PROMISES = (
    Promise("one notice that it opened, one that it closed, none to the critical topic", _notices),
    Promise("the incident ended as it should", _outcome),
    Promise("AWSCURRENT is on one version, a new one, and the database takes it", _current),
    Promise("AWSCURRENT was moved once, away from the version that held it", _moves),
    Promise("AWSPENDING is not stuck, and nobody cleared it", _pending),
    Promise("nobody called CancelRotateSecret", _cancelled),
    Promise("every execution succeeded, with all of its steps", _executions),
    Promise("the row has each action with its time, its evidence and its outcome", _written),
    Promise("each turn was on the bus, once", _events),
    Promise("no value of the secret is in a notice, an event, a row, an execution or a log", _values),
)


def _moves_of(trace: Trace, label: str) -> list[Message]:
    calls = trace.of(AWS, "UpdateSecretVersionStage")
    return [call for call in calls if call.request.get("versionStage") == label]


def _listed(words: list[str]) -> str:
    return ", ".join(words) or "none"
