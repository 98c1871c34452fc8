"""What is expected of every failed rotation, and how to check it in a trace."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .timeline import shorten_version
from .trace import AWS, CRITICAL, REMEDIATION, ROTATION_GUARD, Execution, Message, Row, Trace

BY_RETRY, ROLLED_FORWARD = "recovered by retry", "rolled forward"
EXPECTED = {
    "createSecret": BY_RETRY,
    "setSecret": BY_RETRY,
    "testSecret": ROLLED_FORWARD,
    "finishSecret": ROLLED_FORWARD,
}
"""A failed step -> the expected outcome: once the new password is set, the database rejects AWSCURRENT."""
_ACTIONS = {
    BY_RETRY: [("decide", "retry"), ("retry", "asked")],
    ROLLED_FORWARD: [("decide", ROLLED_FORWARD), (ROLLED_FORWARD, "asked"), (ROLLED_FORWARD, "done")],
}
_EXPECTED_LOG_MESSAGES = ("claimed", "decided", "published")
"""What the workflow's functions always log: without these messages, the logs were not searched for values."""
_TRANSITIONS = {BY_RETRY: ("Opened", "Retried", "Recovered"), ROLLED_FORWARD: ("Opened", "Recovered")}


@dataclass(frozen=True)
class Expectation:
    """An expectation; `find_violation` says in a sentence how a trace violates it, or returns None."""

    text: str
    find_violation: Callable[[Trace], str | None]


def check_all(trace: Trace) -> list[tuple[Expectation, str | None]]:
    """Return each expectation with its violation, or None."""
    return [(expectation, expectation.find_violation(trace)) for expectation in EXPECTATIONS]


def describe_failure(execution: Execution) -> str | None:
    """Describe an execution that did not succeed, or a step of which failed for good; None for any other."""
    step, is_succeeded = execution.failed_step, execution.status == "SUCCEEDED"
    if is_succeeded and not step:
        return None
    why = (
        f" It ended with {execution.failure.error.rstrip('.')}."
        if execution.failure and execution.failure.error
        else ""
    )
    what = f" A step failed for good: {step}." if step else ""
    return f"Execution {execution.name} is {execution.status}{'' if is_succeeded else ', not SUCCEEDED'}.{why}{what}"


def _check_notifications(trace: Trace) -> str | None:
    transitions = sorted(str(message.body.get("turn")) for message in trace.select_incident_messages(REMEDIATION))
    if transitions != ["opened", "recovered"]:
        return f"The notifications were {_join(transitions)}, not one opened and one recovered."
    if critical := trace.select_incident_messages(CRITICAL):
        return f"The critical topic received: {critical[0].subject}."
    return None


def _check_outcome(trace: Trace) -> str | None:
    if len(trace.rows) != 1:
        return f"There were {len(trace.rows)} incidents, not one."
    [row] = trace.rows
    if row.get("outcome") != EXPECTED[trace.step]:
        return (
            f"It ended as {row.get('outcome') or row.get('state')}, not as {EXPECTED[trace.step]}: {row.get('reason')}"
        )
    return None


def _check_current(trace: Trace) -> str | None:
    if len(trace.current) != 1:
        return f"AWSCURRENT is on {len(trace.current)} versions."
    if trace.current == [trace.original_version]:
        return f"AWSCURRENT is still on {shorten_version(trace.original_version)}."
    if not trace.is_working:
        return f"AWSCURRENT is on {shorten_version(trace.current[0])}, and the database rejects it."
    return None


def _check_moves(trace: Trace) -> str | None:
    moves = _list_moves(trace, "AWSCURRENT")
    if len(moves) != 1:
        return f"AWSCURRENT was moved {len(moves)} times."
    [move] = moves
    if move.request.get("removeFromVersionId") != trace.original_version:
        version = shorten_version(trace.original_version)
        return f"AWSCURRENT was not moved away from {version}, which had it: no compare and swap."
    return None


def _check_pending(trace: Trace) -> str | None:
    if trace.is_stuck:
        return "AWSPENDING is on a version that is not AWSCURRENT: the rotation is incomplete."
    removed = _list_moves(trace, "AWSPENDING")
    return f"AWSPENDING was removed or moved by {removed[0].caller}." if removed else None


