"""The decision about an incident: invariants in every situation, and examples."""

import re
from dataclasses import replace
from itertools import product

import pytest

from rotation_guard.domain.remediation.decisions import RULES, Action, Mode, Proof, Situation, decide

WORKS, BROKEN, UNKNOWN, ABSENT = Proof
NOTIFY, RETRY, REPAIR = Mode
BOTH = (False, True)
STEPS = (None, "createSecret", "setSecret", "testSecret", "finishSecret")
STRATEGIES = ("unknown", "single", "alternating")
NOTIFIES_OR_ENDS = {Action.ESCALATE, Action.RECOVERED, Action.FINISH}
WAITS_OR_ENDS = NOTIFIES_OR_ENDS | {Action.WAIT, Action.BACK_OFF, Action.RATE_LIMIT}
MOVES_TO = {Action.ROLL_FORWARD: "pending", Action.ROLL_BACK: "previous"}
PROHIBITIONS = {
    "unsupported_reason": "It is a replica: repair its primary in us-east-1.",
    "is_test_only": True,
    "is_decision_limit_reached": True,
    "is_stopped": True,
    "is_suspended": True,
}
DELAYS = {
    False: tuple(product(BOTH, BOTH, BOTH)),
    True: ((False, True, False), (True, False, True)),
}
"""Whether something forbids a repair -> whether the retry backs off, the window is open, and the limit is reached."""
MODE_RULES = {
    NOTIFY: {
        "moved in vain",
        "moved",
        "recovered",
        "untouchable",
        "no AWSCURRENT",
        "test only",
        "exhausted",
        "stopped",
        "orphaned",
    }
    | {"notify"},
    RETRY: {rule.name for rule in RULES} - {"notify", "roll forward", "fall back"},
    REPAIR: {rule.name for rule in RULES} - {"notify"},
}
"""The rules that can match in each mode."""
A_SENTENCE = re.compile(r"[A-Z][^.]{20,200}[^. ]\.")


def situations(mode, prohibitions):
    """Every combination but for the failed step and the strategy, which only change the wording.

    Attempts are the last with a retry left and the first without. Where something forbids a repair, either nothing or
    everything else delays it as well.
    """
    for (
        current,
        pending,
        previous,
        recovered,
        rotation,
        is_allowed,
        attempts,
        move_state,
        prohibition,
    ) in product(Proof, Proof, Proof, BOTH, BOTH, BOTH, (2, 3), ("", "holds", "gone"), prohibitions):
        for is_backing_off, window, is_rate_limited in DELAYS[bool(prohibition)]:
            yield Situation(
                mode,
                "setSecret",
                current,
                pending,
                previous,
                has_recovered=recovered,
                is_rotation_enabled=rotation,
                is_rollback_allowed=is_allowed,
                attempts=attempts,
                move_state=move_state,
                is_window_open=window,
                is_rate_limited=is_rate_limited,
                is_backing_off=is_backing_off,
                **prohibition,
            )


def situation(mode=REPAIR, current=UNKNOWN, pending=UNKNOWN, previous=UNKNOWN, failed_step="setSecret", **more):
    return Situation(mode, failed_step, current, pending, previous, **more)


# --- in every situation -----------------------------------------------------------------------------------------------


def awscurrent_moves_only_from_a_broken_version_to_a_working_one(case, decision):
    if decision.action not in MOVES_TO:
        return True
    proven = case.current is BROKEN and getattr(case, MOVES_TO[decision.action]) is WORKS
    return proven and case.mode is REPAIR


def awscurrent_moves_once(case, decision):
    return decision.action not in MOVES_TO or case.move_state == ""


def it_rolls_back_only_if_allowed_and_it_cannot_roll_forward(case, decision):
    return decision.action is not Action.ROLL_BACK or (case.is_rollback_allowed and case.pending is not WORKS)


def without_permission_to_repair_it_notifies_or_ends(case, decision):
    if decision.action in NOTIFIES_OR_ENDS:
        return True
    return (
        case.mode is not NOTIFY and not any(getattr(case, name) for name in PROHIBITIONS) and case.current is not ABSENT
    )


