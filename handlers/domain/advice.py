"""What to do next, for whoever reads a notice: a sentence or some, by what is known of the incident."""

import shlex
from collections.abc import Callable

from .facts import (
    ESCALATED,
    HELD,
    HELD_BURST,
    MISSING,
    OPENED,
    RECOVERED,
    REMINDER,
    RESOLVED,
    RESTARTED,
    RETRIED,
    UNIDENTIFIED,
    Facts,
)
from .incidents import Outcome
from .restarts import State
from .rotation import TESTED

_LOG = "Read the log of the rotation function"
_KEEP = "Do not clear AWSPENDING: it may be the only copy of a password that is live already."
_SETTING = ("setSecret", "testSecret", "finishSecret")
"""From here on the password may be another one already, and AWSPENDING alone knows it."""
_BROKEN = "A step of the workflow failed for good"
_OFF = "Rotation was switched off"
_REFUSALS = ("RotateSecret was refused", "UpdateSecretVersionStage was refused")


def advice(facts: Facts) -> str:
    """What to do next, given these facts."""
    parts = [_TURNS[facts["turn"]](facts), _keep(facts), _not_restarted(facts)]
    return " ".join(part for part in parts if part)


def _keep(facts: Facts) -> str:
    """The warning that costs nothing, wherever somebody might tidy up."""
    # The test of a rotation sets no password.
    is_tested = facts["kind"] == TESTED
    is_at_risk = facts["now"]["pending"] or (facts["failed_step"] in _SETTING and not is_tested)
    return _KEEP if is_at_risk and facts["turn"] in (OPENED, ESCALATED, HELD, REMINDER) else ""


def _not_restarted(facts: Facts) -> str:
    """What nobody restarts but the reader."""
    names = [entry["target"] or "?" for entry in facts["restarts"] if entry["state"] == State.REFUSED]
    return f"Restart what was not restarted: {', '.join(names)}." if names and facts["turn"] != ESCALATED else ""


def _opened(facts: Facts) -> str:
    if facts["kind"] == TESTED:
        return f"Nothing was rotated. {_LOG}, mend what it says, and test again."
    return f"{_LOG}, if it cannot wait. AWS tries again by itself; you are told once more, when this is over."


def _recovered(facts: Facts) -> str:
    return {
        Outcome.ROLLED_FORWARD: f"Nothing is lost. {_LOG} at testSecret and finishSecret: it died there.",
        Outcome.FALLEN_BACK: "Find out before the next rotation what became of the value that should be in use: "
        "applications work with the one before it.",
    }.get(facts["outcome"], f"Nothing. If this comes back: {_LOG.lower()} of the time of the first failure.")


def _held(facts: Facts) -> str:
    return (
        "Mend what so many have in common, and AWS's own next try works. What is still stuck in an hour: "
        f"{_rotate(facts)}. maxActionsPerHour is the limit, if it is too low."
    )


def _escalated(facts: Facts) -> str:
    if facts["error"] or (facts["reason"] or "").startswith(_BROKEN):
        return (
            "Look in the execution for the step that failed; mostly it lacks a permission. The next rotation of this "
            "secret that fails opens a new incident."
        )
    if any(entry["state"] not in (State.SETTLED, State.REFUSED) for entry in facts["restarts"]):
        return (
            "AWSCURRENT has moved, and what uses it may run with the old value: look at its events, and restart it "
            "by hand."
        )
    last = next((one for one in reversed(facts["actions"]) if one["action"] != "restart"), {"action": ""})
    if (last.get("outcome") or "").startswith(_OFF):
        return _RULES["rotation off"](facts)
    if (last.get("outcome") or "").startswith(_REFUSALS):
        return (
            "If access was denied: look at the secret's tag, at its own policy, and for a retry whether its rotation "
            f"function is in rotationFunctions. Then: {_rotate(facts)}."
        )
    return _RULES.get(last.get("rule") or "", _mend)(facts)


def _missing(facts: Facts) -> str:
    return (
        "Check which version works, and whether a rotation is unfinished: aws secretsmanager describe-secret "
        f"--secret-id {_name(facts)}. Find out who deleted the row. The next failure opens a new incident."
    )


def _mend(facts: Facts) -> str:
    step = f" at {facts['failed_step']}" if facts["failed_step"] else ""
    return f"{_LOG}{step}, mend what it says, and rotate: {_rotate(facts)}."


def _nothing_works(facts: Facts) -> str:
    return (
        "Log in as the database's administrator, set the user's password to the value of AWSPENDING if it has one, of "
        f"AWSCURRENT otherwise, and rotate: {_rotate(facts)}."
    )


def _stopped(facts: Facts) -> str:
    return f"When repairs may go on: rotation-guard remediation go. Until then: {_mend(facts)}"


def _orphaned(facts: Facts) -> str:
    return f"Find out why it keeps failing, mend that, and: rotation-guard incidents release {_name(facts)}."


_RULES: dict[str, Callable[[Facts], str]] = {
    "moved in vain": lambda _: (
        "Try the versions that hold AWSCURRENT and AWSPREVIOUS yourself: the probe has said both of the one that it "
        "moved to. Then mend the probe, or the password."
    ),
    "untouchable": lambda _: (
        "Repair it where it is rotated: by the service or the partner that owns it, or in its primary Region. If it "
        "could not be read, see whether its own policy denies that."
    ),
    "test only": lambda _: f"{_LOG}, mend what it says, and test again.",
    "exhausted": lambda facts: (
        f"See what was decided over and over: rotation-guard incidents show {_name(facts)}. Then: {_mend(facts)}"
    ),
    "stopped": _stopped,
    "orphaned": _orphaned,
    "notify": lambda facts: (
        f"{_mend(facts)} Next time rotation-guard does that, if the secret is tagged rotation-guard:remediation=retry "
        "and remediationMode allows it."
    ),
    "no AWSCURRENT": lambda _: "Put AWSCURRENT on the version that works; log in with it first.",
    "nothing works": _nothing_works,
    "rotation off": lambda facts: (
        f"See who switched its rotation off, and why; to switch it on and rotate at once: {_rotate(facts)}."
    ),
    "retries used up": _mend,
}
"""By the rule of handlers/domain/decisions.py that ended it."""
_TURNS: dict[str, Callable[[Facts], str]] = {
    OPENED: _opened,
    RETRIED: lambda _: "Nothing: what comes of it is looked at.",
    RECOVERED: _recovered,
    RESTARTED: lambda _: "Nothing: no rotation failed.",
    ESCALATED: _escalated,
    REMINDER: _escalated,
    RESOLVED: lambda _: "No action required.",
    MISSING: _missing,
    HELD: _held,
    HELD_BURST: _held,
    UNIDENTIFIED: lambda _: (
        "Look into the whole event, on the failures topic or in the audit trail, and into CloudTrail at that second."
    ),
}


def _rotate(facts: Facts) -> str:
    return f"aws secretsmanager rotate-secret --secret-id {_name(facts)}"


def _name(facts: Facts) -> str:
    """As a shell takes it, whatever it is."""
    return shlex.quote(facts["secret_name"]) if facts["secret_name"] else "NAME"
