"""Decides what to do about an incident: the first rule in a list that applies.

docs/aws-facts.md, section 2, has the facts behind the rules; docs/remediation.md shows the rules as tables.

Names of rules and actions are stored in rows, so some strings differ from the names in this module: the rule
`orphaned` suspends repairs, `held` is the rate limit, `untouchable` is an unsupported secret, `exhausted` is the
decision limit, and the action `fall back` rolls AWSCURRENT back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Mode(StrEnum):
    """How far remediation may go; each mode includes the ones before it."""

    NOTIFY = "notify"
    """Only notify."""
    RETRY = "retry"
    """Retry the rotation."""
    REPAIR = "repair"
    """Move AWSCURRENT."""


class Proof(StrEnum):
    """What a probe said about the version with a label."""

    WORKS = "works"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """No probe was called, or its answer was invalid. It proves nothing."""
    ABSENT = "absent"
    """No version has the label."""


class Action(StrEnum):
    """The next action."""

    RECOVERED = "recovered"
    """End the incident: the secret recovered without a repair."""
    FINISH = "finish"
    """End the incident: its repair succeeded."""
    RETRY = "retry"
    """Call RotateSecret, with the secret's ARN alone."""
    ROLL_FORWARD = "roll forward"
    """Move AWSCURRENT to the version with AWSPENDING."""
    ROLL_BACK = "fall back"
    """Move AWSCURRENT to the version with AWSPREVIOUS."""
    WAIT = "wait"
    """Wait until the change window opens, then diagnose again."""
    BACK_OFF = "back off"
    """Wait until the next retry is due, then diagnose again."""
    RATE_LIMIT = "hold"
    """End the incident unrepaired: the hourly action limit is reached."""
    ESCALATE = "escalate"
    """End the incident and notify the on-call engineer."""


@dataclass(frozen=True)
class Situation:
    """All facts that a decision depends on."""

    mode: Mode
    failed_step: str | None
    current: Proof
    pending: Proof
    """Of a version that has AWSPENDING and not AWSCURRENT."""
    previous: Proof
    rotation_strategy: str = "unknown"
    """`single`, `alternating` or `unknown`."""
    has_recovered: bool = False
    """Whether a rotation completed, or AWSCURRENT moved, after the incident's failures."""
    unsupported_reason: str = ""
    """Why the secret cannot be repaired, as a sentence."""
    is_test_only: bool = False
    is_rotation_enabled: bool = True
    is_rollback_allowed: bool = False
    attempts: int = 0
    """RotateSecret calls of this incident."""
    max_retries: int = 3
    move_state: str = ""
    """After this incident moved AWSCURRENT: `holds` if it is still there, `gone` if somebody moved it away."""
    is_stopped: bool = False
    is_suspended: bool = False
    is_backing_off: bool = False
    """Whether a retry has just failed and the next one is not due yet."""
    is_window_open: bool = True
    is_rate_limited: bool = False
    """Whether the account's hourly action limit is reached."""
    is_decision_limit_reached: bool = False
    """Whether this incident has had more decisions than any incident that ends needs."""


@dataclass(frozen=True)
class Decision:
    """An action and the reason for it."""

    action: Action
    reason: str
    """A sentence."""
    rule: str
    """The name of the rule that applied."""


def decide(situation: Situation) -> Decision:
    """Apply the first rule that matches; the last rule always matches."""
    rule = next(rule for rule in RULES if rule.matches(situation))
    return Decision(rule.action, rule.reason(situation), rule.name)


def choose_repair(situation: Situation) -> Action:
    """The repair that the evidence supports: `ROLL_FORWARD`, `ROLL_BACK` or `RETRY`.

    AWSCURRENT moves once per incident, from a version that is proven broken to one that is proven to work.
    """
    if situation.mode is Mode.REPAIR and situation.current is Proof.BROKEN and not situation.move_state:
        if situation.pending is Proof.WORKS:
            return Action.ROLL_FORWARD
        if situation.previous is Proof.WORKS and situation.is_rollback_allowed:
            return Action.ROLL_BACK
    return Action.RETRY


# --- conditions -------------------------------------------------------------------------------------------------------


def _may_work(s: Situation) -> bool:
    return s.current in (Proof.WORKS, Proof.UNKNOWN)


