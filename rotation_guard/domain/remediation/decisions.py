"""What is to be done about an incident: one decision, the first in a list of rules that fits.

The facts behind it are in docs/aws-facts.md, section 2; docs/remediation.md shows all of it as tables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Mode(StrEnum):
    """How far remediation may go, each further than the one before."""

    NOTIFY = "notify"
    """Only tell."""
    RETRY = "retry"
    """Ask for the rotation again too."""
    REPAIR = "repair"
    """Move AWSCURRENT too."""


class Proof(StrEnum):
    """What a probe says of the version that holds a label."""

    WORKS = "works"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """Nobody asked, or the answer was no answer: never a proof of anything."""
    ABSENT = "absent"
    """No version holds the label."""


class Action(StrEnum):
    """What is done next."""

    RECOVERED = "recovered"
    """The incident ends by itself."""
    FINISH = "finish"
    """The incident ends by what it has done."""
    RETRY = "retry"
    """RotateSecret, with the secret alone."""
    ROLL_FORWARD = "roll forward"
    """AWSCURRENT moves to the version that holds AWSPENDING."""
    FALL_BACK = "fall back"
    """AWSCURRENT moves to the version that holds AWSPREVIOUS."""
    WAIT = "wait"
    """Until the change window opens; then everything is looked at anew."""
    BACK_OFF = "back off"
    """Until the next retry is due; then everything is looked at anew."""
    HOLD = "hold"
    """The incident ends without what it needed, as one of too many."""
    ESCALATE = "escalate"
    """The incident ends with a human."""


@dataclass(frozen=True)
class Situation:
    """All that a decision rests on."""

    mode: Mode
    failed_step: str | None
    current: Proof
    pending: Proof
    """Of a version that holds AWSPENDING and not AWSCURRENT."""
    previous: Proof
    users: str = "unknown"
    """`single`, `alternating` or `unknown`."""
    recovered: bool = False
    """Whether a rotation was completed, or AWSCURRENT moved, since the incident's failures."""
    untouchable: str = ""
    """Why the secret is not to be touched, in a sentence."""
    test_only: bool = False
    rotation_on: bool = True
    fallback_allowed: bool = False
    attempts: int = 0
    """Calls of RotateSecret that this incident has made."""
    max_retries: int = 3
    moved: str = ""
    """`holds` or `gone` once this incident has moved AWSCURRENT: it is still there, or somebody has moved it on."""
    stopped: bool = False
    orphaned: bool = False
    backing_off: bool = False
    """Whether a retry has just failed, and the next one is not due yet."""
    window_open: bool = True
    capped: bool = False
    """Whether the account's actions of this hour are used up."""
    exhausted: bool = False
    """Whether this incident has made more decisions than one that ends could need."""


@dataclass(frozen=True)
class Decision:
    """What is to be done, and why."""

    action: Action
    reason: str
    """In a sentence."""
    rule: str
    """The name of the rule that says so."""


def decide(situation: Situation) -> Decision:
    """The decision for one situation: the first rule that fits, and the last one always does."""
    rule = next(rule for rule in RULES if rule.fits(situation))
    return Decision(rule.action, rule.reason(situation), rule.name)


def wanted(situation: Situation) -> Action:
    """What the evidence alone asks for: `ROLL_FORWARD`, `FALL_BACK` or `RETRY`.

    AWSCURRENT moves once per incident, away from a version that is proven broken, to one that is proven to work.
    """
    if situation.mode is Mode.REPAIR and situation.current is Proof.BROKEN and not situation.moved:
        if situation.pending is Proof.WORKS:
            return Action.ROLL_FORWARD
        if situation.previous is Proof.WORKS and situation.fallback_allowed:
            return Action.FALL_BACK
    return Action.RETRY


# --- when a rule fits, where that takes more than a word --------------------------------------------------------------


def _not_disproved(s: Situation) -> bool:
    return s.current in (Proof.WORKS, Proof.UNKNOWN)


