"""Whoever was paged is told once their incident is over, whatever order the news comes in."""

import pytest

from tests.remediation.account import AFTER, BEFORE, Plan
from tests.remediation.scenario import fail_rotation, list_transitions
from tests.remediation.secrets_manager import PENDING
from tests.remediation.world import CRITICAL, DEPENDENTS, Settings

RETRY = {"rotation-guard:remediation": "retry"}
ON_ROTATION = {"rotation-guard:restart": DEPENDENTS, "rotation-guard:restart-on": "rotation"}
NOTIFY = {"rotation-guard:remediation": "notify"}


def rotate_by_hand(world, secret):
    secret.fault = None
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.go_on(secret.arn)


def test_a_rotation_that_aws_finishes_after_its_label_had_moved_resolves_what_was_escalated(world):
    secret = world.secret(tags=NOTIFY)
    # finishSecret moves AWSCURRENT, and is ended before it has answered.
    fail_rotation(world, secret, "finishSecret", after=True, times=1)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]

    world.clock.pass_by(3600)
    world.secrets_manager.go_on(secret.arn)
    world.run()

    world.invariants.at_the_end()
    assert list_transitions(world, CRITICAL) == ["escalated", "resolved"]


@pytest.mark.parametrize("write", range(8))
@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_all_that_was_escalated_is_resolved_though_the_claim_dies_in_between(world, write, when):
    secret = world.secret(tags=NOTIFY)
    for _ in range(2):
        secret.labels.pop(PENDING, None)
        fail_rotation(world, secret, "createSecret", times=9)
        world.run()
        world.clock.pass_by(30 * 3600)
    rotate_by_hand(world, secret)
    for event in world.waiting:
        world.deliver(event)

    world.step(world.running[0], Plan(crash=(write, when)))
    world.run()

    world.invariants.at_the_end()
    assert [row["outcome"] for row in world.rows()] == ["resolved", "resolved"]


def test_what_was_escalated_is_resolved_though_the_next_incident_recovered_before_any_news_of_it(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=99)
    world.run()
    world.clock.pass_by(30 * 3600)
    secret.labels.pop(PENDING, None)
    fail_rotation(world, secret, "createSecret", times=1)
    # CloudTrail's events take minutes, and a look at the secret seconds.
    late = run_without_news(world)
    assert [row["outcome"] for row in world.rows()] == ["escalated", "recovered by retry"]

    for event in late:
        event.is_dropped = False
    world.run()

    world.invariants.at_the_end()
    assert [row["outcome"] for row in world.rows()] == ["resolved", "recovered by retry"]


def run_without_news(world):
    """Runs everything to its end while only failures are heard of; answers the other events."""
    late = []
    while True:
        for event in world.waiting:
            if event.is_failure:
                world.deliver(event)
            else:
                event.is_dropped = True
                late.append(event)
        if not world.running:
            return late
        world.run_next()


def test_late_news_of_the_value_of_before_resolves_nothing_of_a_secret_that_cannot_be_read(world):
    secret = world.secret(tags=NOTIFY)
    rotate_by_hand(world, secret)
    late = world.waiting
    for event in late:
        event.is_dropped = True
    world.clock.pass_by(60)
    secret.denies_description = True
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]

    for event in late:
        event.is_dropped = False
    world.run()

    world.invariants.at_the_end()
    assert world.rows()[0]["outcome"] == "escalated"


@pytest.mark.parametrize("settings", [Settings(max_actions_per_hour=0)])
def test_what_was_held_is_resolved_on_the_topics_that_were_told(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=9)
    world.run()
    assert list_transitions(world, CRITICAL) == ["held_burst"]
    world.clock.pass_by(3600)
    rotate_by_hand(world, secret)
    world.run()
    assert list_transitions(world) == ["opened", "held_burst", "resolved"]
    assert list_transitions(world, CRITICAL) == ["held_burst", "resolved"]


def test_a_restart_that_was_escalated_is_resolved_by_the_next_one_that_settles(world):
    secret = world.secret(tags=ON_ROTATION)
    world.ssm.ends = "Failed"
    rotate_by_hand(world, secret)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated"]
    world.clock.pass_by(3600)
    world.ssm.ends = "Success"
    rotate_by_hand(world, secret)
    world.run()
    assert list_transitions(world, CRITICAL) == ["escalated", "resolved"]
