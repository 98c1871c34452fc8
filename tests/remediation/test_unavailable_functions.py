"""Lambda runs none of the steps: what a load test showed, in which every event paged."""

from datetime import timedelta

import pytest

from tests.remediation.account import BEFORE, Plan
from tests.remediation.scenario import fail_rotation, list_transitions, run_up_to
from tests.remediation.secrets_manager import CREATE
from tests.remediation.states import FAILED
from tests.remediation.world import CRITICAL, NOTICES

MANY = 40
OFTEN = {"rotation-guard:remediation": "retry"}


@pytest.fixture
def burst(world):
    """So many rotations that fail within seconds, and are delivered."""
    for number in range(MANY):
        secret = world.secret(f"orders/db-{number}", OFTEN)
        fail_rotation(world, secret, CREATE)
    for event in world.waiting:
        world.deliver(event)
    return [*world.executions.values()]


def last_resorts(world):
    """The notices that the workflow itself has published."""
    return [notice for notice in world.event_log.notices if notice.step == "publish"]


def test_some_minutes_without_lambda_are_waited_for_and_nobody_is_woken(world):
    world.throttled_until = world.clock.now + timedelta(minutes=10)
    secret = world.secret(tags=OFTEN)
    fail_rotation(world, secret, CREATE)
    world.run()
    world.invariants.at_the_end()

    [row] = world.rows()
    assert row["outcome"] == "recovered by retry"
    assert list_transitions(world, CRITICAL) == []
    assert list_transitions(world) == ["opened", "recovered"]


def test_lambda_may_be_unavailable_again_and_again_for_some_minutes_each(world):
    secret = world.secret(tags=OFTEN)
    fail_rotation(world, secret, CREATE)
    for event in world.waiting:
        world.deliver(event)
    for _ in range(12):
        world.throttled_until = world.clock.now + timedelta(minutes=8)
        world.run(until=world.clock.now + timedelta(minutes=20))
    world.run()
    world.invariants.at_the_end()

    assert list_transitions(world, CRITICAL) == []
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"]


def test_many_that_nobody_can_be_told_of_are_one_notice(world, burst):
    world.throttled_until = world.clock.now + timedelta(days=1)
    world.run()
    world.invariants.at_the_end()

    # Whoever published ends well; those that nobody was told of by themselves are found by their status, and alarmed.
    assert sorted(each.error for each in burst) == ["", *["StepFailed"] * (MANY - 1)]
    [notice] = last_resorts(world)
    assert notice.topic == CRITICAL
    assert "list-executions" in notice.asked["Message"]
    [counted] = [
        stored for (kind, _), stored in world.tables.items["incidents"].items() if kind.startswith("limit#notices")
    ]
    assert counted["executions"] == {"N": str(MANY)}


def test_what_fails_an_hour_later_is_told_again(world, burst):
    world.throttled_until = world.clock.now + timedelta(days=1)
    world.run()
    world.clock.until(world.clock.now + timedelta(hours=1))
    for number in range(MANY):
        fail_rotation(world, world.secret(f"later/db-{number}", OFTEN), CREATE)
    world.run()

    assert len(last_resorts(world)) == 2


def up_to_the_notice(world):
    """Runs until the first execution has taken the notice on itself, and answers it."""
    while True:
        found = [each for each in world.running if each.state == "PublishLastResort"]
        if found:
            return found[0]
        world.run_next()


def test_where_the_one_that_was_to_tell_is_stopped_the_others_tell(world, burst):
    world.throttled_until = world.clock.now + timedelta(days=1)
    stopped = up_to_the_notice(world)
    stopped.status = "ABORTED"
    world.run()

    others = {each.name for each in burst} - {stopped.name}
    assert {last_resort.execution for last_resort in last_resorts(world)} == others


def test_a_notice_that_was_published_twice_is_none_that_was_lost(world, burst):
    """The answer to the write that says it was published is lost, and so is the writer."""
    world.throttled_until = world.clock.now + timedelta(days=1)
    first = up_to_the_notice(world)
    world.step(first)
    assert first.state == "Published"
    first.status = "ABORTED"
    world.run()

    assert first.name in {last_resort.execution for last_resort in last_resorts(world)}
    told = {last_resort.execution for last_resort in last_resorts(world)}
    assert {each.name for each in burst if each.status != FAILED} <= told | {first.name}


@pytest.mark.parametrize("kind", ["updateItem", "getItem"])
def test_where_the_table_cannot_be_asked_each_tells_for_itself(world, burst, kind):
    world.throttled_until = world.clock.now + timedelta(days=1)
    world.doomed |= {(each.name, kind) for each in burst}
    world.run()

    told = {last_resort.execution for last_resort in last_resorts(world)}
    assert told == ({each.name for each in burst})


def test_a_take_whose_answer_is_lost_is_taken_once_more_by_the_same_one(world):
    world.throttled_until = world.clock.now + timedelta(days=1)
    fail_rotation(world, world.secret(tags=OFTEN), CREATE)
    for event in world.waiting:
        world.deliver(event)
    [execution] = world.executions.values()
    while execution.state != "ClaimLastResort":
        world.run_next()
    for when in (BEFORE, "after"):
        world.step(execution, Plan(crash=(0, when)))
        assert execution.state == "ClaimLastResort"
    world.run()
    world.invariants.at_the_end()

    assert len(last_resorts(world)) == 1


def test_everything_that_failed_meanwhile_is_heard_of_once_lambda_is_back(world, burst):
    world.throttled_until = world.clock.now + timedelta(days=1)
    world.run()
    world.clock.until(world.throttled_until)
    for secret in list(world.secrets_manager.secrets.values()):
        fail_rotation(world, secret, CREATE)
    world.run()

    opened = {
        about
        for notice in world.event_log.notices
        if notice.topic == NOTICES and notice.turn == "opened"
        for about in notice.about
    }
    assert len({arn for arn, _ in opened}) == MANY


def test_a_retry_is_not_made_when_aws_has_finished_the_rotation_since_the_decision(world):
    secret = world.secret(tags=OFTEN)
    fail_rotation(world, secret, "createSecret", times=1)
    execution = run_up_to(world, "Retry")
    # Lambda is throttled for some minutes, and AWS's own try succeeds meanwhile.
    world.secrets_manager.go_on(secret.arn)
    world.step(execution)
    world.run()

    assert len(secret.moved_at) == 1
