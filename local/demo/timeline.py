"""What happened to a broken rotation, moment by moment, made of its trace."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .trace import AWS, CRITICAL, REMEDIATION, Execution, Left, Message, Row, Trace

_PROVEN = ("current", "pending", "previous")
_SHORT = 8
"""Of a version's id: enough to tell two apart."""


@dataclass(frozen=True, order=True)
class Moment:
    """One thing that happened."""

    seconds: float
    """Since the rotation was asked for."""
    who: str
    what: str


def moments(trace: Trace) -> list[Moment]:
    """Everything of note, in its order."""
    found = [(trace.began_at, "asked", f"a rotation, told to break at {trace.step}")]
    if trace.mended_at:
        found.append((trace.mended_at, "mended", "what broke it is gone: the next try can succeed"))
    found += [(message.at, *told) for message in trace.messages if (told := _told(message))]
    found += [moment for execution in trace.executions for moment in _done(execution)]
    if trace.healed_at:
        found.append((trace.healed_at, "healed", _labels(trace)))
    return sorted(Moment(at - trace.began_at, who, what) for at, who, what in found)


def short(version: str | None) -> str:
    """A version's id, as far as it takes to tell it from others."""
    return (version or "none")[:_SHORT]


def _told(message: Message) -> tuple[str, str] | None:
    match message.source, message.subject:
        case str(topic), subject if topic in (REMEDIATION, CRITICAL):
            return f"{message.body.get('turn', '?')} notice", f"to {topic}: {subject}"
        case str(source), "RotationFailed" | "RotationSucceeded" as name if source == AWS:
            return "AWS", f"sent {name}"
        case str(source), "UpdateSecretVersionStage" if source == AWS:
            asked = message.request
            ends = f"from {short(asked.get('removeFromVersionId'))} to {short(asked.get('moveToVersionId'))}"
            return "moved", f"{asked.get('versionStage')} {ends}, by {message.caller}"
        case str(source), "CancelRotateSecret" if source == AWS:
            return "cancelled", f"the rotation, by {message.caller}"
    return None


def _done(execution: Execution) -> Iterator[tuple[float, str, str]]:
    known_error: Row = {}
    for left in execution.left:
        # The error stays in the execution's data for the states that follow.
        error, known_error = left.row("error") != known_error and left.word("error", "Error"), left.row("error")
        if told := ("step failed", f"{left.state}: {error}") if error else _told_of(left):
            yield (left.at, *told)
    if ended := execution.ended:
        yield ended.at, ended.how, f"execution {execution.name}{': ' if ended.error else ''}{ended.error}"


def _told_of(left: Left) -> tuple[str, str] | None:
    tells = _STATES.get(left.state)
    if tells is None or isinstance(left.data, dict):
        return tells(left) if tells else None
    return "left", f"{left.state}; the history does not say how"


def _opened(left: Left) -> tuple[str, str] | None:
    step = left.word("heard", "failed_step")
    what = f"an incident: {left.word('heard', 'kind')}{' at ' if step else ''}{step}"
    return ("opened", what) if left.word("claim", "outcome") == "opened" else None


def _settled(left: Left) -> tuple[str, str]:
    seconds = left.word("claim", "wait_seconds")
    return "settled", f"AWS had {seconds} s to try again by itself, as the stack counts them"


def _diagnosed(left: Left) -> tuple[str, str]:
    proofs, diagnosis = left.row("proofs"), left.row("look", "diagnosis")
    said = [
        f"AWS{label.upper()} {short(str(diagnosis[label]))} {proofs.get(label, 'unknown')}"
        for label in _PROVEN
        if diagnosis.get(label)
    ]
    return "diagnosed", f"the probe says: {', '.join(said) or 'nothing'}"


def _decided(left: Left) -> tuple[str, str] | None:
    action, outcome, how, reason = (left.word("decision", name) for name in ("action", "outcome", "how", "reason"))
    return None if action == "over" else ("decided", f"{outcome or how or action}: {reason}")


def _retried(left: Left) -> tuple[str, str]:
    return f"retry {left.word('decision', 'number')}", left.word("retried", "reason") or "RotateSecret was asked"


def _moved(left: Left) -> tuple[str, str] | None:
    # That it was moved is told by whoever heard of it.
    outcome = left.word("move", "outcome")
    return None if outcome == "moved" else ("not moved", outcome)


def _ended(left: Left) -> tuple[str, str] | None:
    if left.word("end", "state") != "mine":
        return None
    return left.word("decision", "outcome"), left.word("decision", "reason")


def _restarted(left: Left) -> tuple[str, str] | None:
    state = left.word("restart", "state")
    return None if state == "waiting" else ("dependents", f"their restart {state}")


def _broken(left: Left) -> tuple[str, str]:
    return "broken", f"a step of the workflow: {left.word('error')}"


_STATES: dict[str, Callable[[Left], tuple[str, str] | None]] = {
    "Claim": _opened,
    "Settle": _settled,
    "Probe": _diagnosed,
    "NoProofs": lambda left: ("diagnosed", "there is no probe: nothing is proven"),
    "Decide": _decided,
    "AwaitWindow": lambda left: ("waited", "for the change window"),
    "Retry": _retried,
    "BackOff": lambda left: ("waited", f"{left.word('decision', 'wait_seconds')} s, before the next retry"),
    "Move": _moved,
    "End": _ended,
    "Restart": _restarted,
    "Watch": _restarted,
    "Broken": _broken,
}
"""A state of the workflow -> what there is to tell of it when it was left."""


def _labels(trace: Trace) -> str:
    # As it is by now: somebody may have moved a label since.
    current = ", ".join(map(short, trace.current)) or "no version"
    return f"AWSCURRENT is on {current} and the database takes it; AWSPENDING is on no other version"
