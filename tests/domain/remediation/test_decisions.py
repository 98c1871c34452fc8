"""The decision about an incident, held in every situation to what must never happen, and by example to what must."""

import re
from dataclasses import replace
from itertools import product

import pytest

from rotation_guard.domain.remediation.decisions import RULES, Action, Mode, Proof, Situation, decide

WORKS, BROKEN, UNKNOWN, ABSENT = Proof
NOTIFY, RETRY, REPAIR = Mode
BOTH = (False, True)
STEPS = (None, "createSecret", "setSecret", "testSecret", "finishSecret")
USERS = ("unknown", "single", "alternating")
TELLS_OR_ENDS = {Action.ESCALATE, Action.RECOVERED, Action.FINISH}
WAITS_OR_ENDS = TELLS_OR_ENDS | {Action.WAIT, Action.BACK_OFF, Action.HOLD}
MOVES_TO = {Action.ROLL_FORWARD: "pending", Action.FALL_BACK: "previous"}
FORBIDS = {
    "untouchable": "It is a replica: its primary is in us-east-1, and is repaired there.",
    "test_only": True,
    "exhausted": True,
    "stopped": True,
    "orphaned": True,
}
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
"""Which rules fit at all in each mode."""
A_SENTENCE = re.compile(r"[A-Z][^.]{20,200}[^. ]\.")


def situations(mode, forbids):
    """Every combination but for the failed step and the users, which are for the words alone."""
    for current, pending, previous, recovered, rotation, fallback, attempts, moved, window, capped in product(
        Proof, Proof, Proof, BOTH, BOTH, BOTH, (0, 2, 3), ("", "holds", "gone"), BOTH, BOTH
    ):
        for backing_off, forbid in product(BOTH, forbids):
            yield Situation(
                mode,
                "setSecret",
                current,
                pending,
                previous,
                recovered=recovered,
                rotation_on=rotation,
                fallback_allowed=fallback,
                attempts=attempts,
                moved=moved,
                window_open=window,
                capped=capped,
                backing_off=backing_off,
                **forbid,
            )


def situation(mode=REPAIR, current=UNKNOWN, pending=UNKNOWN, previous=UNKNOWN, failed_step="setSecret", **more):
    return Situation(mode, failed_step, current, pending, previous, **more)


# --- in every situation -----------------------------------------------------------------------------------------------


def awscurrent_moves_only_from_what_is_disproved_to_what_is_proven(one, decision):
    if decision.action not in MOVES_TO:
        return True
    proven = one.current is BROKEN and getattr(one, MOVES_TO[decision.action]) is WORKS
    return proven and one.mode is REPAIR


def awscurrent_moves_once(one, decision):
    return decision.action not in MOVES_TO or one.moved == ""


def it_falls_back_only_where_allowed_and_no_way_leads_forward(one, decision):
    return decision.action is not Action.FALL_BACK or (one.fallback_allowed and one.pending is not WORKS)


def where_nothing_may_be_done_it_tells_or_ends(one, decision):
    may = one.mode is not NOTIFY and not any(getattr(one, name) for name in FORBIDS) and one.current is not ABSENT
    return may or decision.action in TELLS_OR_ENDS


def a_retry_has_a_rotation_and_a_try_left(one, decision):
    return decision.action is not Action.RETRY or (one.rotation_on and one.attempts < one.max_retries)


def a_retry_has_something_to_begin_with(one, decision):
    lost = one.current is BROKEN and one.pending in (BROKEN, ABSENT)
    return decision.action is not Action.RETRY or not lost


def nothing_is_done_outside_the_window_or_beyond_the_cap(one, decision):
    return decision.action in WAITS_OR_ENDS or (one.window_open and not one.capped)


def it_waits_for_the_window_and_is_held_by_the_cap(one, decision):
    if decision.action is Action.WAIT:
        return not one.window_open
    return decision.action is not Action.HOLD or (one.window_open and one.capped)


def it_waits_or_is_held_only_with_something_to_do(one, decision):
    if decision.action not in (Action.WAIT, Action.HOLD):
        return True
    return decide(replace(one, window_open=True, capped=False)).action in (Action.RETRY, *MOVES_TO)


def it_backs_off_before_a_retry_and_before_nothing_else(one, decision):
    if decision.action is Action.RETRY:
        return not one.backing_off
    later = decide(replace(one, backing_off=False, window_open=True, capped=False))
    return decision.action is not Action.BACK_OFF or (one.backing_off and later.action is Action.RETRY)


def it_ends_well_only_for_a_cause_and_never_on_what_is_disproved(one, decision):
    if decision.action not in (Action.RECOVERED, Action.FINISH):
        return True
    cause = one.recovered if decision.action is Action.RECOVERED else one.moved == "holds"
    return cause and one.current in (WORKS, UNKNOWN)


