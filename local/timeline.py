"""What happened to a broken rotation, moment by moment, made of its trace."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .trace import AWS, CRITICAL, REMEDIATION, Execution, Left, Message, Trace

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
    for left in execution.left:
        if (tells := _STATES.get(left.state)) and (told := tells(left)):
            yield (left.at, *told)


def _opened(left: Left) -> tuple[str, str] | None:
    heard = left.data["heard"]
    step = f" at {heard['failed_step']}" if heard["failed_step"] else ""
    return ("opened", f"an incident: {heard['kind']}{step}") if left.data["claim"]["outcome"] == "opened" else None


def _settled(left: Left) -> tuple[str, str]:
    return "settled", f"AWS had {left.data['claim']['wait_seconds']} s to try again by itself, as the stack counts them"


def _diagnosed(left: Left) -> tuple[str, str]:
    proofs, diagnosis = left.data["proofs"], left.data["look"]["diagnosis"]
    said = [f"AWS{label.upper()} {short(diagnosis[label])} {proofs[label]}" for label in _PROVEN if diagnosis[label]]
    return "diagnosed", f"the probe says: {', '.join(said) or 'nothing'}"


def _decided(left: Left) -> tuple[str, str] | None:
    decision = left.data["decision"]
    if decision["action"] == "over":
        return None
    return "decided", f"{decision['outcome'] or decision['how'] or decision['action']}: {decision['reason']}"


def _retried(left: Left) -> tuple[str, str]:
    return f"retry {left.data['decision']['number']}", left.data["retried"]["reason"] or "RotateSecret was asked"


def _moved(left: Left) -> tuple[str, str] | None:
    # That it was moved is told by whoever heard of it.
    return None if left.data["move"]["outcome"] == "moved" else ("not moved", left.data["move"]["outcome"])


def _ended(left: Left) -> tuple[str, str] | None:
    decision = left.data["decision"]
    return (decision["outcome"], decision["reason"]) if left.data["end"]["state"] == "mine" else None


def _restarted(left: Left) -> tuple[str, str] | None:
    state = left.data["restart"]["state"]
    return None if state == "waiting" else ("dependents", f"their restart {state}")


def _broken(left: Left) -> tuple[str, str]:
    return "broken", f"a step of the workflow: {left.data['error']}"


_STATES: dict[str, Callable[[Left], tuple[str, str] | None]] = {
    "Claim": _opened,
    "Settle": _settled,
    "Probe": _diagnosed,
    "NoProofs": lambda left: ("diagnosed", "there is no probe: nothing is proven"),
    "Decide": _decided,
    "AwaitWindow": lambda left: ("waited", "for the change window"),
    "Retry": _retried,
    "BackOff": lambda left: ("waited", f"{left.data['decision']['backoff_seconds']} s, before the next look"),
    "Move": _moved,
    "End": _ended,
    "Restart": _restarted,
    "Watch": _restarted,
    "Broken": _broken,
}
"""A state of the workflow -> what there is to tell of it when it was left."""


def _labels(trace: Trace) -> str:
    [current] = trace.current
    return f"AWSCURRENT is on {short(current)} and the database takes it; AWSPENDING is on no other version"