def a_retry_needs_rotation_to_be_on_and_a_retry_left(case, decision):
    return decision.action is not Action.RETRY or (case.is_rotation_enabled and case.attempts < case.max_retries)


def a_retry_needs_a_working_login(case, decision):
    has_no_login = case.current is BROKEN and case.pending in (BROKEN, ABSENT)
    return decision.action is not Action.RETRY or not has_no_login


def nothing_is_repaired_outside_the_window_or_above_the_rate_limit(case, decision):
    return decision.action in WAITS_OR_ENDS or (case.is_window_open and not case.is_rate_limited)


def it_waits_only_for_the_window_and_is_rate_limited_only_by_the_limit(case, decision):
    if decision.action is Action.WAIT:
        return not case.is_window_open
    return decision.action is not Action.RATE_LIMIT or (case.is_window_open and case.is_rate_limited)


def it_waits_or_is_rate_limited_only_before_a_repair(case, decision):
    if decision.action not in (Action.WAIT, Action.RATE_LIMIT):
        return True
    return decide(replace(case, is_window_open=True, is_rate_limited=False)).action in (Action.RETRY, *MOVES_TO)


def it_backs_off_only_before_a_retry(case, decision):
    if decision.action is Action.RETRY:
        return not case.is_backing_off
    if decision.action is not Action.BACK_OFF:
        return True
    after_backoff = decide(replace(case, is_backing_off=False, is_window_open=True, is_rate_limited=False))
    return case.is_backing_off and after_backoff.action is Action.RETRY


def it_ends_as_recovered_only_for_a_reason_and_never_on_a_broken_version(case, decision):
    if decision.action not in (Action.RECOVERED, Action.FINISH):
        return True
    cause = case.has_recovered if decision.action is Action.RECOVERED else case.move_state == "holds"
    return cause and case.current in (WORKS, UNKNOWN)


def a_move_that_still_holds_ends_it(case, decision):
    return case.move_state != "holds" or case.current is ABSENT or decision.action in NOTIFIES_OR_ENDS


def it_gives_its_reason_in_a_sentence(_, decision):
    return A_SENTENCE.fullmatch(decision.reason) is not None


INVARIANTS = (
    awscurrent_moves_only_from_a_broken_version_to_a_working_one,
    awscurrent_moves_once,
    it_rolls_back_only_if_allowed_and_it_cannot_roll_forward,
    without_permission_to_repair_it_notifies_or_ends,
    a_retry_needs_rotation_to_be_on_and_a_retry_left,
    a_retry_needs_a_working_login,
    nothing_is_repaired_outside_the_window_or_above_the_rate_limit,
    it_waits_only_for_the_window_and_is_rate_limited_only_by_the_limit,
    it_waits_or_is_rate_limited_only_before_a_repair,
    it_backs_off_only_before_a_retry,
    it_ends_as_recovered_only_for_a_reason_and_never_on_a_broken_version,
    a_move_that_still_holds_ends_it,
    it_gives_its_reason_in_a_sentence,
)


@pytest.mark.parametrize("mode", Mode)
def test_every_invariant_holds_in_every_situation(mode):
    prohibitions = ({}, *({name: value} for name, value in PROHIBITIONS.items()), PROHIBITIONS)
    matched_rules = set()

    for case in situations(mode, prohibitions):
        decision = decide(case)
        matched_rules.add(decision.rule)
        violated = [invariant.__name__ for invariant in INVARIANTS if not invariant(case, decision)]
        assert not violated, (case, decision)

    assert matched_rules == MODE_RULES[mode]


def test_every_rule_applies_in_some_mode():
    assert set.union(*MODE_RULES.values()) == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("mode", [RETRY, REPAIR])