def _check_cancelled(trace: Trace) -> str | None:
    calls = trace.select_messages(AWS, "CancelRotateSecret")
    return f"CancelRotateSecret was called by {calls[0].caller}." if calls else None


def _check_executions(trace: Trace) -> str | None:
    if failures := [sentence for execution in trace.executions if (sentence := describe_failure(execution))]:
        return failures[0]
    known = {execution.arn for execution in trace.executions}
    missing_items = {row[name] for row in trace.rows for name in ("execution", "ended_by") if name in row} - known
    return (
        f"The row names an execution that does not exist: {min(missing_items).rpartition(':')[2]}."
        if missing_items
        else None
    )


def _check_actions(trace: Trace) -> str | None:
    actions: list[Row] = [action for row in trace.rows for action in row.get("actions", ())]
    for action in actions:
        missing = [
            name for name in _REQUIRED_FIELDS.get(action.get("action"), _REQUIRED_FIELDS[None]) if not action.get(name)
        ]
        if missing:
            return f"The row has an action {action.get('action')} without {_join(missing)}."
    outcomes = [(action["action"], action["outcome"]) for action in actions]
    missing_items = [" ".join(expected) for expected in _ACTIONS[EXPECTED[trace.step]] if expected not in outcomes]
    return f"The row lacks: {_join(missing_items)}." if missing_items else None


_REQUIRED_FIELDS = {None: ("action", "at", "outcome"), "decide": ("at", "outcome", "reason", "rule", "evidence")}
"""Kind of action -> the fields that it must have; None stands for all other kinds."""


def _check_events(trace: Trace) -> str | None:
    events = sorted(
        message.subject.removeprefix("Rotation Incident ") for message in trace.select_incident_messages(ROTATION_GUARD)
    )
    expected = sorted(_TRANSITIONS[EXPECTED[trace.step]])
    return None if events == expected else f"The events on the bus were {_join(events)}, not {_join(expected)}."


def _check_values(trace: Trace) -> str | None:
    if not trace.values:
        return "No value of the secret could be read, so the check for leaked values is void."
    if unlogged := [
        word
        for word in _EXPECTED_LOG_MESSAGES
        if not any(f'"message":"{word}"' in text for text in trace.logs.values())
    ]:
        return f"No function has logged {_join(unlogged)}, so the logs were not checked for leaked values."
    places = (place for place, text in _list_texts(trace) if any(value in text for value in trace.values))
    return next((f"A value of the secret is in {place}." for place in places), None)


def _list_texts(trace: Trace) -> Iterator[tuple[str, str]]:
    """Yield every place where a value could leak, and its text."""
    for message in trace.messages:
        yield f"a message of {message.source}: {message.subject}", message.raw
    for execution in trace.executions:
        yield f"execution {execution.name}", execution.raw
    for row in trace.rows:
        yield "the incident's row", json.dumps(row, default=str)
    for group, text in trace.logs.items():
        yield f"the log {group}", text
    yield from trace.texts.items()


EXPECTATIONS = (
    Expectation("one notification for opened, one for recovered, none on the critical topic", _check_notifications),
    Expectation("the incident has the expected outcome", _check_outcome),
    Expectation("AWSCURRENT is on one new version, which the database accepts", _check_current),
    Expectation("AWSCURRENT was moved once, from the version that had it", _check_moves),
    Expectation("the rotation is complete, and nobody removed AWSPENDING", _check_pending),
    Expectation("nobody called CancelRotateSecret", _check_cancelled),
    Expectation("every execution and each of its steps succeeded", _check_executions),
    Expectation("the row has every action with its time, evidence and outcome", _check_actions),
    Expectation("every transition was published on the bus once", _check_events),
    Expectation("no value of the secret is in a notification, event, row, execution or log", _check_values),
)


def _list_moves(trace: Trace, label: str) -> list[Message]:
    calls = trace.select_messages(AWS, "UpdateSecretVersionStage")
    return [call for call in calls if call.request.get("versionStage") == label]


def _join(words: list[str]) -> str:
    return ", ".join(words) or "none"
