"""What is older and what is newer is told apart, though the clock of one function is minutes off."""

from datetime import timedelta

import pytest

from tests.remediation.story import fails, heard
from tests.remediation.world import CRITICAL

RETRY = {"rotation-guard:remediation": "retry"}


def skewed(world, step, minutes):
    """The clock of one function alone is off."""
    original = world.journal.enter

    def enter(execution, kind, payload):
        world.clock.skew = timedelta(minutes=minutes if kind == step else 0)
        return original(execution, kind, payload)

    world.journal.enter = enter


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("step", ["claim", "diagnose", "decide", "end", "notify", "retry"])
def test_failure_success_failure_within_minutes_though_a_clock_is_off(world, step, minutes):
    skewed(world, step, minutes)
    secret = world.secret(tags=RETRY)
    for _ in range(2):
        fails(world, secret, "createSecret", times=1)
        world.run()
        world.clock.pass_by(60)
    world.promises.at_the_end()
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"] * 2
    fails(world, secret, "createSecret", times=99)
    world.run()
    assert heard(world, CRITICAL) == ["escalated"]