def test_nothing_is_repaired_while_anything_forbids_it(mode):
    repairs = [case for case in situations(mode, [{}]) if decide(case).action not in NOTIFIES_OR_ENDS]
    combinations = [
        {name: PROHIBITIONS[name] for name, is_chosen in zip(PROHIBITIONS, chosen, strict=True) if is_chosen}
        for chosen in product(BOTH, repeat=len(PROHIBITIONS))
        if any(chosen)
    ]

    assert repairs
    assert len(combinations) == 31
    for case in repairs:
        for prohibition in combinations:
            assert decide(replace(case, **prohibition)).action in NOTIFIES_OR_ENDS


def test_the_failed_step_and_the_strategy_change_only_the_wording():
    for mode, current, pending, previous, is_allowed, attempts in product(Mode, Proof, Proof, Proof, BOTH, (0, 3)):
        case = Situation(mode, None, current, pending, previous, is_rollback_allowed=is_allowed, attempts=attempts)
        base = decide(case)
        for step, strategy in product(STEPS, STRATEGIES):
            variant = decide(replace(case, failed_step=step, rotation_strategy=strategy))
            assert (variant.action, variant.rule) == (base.action, base.rule)
            assert A_SENTENCE.fullmatch(variant.reason), variant


# --- the state after each failed step (docs/aws-facts.md, section 2) --------------------------------------------------


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # createSecret: AWSCURRENT works, AWSPREVIOUS does not.
        (situation(failed_step="createSecret", current=WORKS, pending=BROKEN, previous=BROKEN), Action.RETRY),
        (situation(failed_step="createSecret", current=UNKNOWN, pending=ABSENT), Action.RETRY),
        # setSecret, single user: unknown without proof.
        (situation(rotation_strategy="single", current=BROKEN, pending=WORKS, previous=BROKEN), Action.ROLL_FORWARD),
        (situation(rotation_strategy="single", current=WORKS, pending=BROKEN, previous=BROKEN), Action.RETRY),
        (situation(rotation_strategy="single", current=BROKEN, pending=BROKEN, previous=BROKEN), Action.ESCALATE),
        (situation(rotation_strategy="single"), Action.RETRY),
        # setSecret, alternating users: AWSCURRENT works, AWSPREVIOUS maybe.
        (situation(rotation_strategy="alternating", current=WORKS, pending=BROKEN, previous=WORKS), Action.RETRY),
        # testSecret and finishSecret, single user: only AWSPENDING works.
        *(
            (
                situation(failed_step=step, rotation_strategy="single", current=BROKEN, pending=WORKS, previous=BROKEN),
                Action.ROLL_FORWARD,
            )
            for step in ("testSecret", "finishSecret")
        ),
        # testSecret and finishSecret, alternating users: AWSCURRENT works, and what works is not moved away from.
        *(
            (situation(failed_step=step, rotation_strategy="alternating", current=WORKS, pending=WORKS), Action.RETRY)
            for step in ("testSecret", "finishSecret")
        ),
        # The rotation succeeded, and consumers break.
        (
            situation(
                failed_step=None,
                has_recovered=True,
                current=BROKEN,
                pending=ABSENT,
                previous=WORKS,
                is_rollback_allowed=True,
            ),
            Action.ROLL_BACK,
        ),
        (
            situation(failed_step=None, has_recovered=True, current=BROKEN, pending=ABSENT, previous=WORKS),
            Action.ESCALATE,
        ),
        (
            situation(
                failed_step=None,
                has_recovered=True,
                current=BROKEN,
                pending=ABSENT,
                previous=UNKNOWN,
                is_rollback_allowed=True,
            ),
            Action.ESCALATE,
        ),
    ],
)
def test_the_action_fits_the_state_after_each_failed_step(after, expected):
    assert decide(after).action is expected