def _no_login_proven(s: Situation) -> bool:
    # Some of AWS's rotation functions would try AWSPREVIOUS as the last login. That is a kind of falling back too, and
    # not for a retry to choose.
    # (https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas, SecretsManagerRDSMySQLRotationSingleUser)
    broken = s.current is Proof.BROKEN and s.pending in (Proof.BROKEN, Proof.ABSENT)
    return broken and wanted(s) is Action.RETRY


# --- what a rule says -------------------------------------------------------------------------------------------------

_DOING = {
    Action.RETRY: "The retry",
    Action.ROLL_FORWARD: "Moving AWSCURRENT forward to AWSPENDING",
    Action.FALL_BACK: "Moving AWSCURRENT back to AWSPREVIOUS",
}


def _is_good(s: Situation) -> str:
    return "a probe proved that it works" if s.current is Proof.WORKS else "no probe says that it does not work"


def _nothing_works(s: Situation) -> str:
    pending = "neither does AWSPENDING" if s.pending is Proof.BROKEN else "no version holds AWSPENDING"
    rest = _but_previous(s) or ", so a retry has no login to begin with"
    return f"AWSCURRENT does not work and {pending}{rest}."


def _standing(s: Situation) -> str:
    """What is known when a retry is all that may be done, as a clause."""
    if s.current is Proof.WORKS:
        return f"AWSCURRENT works, so nothing is broken yet, but {s.failed_step or 'the rotation'} fails"
    if s.current is Proof.UNKNOWN:
        # The password of a single user is changed in setSecret, and AWSCURRENT follows only at the end.
        late = s.users == "single" and s.failed_step in ("testSecret", "finishSecret")
        likely = f", which is likely to have stopped since {s.failed_step} failed" if late else ""
        return f"no probe tells whether AWSCURRENT works{likely}, and unproven no label is moved"
    if s.pending is Proof.WORKS:
        return f"AWSCURRENT does not work and AWSPENDING does, but {_hindrance(s)}"
    return f"AWSCURRENT does not work, and no probe tells whether AWSPENDING does{_but_previous(s)}"


def _but_previous(s: Situation) -> str:
    return f"; AWSPREVIOUS works, but {_hindrance(s)}" if s.previous is Proof.WORKS else ""


def _hindrance(s: Situation) -> str:
    """Why AWSCURRENT does not move to a version that works."""
    if s.moved:
        return "this incident has moved AWSCURRENT once already"
    if s.mode is not Mode.REPAIR:
        return "only repair mode would move AWSCURRENT there"
    return "the secret has no tag rotation-guard:fallback=allowed"


# --- the rules --------------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """What to do when this is so."""

    name: str
    case: str
    """When it fits, in words."""
    fits: Callable[[Situation], bool]
    action: Action
    reason: Callable[[Situation], str]
    """Why, as a sentence for whoever is woken by it."""