def what_was_moved_and_holds_ends_it(one, decision):
    return one.moved != "holds" or one.current is ABSENT or decision.action in TELLS_OR_ENDS


def it_says_why_in_a_sentence(_, decision):
    return A_SENTENCE.fullmatch(decision.reason) is not None


PROMISES = (
    awscurrent_moves_only_from_what_is_disproved_to_what_is_proven,
    awscurrent_moves_once,
    it_falls_back_only_where_allowed_and_no_way_leads_forward,
    where_nothing_may_be_done_it_tells_or_ends,
    a_retry_has_a_rotation_and_a_try_left,
    a_retry_has_something_to_begin_with,
    nothing_is_done_outside_the_window_or_beyond_the_cap,
    it_waits_for_the_window_and_is_held_by_the_cap,
    it_waits_or_is_held_only_with_something_to_do,
    it_backs_off_before_a_retry_and_before_nothing_else,
    it_ends_well_only_for_a_cause_and_never_on_what_is_disproved,
    what_was_moved_and_holds_ends_it,
    it_says_why_in_a_sentence,
)


@pytest.mark.parametrize("mode", Mode)
def test_every_promise_is_kept_in_every_situation(mode):
    forbids = ({}, *({name: value} for name, value in FORBIDS.items()), FORBIDS)
    fitted = set()

    for one in situations(mode, forbids):
        decision = decide(one)
        fitted.add(decision.rule)
        broken = [promise.__name__ for promise in PROMISES if not promise(one, decision)]
        assert not broken, (one, decision)

    assert fitted == MODE_RULES[mode]


def test_every_rule_is_there_for_something():
    assert set.union(*MODE_RULES.values()) == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("mode", [RETRY, REPAIR])
def test_whatever_would_be_done_is_not_while_anything_forbids_it(mode):
    acting = [one for one in situations(mode, [{}]) if decide(one).action not in TELLS_OR_ENDS]
    every = [
        {name: FORBIDS[name] for name, forbids in zip(FORBIDS, chosen, strict=True) if forbids}
        for chosen in product(BOTH, repeat=len(FORBIDS))
        if any(chosen)
    ]

    assert acting
    assert len(every) == 31
    for one in acting:
        for forbid in every:
            assert decide(replace(one, **forbid)).action in TELLS_OR_ENDS


def test_the_failed_step_and_the_users_change_words_and_never_the_action():
    for mode, current, pending, previous, fallback, attempts in product(Mode, Proof, Proof, Proof, BOTH, (0, 3)):
        one = Situation(mode, None, current, pending, previous, fallback_allowed=fallback, attempts=attempts)
        plain = decide(one)
        for step, users in product(STEPS, USERS):
            worded = decide(replace(one, failed_step=step, users=users))
            assert (worded.action, worded.rule) == (plain.action, plain.rule)
            assert A_SENTENCE.fullmatch(worded.reason), worded


# --- the table of what is right after which step (docs/aws-facts.md, section 2) ---------------------------------------


@pytest.mark.parametrize(
    ("after", "right"),
    [
        # createSecret: AWSCURRENT works, AWSPREVIOUS does not.
        (situation(failed_step="createSecret", current=WORKS, pending=BROKEN, previous=BROKEN), Action.RETRY),
        (situation(failed_step="createSecret", current=UNKNOWN, pending=ABSENT), Action.RETRY),
        # setSecret, single user: nobody knows before the proof.
        (situation(users="single", current=BROKEN, pending=WORKS, previous=BROKEN), Action.ROLL_FORWARD),
        (situation(users="single", current=WORKS, pending=BROKEN, previous=BROKEN), Action.RETRY),
        (situation(users="single", current=BROKEN, pending=BROKEN, previous=BROKEN), Action.ESCALATE),
        (situation(users="single"), Action.RETRY),
        # setSecret, alternating users: AWSCURRENT works, AWSPREVIOUS maybe.
        (situation(users="alternating", current=WORKS, pending=BROKEN, previous=WORKS), Action.RETRY),
        # testSecret and finishSecret, single user: only AWSPENDING works.
        *(
            (
                situation(failed_step=step, users="single", current=BROKEN, pending=WORKS, previous=BROKEN),
                Action.ROLL_FORWARD,
            )
            for step in ("testSecret", "finishSecret")
        ),
        # testSecret and finishSecret, alternating users: AWSCURRENT works, and what works is not moved away from.
        *(
            (situation(failed_step=step, users="alternating", current=WORKS, pending=WORKS), Action.RETRY)
            for step in ("testSecret", "finishSecret")
        ),
        # The rotation succeeded, and consumers break.
        (
            situation(
                failed_step=None,
                recovered=True,
                current=BROKEN,
                pending=ABSENT,
                previous=WORKS,
                fallback_allowed=True,
            ),
            Action.FALL_BACK,
        ),
        (
            situation(failed_step=None, recovered=True, current=BROKEN, pending=ABSENT, previous=WORKS),
            Action.ESCALATE,
        ),
        (
            situation(
                failed_step=None,
                recovered=True,
                current=BROKEN,
                pending=ABSENT,
                previous=UNKNOWN,
                fallback_allowed=True,
            ),
            Action.ESCALATE,
        ),
    ],
)
def test_it_does_what_is_right_after_the_step_that_failed(after, right):
    assert decide(after).action is right


