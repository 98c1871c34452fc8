"""Builds the timeline of a failed rotation from its trace."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rotation_guard.domain.remediation.step_results import (
    ClaimOutcome,
    EndState,
    MoveOutcome,
    NextAction,
    RestartsState,
)

from .trace import AWS, CRITICAL, REMEDIATION, Execution, Message, Row, StateExit, Trace

_PROBED_LABELS = ("current", "pending", "previous")
_ID_LENGTH = 8
"""How much of a version's id is shown."""


@dataclass(frozen=True, order=True)
class TimelineEntry:
    """An entry of the timeline."""

    seconds: float
    """Since the rotation was started."""
    label: str
    text: str


def build_timeline(trace: Trace) -> list[TimelineEntry]:
    """Return the entries in the order of their times."""
    entries = [(trace.began_at, "started", f"a rotation that will fail at {trace.step}")]
    if trace.fault_removed_at:
        entries.append((trace.fault_removed_at, "fault removed", "the next attempt can succeed"))
    entries += [(message.at, *description) for message in trace.messages if (description := _describe_message(message))]
    entries += [entry for execution in trace.executions for entry in _describe_execution(execution)]
    if trace.recovered_at:
        entries.append((trace.recovered_at, "recovered", _describe_labels(trace)))
    return sorted(TimelineEntry(at - trace.began_at, label, text) for at, label, text in entries)


def shorten_version(version: str | None) -> str:
    """Return the beginning of a version's id."""
    return (version or "none")[:_ID_LENGTH]


def _describe_message(message: Message) -> tuple[str, str] | None:
    match message.source, message.subject:
        case str(topic), subject if topic in (REMEDIATION, CRITICAL):
            return f"{message.body.get('turn', '?')} notice", f"to {topic}: {subject}"
        case str(source), "RotationFailed" | "RotationSucceeded" as name if source == AWS:
            return "AWS", f"sent {name}"
        case str(source), "UpdateSecretVersionStage" if source == AWS:
            request = message.request
            versions = (shorten_version(request.get(key)) for key in ("removeFromVersionId", "moveToVersionId"))
            return "moved", f"{request.get('versionStage')} from {' to '.join(versions)}, by {message.caller}"
        case str(source), "CancelRotateSecret" if source == AWS:
            return "cancelled", f"the rotation, by {message.caller}"
    return None


def _describe_execution(execution: Execution) -> Iterator[tuple[float, str, str]]:
    last_error: Row = {}
    for state_exit in execution.exits:
        # The error stays in the execution's data for the states that follow.
        is_new = state_exit.get_map("error") != last_error
        error, last_error = is_new and state_exit.get_text("error", "Error"), state_exit.get_map("error")
        if description := ("step failed", f"{state_exit.state}: {error}") if error else _describe_exit(state_exit):
            yield (state_exit.at, *description)
    if failure := execution.failure:
        yield failure.at, failure.kind, f"execution {execution.name}{': ' if failure.error else ''}{failure.error}"


def _describe_exit(state_exit: StateExit) -> tuple[str, str] | None:
    describe = _DESCRIPTIONS.get(state_exit.state)
    if describe is None or isinstance(state_exit.data, dict):
        return describe(state_exit) if describe else None
    return "exited", f"{state_exit.state}; the history does not say how"


def _describe_claim(state_exit: StateExit) -> tuple[str, str] | None:
    step = state_exit.get_text("heard", "failed_step")
    text = f"incident: {state_exit.get_text('heard', 'kind')}{' at ' if step else ''}{step}"
    return ("opened", text) if state_exit.get_text("claim", "outcome") == ClaimOutcome.OPENED else None


def _describe_settle(state_exit: StateExit) -> tuple[str, str]:
    seconds = state_exit.get_text("claim", "wait_seconds")
    return "waited", f"{seconds} s, in which AWS could retry by itself (in the stack's compressed time)"


def _describe_probe(state_exit: StateExit) -> tuple[str, str]:
    proofs, diagnosis = state_exit.get_map("proofs"), state_exit.get_map("look", "diagnosis")
    results = [
        f"AWS{label.upper()} {shorten_version(str(diagnosis[label]))} {proofs.get(label, 'unknown')}"
        for label in _PROBED_LABELS
        if diagnosis.get(label)
    ]
    return "diagnosed", f"probe results: {', '.join(results) or 'none'}"


def _describe_decision(state_exit: StateExit) -> tuple[str, str] | None:
    action, outcome, how, reason = (
        state_exit.get_text("decision", name) for name in ("action", "outcome", "how", "reason")
    )
    return None if action == NextAction.NOT_OPEN else ("decided", f"{outcome or how or action}: {reason}")


def _describe_retry(state_exit: StateExit) -> tuple[str, str]:
    reason = state_exit.get_text("retried", "reason")
    return f"retry {state_exit.get_text('decision', 'number')}", reason or "RotateSecret was called"


def _describe_move(state_exit: StateExit) -> tuple[str, str] | None:
    # A successful move is in the timeline as AWS's own event.
    outcome = state_exit.get_text("move", "outcome")
    return None if outcome == MoveOutcome.MOVED else ("not moved", outcome)


def _describe_end(state_exit: StateExit) -> tuple[str, str] | None:
    if state_exit.get_text("end", "state") != EndState.OWNED:
        return None
    return state_exit.get_text("decision", "outcome"), state_exit.get_text("decision", "reason")


def _describe_restart(state_exit: StateExit) -> tuple[str, str] | None:
    state = state_exit.get_text("restart", "state")
    return None if state == RestartsState.WAITING else ("dependents", f"restart {state}")


def _describe_broken(state_exit: StateExit) -> tuple[str, str]:
    return "broken", f"a step of the workflow: {state_exit.get_text('error')}"


_DESCRIPTIONS: dict[str, Callable[[StateExit], tuple[str, str] | None]] = {
    "Claim": _describe_claim,
    "Settle": _describe_settle,
    "Probe": _describe_probe,
    "NoProbe": lambda state_exit: ("diagnosed", "there is no probe: nothing is verified"),
    "Decide": _describe_decision,
    "AwaitWindow": lambda state_exit: ("waited", "for the change window"),
    "Retry": _describe_retry,
    "BackOff": lambda state_exit: (
        "waited",
        f"{state_exit.get_text('decision', 'wait_seconds')} s, before the next retry",
    ),
    "Move": _describe_move,
    "End": _describe_end,
    "Restart": _describe_restart,
    "Watch": _describe_restart,
    "StepFailed": _describe_broken,
}
"""A state of the workflow -> the label and text of its exit, if any."""


def _describe_labels(trace: Trace) -> str:
    # The labels as of now: they may have moved since.
    current = ", ".join(map(shorten_version, trace.current)) or "no version"
    return f"AWSCURRENT is on {current} and the database accepts it; AWSPENDING is on no other version"
