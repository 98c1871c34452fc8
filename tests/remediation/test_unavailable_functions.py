"""Lambda throttles all steps: a load test showed that every event paged then."""

from datetime import timedelta

import pytest

from tests.remediation.account import BEFORE, Plan
from tests.remediation.scenario import fail_rotation, list_transitions, run_up_to
from tests.remediation.secrets_manager import CREATE
from tests.remediation.states import FAILED
from tests.remediation.world import CRITICAL, NOTIFICATIONS

COUNT = 40
RETRY = {"rotation-guard:remediation": "retry"}


@pytest.fixture
def executions(world):
    """The executions of many rotations that fail within seconds."""
    for number in range(COUNT):
        secret = world.secret(f"orders/db-{number}", RETRY)
        fail_rotation(world, secret, CREATE)
    for event in world.undelivered:
        world.deliver(event)
    return [*world.executions.values()]


def last_resorts(world):
    """The notifications that the workflow itself published, without a function."""
    return [notification for notification in world.event_log.notifications if notification.step == "publish"]


def test_remediation_waits_for_ten_minutes_without_lambda_and_pages_nobody(world):
    world.throttled_until = world.clock.now + timedelta(minutes=10)
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, CREATE)
    world.run()
    world.invariants.check_at_end()

    [row] = world.rows()
    assert row["outcome"] == "recovered by retry"
    assert list_transitions(world, CRITICAL) == []
    assert list_transitions(world) == ["opened", "recovered"]


def test_repeated_short_outages_of_lambda_are_survived_without_a_page(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, CREATE)
    for event in world.undelivered:
        world.deliver(event)
    for _ in range(12):
        world.throttled_until = world.clock.now + timedelta(minutes=8)
        world.run(until=world.clock.now + timedelta(minutes=20))
    world.run()
    world.invariants.check_at_end()

    assert list_transitions(world, CRITICAL) == []
    assert [row["outcome"] for row in world.rows()] == ["recovered by retry"]


def test_many_executions_without_lambda_publish_one_last_resort(world, executions):
    world.throttled_until = world.clock.now + timedelta(days=1)
    world.run()
    world.invariants.check_at_end()

    # The execution that published succeeds; the others fail, which an alarm counts.
    assert sorted(execution.error for execution in executions) == ["", *["StepFailed"] * (COUNT - 1)]
    [notification] = last_resorts(world)
    assert notification.topic == CRITICAL
    assert "list-executions" in notification.request["Message"]
    [counted] = [
        stored
        for (operation, _), stored in world.tables.items["incidents"].items()
        if operation.startswith("limit#notices")
    ]
    assert counted["executions"] == {"N": str(COUNT)}


def test_failures_an_hour_later_publish_another_last_resort(world, executions):
    world.throttled_until = world.clock.now + timedelta(days=1)
    world.run()
    world.clock.advance_to(world.clock.now + timedelta(hours=1))
    for number in range(COUNT):
        fail_rotation(world, world.secret(f"later/db-{number}", RETRY), CREATE)
    world.run()

    assert len(last_resorts(world)) == 2


def run_to_last_resort(world):
    """Runs until an execution has claimed the last resort, and returns the execution."""
    while True:
        claimed = [execution for execution in world.running if execution.state == "PublishLastResort"]
        if claimed:
            return claimed[0]
        world.run_next()


def test_the_other_executions_publish_if_the_one_that_claimed_the_last_resort_is_aborted(world, executions):
    world.throttled_until = world.clock.now + timedelta(days=1)
    stopped = run_to_last_resort(world)
    stopped.status = "ABORTED"
    world.run()

    others = {execution.name for execution in executions} - {stopped.name}
    assert {last_resort.execution for last_resort in last_resorts(world)} == others


def test_a_last_resort_is_rather_published_twice_than_lost(world, executions):
    """The execution is aborted after it has published, before it has recorded that."""
    world.throttled_until = world.clock.now + timedelta(days=1)
    first = run_to_last_resort(world)
    world.step(first)
    assert first.state == "Published"
    first.status = "ABORTED"
    world.run()

    assert first.name in {last_resort.execution for last_resort in last_resorts(world)}
    publishers = {last_resort.execution for last_resort in last_resorts(world)}
    assert {execution.name for execution in executions if execution.status != FAILED} <= publishers | {first.name}


@pytest.mark.parametrize("operation", ["updateItem", "getItem"])
def test_every_execution_publishes_for_itself_if_the_table_is_unavailable(world, executions, operation):
    world.throttled_until = world.clock.now + timedelta(days=1)
    world.doomed |= {(execution.name, operation) for execution in executions}
    world.run()

    publishers = {last_resort.execution for last_resort in last_resorts(world)}
    assert publishers == {execution.name for execution in executions}


def test_a_claim_of_the_last_resort_whose_response_is_lost_is_repeated_by_the_same_execution(world):
    world.throttled_until = world.clock.now + timedelta(days=1)
    fail_rotation(world, world.secret(tags=RETRY), CREATE)
    for event in world.undelivered:
        world.deliver(event)
    [execution] = world.executions.values()
    while execution.state != "ClaimLastResort":
        world.run_next()
    for when in (BEFORE, "after"):
        world.step(execution, Plan(crash=(0, when)))
        assert execution.state == "ClaimLastResort"
    world.run()
    world.invariants.check_at_end()

    assert len(last_resorts(world)) == 1


def test_all_failures_open_incidents_once_lambda_is_back(world, executions):
    world.throttled_until = world.clock.now + timedelta(days=1)
    world.run()
    world.clock.advance_to(world.throttled_until)
    for secret in list(world.secrets_manager.secrets.values()):
        fail_rotation(world, secret, CREATE)
    world.run()

    opened = {
        about
        for notification in world.event_log.notifications
        if notification.topic == NOTIFICATIONS and notification.transition == "opened"
        for about in notification.incidents
    }
    assert len({arn for arn, _ in opened}) == COUNT


def test_no_retry_is_made_if_aws_completed_the_rotation_after_the_decision(world):
    secret = world.secret(tags=RETRY)
    fail_rotation(world, secret, "createSecret", times=1)
    execution = run_up_to(world, "Retry")
    # Lambda is throttled for some minutes, and AWS completes the rotation by itself meanwhile.
    world.secrets_manager.continue_rotation(secret.arn)
    world.step(execution)
    world.run()

    assert len(secret.moved_at) == 1