def _has_no_working_login(s: Situation) -> bool:
    # Some of AWS's rotation functions try AWSPREVIOUS as the last login. That is a rollback too, and a retry must not
    # choose it.
    # (https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas, SecretsManagerRDSMySQLRotationSingleUser)
    broken = s.current is Proof.BROKEN and s.pending in (Proof.BROKEN, Proof.ABSENT)
    return broken and choose_repair(s) is Action.RETRY


# --- reasons ----------------------------------------------------------------------------------------------------------

_REPAIR_NAMES = {
    Action.RETRY: "The retry",
    Action.ROLL_FORWARD: "Moving AWSCURRENT forward to AWSPENDING",
    Action.ROLL_BACK: "Moving AWSCURRENT back to AWSPREVIOUS",
}


def _describe_current(s: Situation) -> str:
    return "a probe proved that it works" if s.current is Proof.WORKS else "no probe says that it is broken"


def _explain_no_login(s: Situation) -> str:
    pending = "neither does AWSPENDING" if s.pending is Proof.BROKEN else "no version has AWSPENDING"
    rest = _describe_previous(s) or ", so a retry has no working login"
    return f"AWSCURRENT does not work and {pending}{rest}."


def _describe_evidence(s: Situation) -> str:
    """The evidence when only a retry is possible, as a clause."""
    if s.current is Proof.WORKS:
        return f"AWSCURRENT works, so nothing is broken yet, but {s.failed_step or 'the rotation'} fails"
    if s.current is Proof.UNKNOWN:
        # The password of a single user is changed in setSecret, and AWSCURRENT follows only at the end.
        is_late = s.rotation_strategy == "single" and s.failed_step in ("testSecret", "finishSecret")
        likely = f" (it probably does not, because {s.failed_step} failed)" if is_late else ""
        return f"no probe has proved whether AWSCURRENT works{likely}, and labels move only on proof"
    if s.pending is Proof.WORKS:
        return f"AWSCURRENT does not work and AWSPENDING does, but {_explain_no_move(s)}"
    return f"AWSCURRENT does not work and AWSPENDING is unproven{_describe_previous(s)}"


def _describe_previous(s: Situation) -> str:
    return f"; AWSPREVIOUS works, but {_explain_no_move(s)}" if s.previous is Proof.WORKS else ""


def _explain_no_move(s: Situation) -> str:
    """Why AWSCURRENT does not move to a version that works."""
    if s.move_state:
        return "this incident has already moved AWSCURRENT once"
    if s.mode is not Mode.REPAIR:
        return "only repair mode moves AWSCURRENT there"
    return "the secret has no tag rotation-guard:fallback=allowed"


# --- the rules --------------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """An action and the situations in which it is taken."""

    name: str
    case: str
    """When it applies, in words."""
    matches: Callable[[Situation], bool]
    action: Action
    reason: Callable[[Situation], str]
    """Why, as a sentence for the on-call engineer."""


