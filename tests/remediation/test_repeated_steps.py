"""A step that runs twice, or whose response is lost, has the same effect as one that runs once."""

from collections import Counter

import pytest

from tests.remediation.account import Plan
from tests.remediation.scenario import fail_rotation, list_transitions, run_up_to
from tests.remediation.world import DEPENDENTS

REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
RESTART = {"rotation-guard:restart": DEPENDENTS}


FAILED_STEPS = {
    "Claim": ("createSecret", False),
    "NotifyOpened": ("createSecret", False),
    "Diagnose": ("createSecret", False),
    "Probe": ("createSecret", False),
    "Decide": ("createSecret", False),
    "Retry": ("createSecret", False),
    "Move": ("setSecret", True),
    "End": ("setSecret", True),
    "Restart": ("setSecret", True),
    "Watch": ("setSecret", True),
    "NotifyRecovered": ("setSecret", True),
}
"""State -> the step of the rotation that fails, so that the incident passes through the state."""
CALLS = {
    "Claim": 9,
    "NotifyOpened": 5,
    "Diagnose": 4,
    "Probe": 2,
    "Decide": 7,
    "Retry": 5,
    "Move": 4,
    "End": 5,
    "Restart": 15,
    "Watch": 5,
    "NotifyRecovered": 6,
}
"""State -> how many calls its step makes then."""


@pytest.mark.parametrize(("state", "call"), [(state, call) for state in FAILED_STEPS for call in range(CALLS[state])])
def test_a_step_that_was_invoked_twice_ends_as_if_it_ran_once(world, state, call):
    step, after = FAILED_STEPS[state]
    secret = world.secret(tags=REPAIR | RESTART)
    fail_rotation(world, secret, step, after, times=9 if after else 1)
    execution = run_up_to(world, state)

    # The first invocation is slow: the second runs completely before this call of the first.
    world.step(execution, Plan(meanwhile={call: lambda: world.invoke_again(execution)}))
    world.run()

    world.invariants.check_at_end()
    [incident] = world.rows()
    assert incident["outcome"] == ("rolled forward" if after else "recovered by retry")
    # AWS treats a second request as the first while the rotation is unfinished; a label moves once in any case.
    assert len(secret.moved_at) == 1
    assert len(world.event_log.actions) <= 2
    assert sorted(set(list_transitions(world))) == ["opened", "recovered"]


@pytest.mark.parametrize("state", FAILED_STEPS)
def test_a_step_whose_response_was_lost_ends_as_if_it_ran_once(world, state):
    step, after = FAILED_STEPS[state]
    secret = world.secret(tags=REPAIR | RESTART)
    fail_rotation(world, secret, step, after, times=9 if after else 1)
    execution = run_up_to(world, state)

    plan = Plan()
    world.invoke_again(execution, plan)
    world.run()

    assert plan.calls == CALLS[state]
    world.invariants.check_at_end()
    [incident] = world.rows()
    assert incident["outcome"] == ("rolled forward" if after else "recovered by retry")
    assert Counter(action.kind for action in world.event_log.actions).most_common(1)[0][1] == 1
    assert list_transitions(world) == ["opened", "recovered"]