# --- what outranks what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "action"),
    [
        # What the secret's tag or the stack does not allow is not done, however well proven.
        (situation(RETRY, BROKEN, WORKS), Action.RETRY),
        (situation(RETRY, BROKEN, WORKS, rotation_on=False), Action.ESCALATE),
        (situation(NOTIFY, BROKEN, WORKS), Action.ESCALATE),
        # A move needs no rotation that is on, and no retry that is left.
        (situation(REPAIR, BROKEN, WORKS, rotation_on=False, attempts=3), Action.ROLL_FORWARD),
        # Forward comes before back, and back before a retry that nothing speaks for.
        (situation(REPAIR, BROKEN, WORKS, WORKS, fallback_allowed=True), Action.ROLL_FORWARD),
        (situation(REPAIR, BROKEN, UNKNOWN, WORKS, fallback_allowed=True), Action.FALL_BACK),
        # An incident moves AWSCURRENT once, whoever has moved it since.
        (situation(REPAIR, BROKEN, WORKS, moved="holds"), Action.ESCALATE),
        (situation(REPAIR, BROKEN, WORKS, moved="gone"), Action.RETRY),
        (situation(REPAIR, WORKS, moved="holds", stopped=True), Action.FINISH),
        (situation(REPAIR, UNKNOWN, moved="holds"), Action.FINISH),
        # What has recovered ends, in any mode and under any switch, unless a probe disproves it.
        (situation(NOTIFY, UNKNOWN, recovered=True, stopped=True, orphaned=True), Action.RECOVERED),
        (situation(RETRY, BROKEN, UNKNOWN, recovered=True), Action.RETRY),
        # Nobody is kept waiting for what will not be done, and the window comes before the cap.
        (situation(RETRY, attempts=3, window_open=False, capped=True), Action.ESCALATE),
        (situation(RETRY, window_open=False, capped=True), Action.WAIT),
        (situation(RETRY, capped=True), Action.HOLD),
        (situation(RETRY, max_retries=0), Action.ESCALATE),
    ],
)
def test_what_outranks_what(one, action):
    assert decide(one).action is action


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (situation(untouchable=FORBIDS["untouchable"]), FORBIDS["untouchable"]),
        (
            situation(RETRY, BROKEN, WORKS, attempts=3),
            "No retry is left (3 made of 3): AWSCURRENT does not work and AWSPENDING does, but only repair mode would "
            "move AWSCURRENT there.",
        ),
        (
            situation(REPAIR, attempts=3, users="single", failed_step="testSecret"),
            "No retry is left (3 made of 3): no probe tells whether AWSCURRENT works, which is likely to have stopped "
            "since testSecret failed, and unproven no label is moved.",
        ),
        (
            situation(REPAIR, users="alternating", failed_step="testSecret"),
            "Retry 1 of 3: no probe tells whether AWSCURRENT works, and unproven no label is moved.",
        ),
        (
            situation(REPAIR, WORKS, BROKEN, rotation_on=False),
            "Rotation is off, and a retry would switch it on: AWSCURRENT works, so nothing is broken yet, but "
            "setSecret fails.",
        ),
        (
            situation(REPAIR, BROKEN, ABSENT, BROKEN),
            "AWSCURRENT does not work and no version holds AWSPENDING, so a retry has no login to begin with.",
        ),
        (
            situation(REPAIR, BROKEN, BROKEN, WORKS),
            "AWSCURRENT does not work and neither does AWSPENDING; AWSPREVIOUS works, but the secret has no tag "
            "rotation-guard:fallback=allowed.",
        ),
        (
            situation(REPAIR, BROKEN, WORKS, moved="gone", attempts=1),
            "Retry 2 of 3: AWSCURRENT does not work and AWSPENDING does, but this incident has moved AWSCURRENT once "
            "already.",
        ),
        (
            situation(REPAIR, BROKEN, UNKNOWN, failed_step=None),
            "Retry 1 of 3: AWSCURRENT does not work, and no probe tells whether AWSPENDING does.",
        ),
        (
            situation(REPAIR, BROKEN, WORKS, window_open=False),
            "Moving AWSCURRENT forward to AWSPENDING waits until the change window opens.",
        ),
        (
            situation(RETRY, capped=True),
            "The retry was not done: this account's maxActionsPerHour are used up.",
        ),
    ],
)
def test_a_reason_helps_whoever_is_woken_by_it(one, words):
    assert decide(one).reason == words