RULES = (
    Rule(
        "moved in vain",
        "this incident moved AWSCURRENT, it is still there, and it does not work",
        lambda s: s.move_state == "holds" and s.current is Proof.BROKEN,
        Action.ESCALATE,
        lambda _: "The version that AWSCURRENT was moved to does not work; it is moved only once per incident.",
    ),
    Rule(
        "moved",
        "this incident moved AWSCURRENT, it is still there, and it is not proven broken",
        lambda s: s.move_state == "holds" and _may_work(s),
        Action.FINISH,
        lambda s: f"AWSCURRENT is on the version that this incident moved it to, and {_describe_current(s)}.",
    ),
    Rule(
        "recovered",
        "a rotation completed, or AWSCURRENT moved, since the failure, and AWSCURRENT is not proven broken",
        lambda s: s.has_recovered and _may_work(s),
        Action.RECOVERED,
        lambda s: f"AWSCURRENT moved or a rotation completed since the failure, and {_describe_current(s)}.",
    ),
    Rule(
        "untouchable",
        "the secret belongs to a service or a partner, is a replica, is deleted, or cannot be read",
        lambda s: bool(s.unsupported_reason),
        Action.ESCALATE,
        lambda s: s.unsupported_reason,
    ),
    Rule(
        "no AWSCURRENT",
        "no version has AWSCURRENT",
        lambda s: s.current is Proof.ABSENT,
        Action.ESCALATE,
        lambda _: "No version has AWSCURRENT, so remediation cannot move the label.",
    ),
    Rule(
        "test only",
        "only the test of a rotation failed",
        lambda s: s.is_test_only,
        Action.ESCALATE,
        lambda _: "Only the test of the rotation's settings failed: nothing was rotated, so nothing needs a repair.",
    ),
    Rule(
        "exhausted",
        "this incident has had more decisions than any incident that ends needs",
        lambda s: s.is_decision_limit_reached,
        Action.ESCALATE,
        lambda _: "The incident reached its limit of decisions without coming to an end.",
    ),
    Rule(
        "stopped",
        "the kill switch does not say `go`",
        lambda s: s.is_stopped,
        Action.ESCALATE,
        lambda _: "The kill switch says stop: nothing is repaired until its parameter says go.",
    ),
    Rule(
        "orphaned",
        "the circuit breaker suspended repairs of the secret, and no operator has released it",
        lambda s: s.is_suspended,
        Action.ESCALATE,
        lambda _: (
            "Repairs of this secret are suspended until an operator releases it: too many incidents in a row failed."
        ),
    ),
    Rule(
        "notify",
        "the mode is `notify`",
        lambda s: s.mode is Mode.NOTIFY,
        Action.ESCALATE,
        lambda _: "The mode of this secret is notify, so remediation only notifies.",
    ),
    Rule(
        "nothing works",
        "AWSCURRENT is broken, AWSPENDING is broken or absent, and a rollback is not proven or not allowed",
        _has_no_working_login,
        Action.ESCALATE,
        _explain_no_login,
    ),
    Rule(
        "rotation off",
        "a retry is due, and rotation is switched off",
        lambda s: choose_repair(s) is Action.RETRY and not s.is_rotation_enabled,
        Action.ESCALATE,
        lambda s: f"Rotation is switched off, and a retry would switch it on: {_describe_evidence(s)}.",
    ),
    Rule(
        "retries used up",
        "a retry is due, and `maxRetries` retries have been made",
        lambda s: choose_repair(s) is Action.RETRY and s.attempts >= s.max_retries,
        Action.ESCALATE,
        lambda s: f"No retry is left ({s.attempts} of {s.max_retries} made): {_describe_evidence(s)}.",
    ),
    Rule(
        "backing off",
        "a retry is due, and the previous one has just failed",
        lambda s: choose_repair(s) is Action.RETRY and s.is_backing_off,
        Action.BACK_OFF,
        lambda s: f"Retry {s.attempts + 1} of {s.max_retries} waits for its back-off: {_describe_evidence(s)}.",
    ),
    Rule(
        "window closed",
        "the change window is closed",
        lambda s: not s.is_window_open,
        Action.WAIT,
        lambda s: f"{_REPAIR_NAMES[choose_repair(s)]} waits until the change window opens.",
    ),
    Rule(
        "held",
        "the account has reached `maxActionsPerHour`",
        lambda s: s.is_rate_limited,
        Action.RATE_LIMIT,
        lambda s: f"{_REPAIR_NAMES[choose_repair(s)]} is rate limited: this account has reached maxActionsPerHour.",
    ),
    Rule(
        "roll forward",
        "mode `repair`, AWSCURRENT is broken, AWSPENDING works, and this incident has not moved AWSCURRENT",
        lambda s: choose_repair(s) is Action.ROLL_FORWARD,
        Action.ROLL_FORWARD,
        lambda _: "A probe proved that AWSCURRENT does not work and AWSPENDING does, so AWSCURRENT moves there.",
    ),
    Rule(
        "fall back",
        "as above, but AWSPENDING is not proven, AWSPREVIOUS works, and the secret's tag allows a rollback",
        lambda s: choose_repair(s) is Action.ROLL_BACK,
        Action.ROLL_BACK,
        lambda _: (
            "A probe proved that AWSCURRENT does not work and AWSPREVIOUS does, and the secret's tag allows a rollback."
        ),
    ),
    Rule(
        "retry",
        "otherwise",
        lambda _: True,
        Action.RETRY,
        lambda s: f"Retry {s.attempts + 1} of {s.max_retries}: {_describe_evidence(s)}.",
    ),
)
"""In order: first the rules that end the incident or forbid a repair, then those that follow the evidence."""