# --- precedence of the rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "action"),
    [
        # What the secret's tag or the stack does not allow is not done, even with proof.
        (situation(RETRY, BROKEN, WORKS), Action.RETRY),
        (situation(RETRY, BROKEN, WORKS, is_rotation_enabled=False), Action.ESCALATE),
        (situation(NOTIFY, BROKEN, WORKS), Action.ESCALATE),
        # A move needs neither rotation to be on nor a retry to be left.
        (situation(REPAIR, BROKEN, WORKS, is_rotation_enabled=False, attempts=3), Action.ROLL_FORWARD),
        # Rolling forward comes before rolling back, which comes before an unfounded retry.
        (situation(REPAIR, BROKEN, WORKS, WORKS, is_rollback_allowed=True), Action.ROLL_FORWARD),
        (situation(REPAIR, BROKEN, UNKNOWN, WORKS, is_rollback_allowed=True), Action.ROLL_BACK),
        # An incident moves AWSCURRENT once, even if it was moved again since.
        (situation(REPAIR, BROKEN, WORKS, move_state="holds"), Action.ESCALATE),
        (situation(REPAIR, BROKEN, WORKS, move_state="gone"), Action.RETRY),
        (situation(REPAIR, WORKS, move_state="holds", is_stopped=True), Action.FINISH),
        (situation(REPAIR, UNKNOWN, move_state="holds"), Action.FINISH),
        # A recovered incident ends in any mode and with any kill switch, unless a probe disproves it.
        (situation(NOTIFY, UNKNOWN, has_recovered=True, is_stopped=True, is_suspended=True), Action.RECOVERED),
        (situation(RETRY, BROKEN, UNKNOWN, has_recovered=True), Action.RETRY),
        # Nothing waits for a repair that will not be made, and the window comes before the rate limit.
        (situation(RETRY, attempts=3, is_window_open=False, is_rate_limited=True), Action.ESCALATE),
        (situation(RETRY, is_window_open=False, is_rate_limited=True), Action.WAIT),
        (situation(RETRY, is_rate_limited=True), Action.RATE_LIMIT),
        (situation(RETRY, max_retries=0), Action.ESCALATE),
    ],
)
def test_the_precedence_of_rules(case, action):
    assert decide(case).action is action


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (situation(unsupported_reason=PROHIBITIONS["unsupported_reason"]), PROHIBITIONS["unsupported_reason"]),
        (
            situation(RETRY, BROKEN, WORKS, attempts=3),
            "No retry is left (3 of 3 made): AWSCURRENT does not work and AWSPENDING does, but only repair mode moves "
            "AWSCURRENT there.",
        ),
        (
            situation(REPAIR, attempts=3, rotation_strategy="single", failed_step="testSecret"),
            "No retry is left (3 of 3 made): no probe has proved whether AWSCURRENT works (it probably does not, "
            "because testSecret failed), and labels move only on proof.",
        ),
        (
            situation(REPAIR, rotation_strategy="alternating", failed_step="testSecret"),
            "Retry 1 of 3: no probe has proved whether AWSCURRENT works, and labels move only on proof.",
        ),
        (
            situation(REPAIR, WORKS, BROKEN, is_rotation_enabled=False),
            "Rotation is switched off, and a retry would switch it on: AWSCURRENT works, so nothing is broken yet, but "
            "setSecret fails.",
        ),
        (
            situation(REPAIR, BROKEN, ABSENT, BROKEN),
            "AWSCURRENT does not work and no version has AWSPENDING, so a retry has no working login.",
        ),
        (
            situation(REPAIR, BROKEN, BROKEN, WORKS),
            "AWSCURRENT does not work and neither does AWSPENDING; AWSPREVIOUS works, but the secret has no tag "
            "rotation-guard:fallback=allowed.",
        ),
        (
            situation(REPAIR, BROKEN, WORKS, move_state="gone", attempts=1),
            "Retry 2 of 3: AWSCURRENT does not work and AWSPENDING does, but this incident has already moved "
            "AWSCURRENT once.",
        ),
        (
            situation(REPAIR, BROKEN, UNKNOWN, failed_step=None),
            "Retry 1 of 3: AWSCURRENT does not work and AWSPENDING is unproven.",
        ),
        (
            situation(REPAIR, BROKEN, WORKS, is_window_open=False),
            "Moving AWSCURRENT forward to AWSPENDING waits until the change window opens.",
        ),
        (
            situation(RETRY, is_rate_limited=True),
            "The retry is rate limited: this account has reached maxActionsPerHour.",
        ),
    ],
)
def test_a_reason_helps_the_on_call_engineer(case, reason):
    assert decide(case).reason == reason