RULES = (
    Rule(
        "moved in vain",
        "this incident moved AWSCURRENT, it is still there, and does not work",
        lambda s: s.moved == "holds" and s.current is Proof.BROKEN,
        Action.ESCALATE,
        lambda _: "AWSCURRENT does not work on the version that it was moved to, and moves only once per incident.",
    ),
    Rule(
        "moved",
        "this incident moved AWSCURRENT, it is still there, and is not disproved",
        lambda s: s.moved == "holds" and _not_disproved(s),
        Action.FINISH,
        lambda s: f"AWSCURRENT is on the version that this incident moved it to, and {_is_good(s)}.",
    ),
    Rule(
        "recovered",
        "a rotation was completed, or AWSCURRENT moved, since the failure, and AWSCURRENT is not disproved",
        lambda s: s.recovered and _not_disproved(s),
        Action.RECOVERED,
        lambda s: f"Since the failure AWSCURRENT has been moved or a rotation completed, and {_is_good(s)}.",
    ),
    Rule(
        "untouchable",
        "the secret belongs to a service or a partner, is a replica, is deleted, or cannot be read",
        lambda s: bool(s.untouchable),
        Action.ESCALATE,
        lambda s: s.untouchable,
    ),
    Rule(
        "no AWSCURRENT",
        "no version holds AWSCURRENT",
        lambda s: s.current is Proof.ABSENT,
        Action.ESCALATE,
        lambda _: "No version holds AWSCURRENT, so there is nothing that it could be moved away from.",
    ),
    Rule(
        "test only",
        "only the test of a rotation failed",
        lambda s: s.test_only,
        Action.ESCALATE,
        lambda _: (
            "Only the test of the rotation's settings failed: nothing was rotated, and nothing is to be repaired."
        ),
    ),
    Rule(
        "exhausted",
        "this incident has been decided more often than one that ends could need",
        lambda s: s.exhausted,
        Action.ESCALATE,
        lambda _: "This incident has been decided too many times without coming to an end.",
    ),
    Rule(
        "stopped",
        "the kill switch does not say `go`",
        lambda s: s.stopped,
        Action.ESCALATE,
        lambda _: "The kill switch says stop, so nothing is touched until its parameter says go again.",
    ),
    Rule(
        "orphaned",
        "the breaker has given the secret up, and nobody has released it",
        lambda s: s.orphaned,
        Action.ESCALATE,
        lambda _: "Incident followed incident without a success, so this secret is not touched until it is released.",
    ),
    Rule(
        "notify",
        "the mode is `notify`",
        lambda s: s.mode is Mode.NOTIFY,
        Action.ESCALATE,
        lambda _: "Nothing may be done about this secret but tell: its mode is notify.",
    ),
    Rule(
        "nothing works",
        "AWSCURRENT is broken, AWSPENDING broken or absent, and falling back is not proven or not allowed",
        _no_login_proven,
        Action.ESCALATE,
        _nothing_works,
    ),
    Rule(
        "rotation off",
        "a retry is wanted, and rotation is switched off",
        lambda s: wanted(s) is Action.RETRY and not s.rotation_on,
        Action.ESCALATE,
        lambda s: f"Rotation is off, and a retry would switch it on: {_standing(s)}.",
    ),
    Rule(
        "retries used up",
        "a retry is wanted, and `maxRetries` are made",
        lambda s: wanted(s) is Action.RETRY and s.attempts >= s.max_retries,
        Action.ESCALATE,
        lambda s: f"No retry is left ({s.attempts} made of {s.max_retries}): {_standing(s)}.",
    ),
    Rule(
        "backing off",
        "a retry is wanted, and the one before has just failed",
        lambda s: wanted(s) is Action.RETRY and s.backing_off,
        Action.BACK_OFF,
        lambda s: f"Retry {s.attempts + 1} of {s.max_retries} is made after a back-off: {_standing(s)}.",
    ),
    Rule(
        "window closed",
        "the change window is closed",
        lambda s: not s.window_open,
        Action.WAIT,
        lambda s: f"{_DOING[wanted(s)]} waits until the change window opens.",
    ),
    Rule(
        "held",
        "`maxActionsPerHour` are made in this account",
        lambda s: s.capped,
        Action.HOLD,
        lambda s: f"{_DOING[wanted(s)]} was not done: this account's maxActionsPerHour are used up.",
    ),
    Rule(
        "roll forward",
        "mode `repair`, AWSCURRENT is broken, AWSPENDING works, and this incident has not moved AWSCURRENT",
        lambda s: wanted(s) is Action.ROLL_FORWARD,
        Action.ROLL_FORWARD,
        lambda _: "A probe proved that AWSCURRENT does not work and AWSPENDING does, so AWSCURRENT moves there.",
    ),
    Rule(
        "fall back",
        "the same, where AWSPENDING is not proven, AWSPREVIOUS works, and the secret's tag allows falling back",
        lambda s: wanted(s) is Action.FALL_BACK,
        Action.FALL_BACK,
        lambda _: "A probe proved that AWSCURRENT does not work and AWSPREVIOUS does, and its tag allows to fall back.",
    ),
    Rule(
        "retry",
        "otherwise",
        lambda _: True,
        Action.RETRY,
        lambda s: f"Retry {s.attempts + 1} of {s.max_retries}: {_standing(s)}.",
    ),
)
"""In the order in which they are tried: first what ends or forbids, then what the evidence asks for."""
