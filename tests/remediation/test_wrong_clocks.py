"""What is older and what is newer is told apart, though the clock of one function is minutes off."""

from datetime import timedelta

import pytest

from tests.remediation.scenario import fail_rotation, list_transitions, rotate_by_hand
from tests.remediation.secrets_manager import PENDING
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings

NOTIFY = {"rotation-guard:remediation": "notify"}
RESTART = {"rotation-guard:restart": DEPENDENTS}
RETRY = {"rotation-guard:remediation": "retry"}


def skewed(world, step, minutes):
    """The clock of one function alone is off."""
    original = world.event_log.enter

    def enter(execution, kind, payload):
        world.clock.skew = timedelta(minutes=minutes if kind == step else 0)
        return original(execution, kind, payload)

    world.event_log.enter = enter


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("step", ["claim", "diagnose", "decide", "end", "notify", "retry"])
def test_failure_success_failure_within_minutes_though_a_clock_is_off(world, step, minutes):
    skewed(world, step, minutes)
    secret = world.secret(tags=RETRY)
    for _ in range(2):
        fail_rotation(world, secret, "createSecret", times=1)
        world.run()
        world.clock.pass_by(60)
    world.invariants.at_the_end()
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"] * 2
    fail_rotation(world, secret, "createSecret", times=99)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]


@pytest.mark.parametrize("minutes", [-3, 3])
def test_a_function_whose_clock_is_minutes_off_misses_no_failure(world, minutes):
    secret = world.secret(tags=NOTIFY)
    rotate_by_hand(world, secret)
    world.run()
    world.clock.pass_by(5)
    world.clock.skew = timedelta(minutes=minutes)
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]

    # A minute after it was escalated the next rotation fails: that is news, whatever the functions think it is.
    world.clock.pass_by(60)
    secret.labels.pop(PENDING)
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()

    assert list_transitions(world, CRITICAL) == ["escalated", "escalated"]


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("step", Settings().steps)
def test_secrets_that_share_a_dependent_each_have_it_restarted_though_a_clock_is_off(world, step, minutes):
    skewed(world, step, minutes)
    for name in ("one", "other"):
        secret = world.secret(name, tags=RESTART | {"rotation-guard:restart-on": "rotation"})
        rotate_by_hand(world, secret)
        world.run()
        # The first restart is over before the second value is there.
        world.clock.pass_by(120)

    assert len(world.services.deployments) == 2
