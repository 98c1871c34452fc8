"""Dependents that are busy, unreachable, or take a day to settle: whole scenarios in virtual time."""

from datetime import timedelta

import pytest

from tests.remediation.account import AFTER, BEFORE, Plan
from tests.remediation.scenario import fail_rotation, list_transitions, run_up_to
from tests.remediation.world import DEPENDENTS, Settings

REPAIR = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
RESTART = {"rotation-guard:restart": f"{DEPENDENTS} lambda:orders-api"}
TARGETS = ("ecs:shop/orders", "ssm:restart-orders", "lambda:orders-api")


@pytest.fixture
def repaired(world):
    """A secret whose rotation failed, and whose incident is at the state in which its dependents are restarted."""
    secret = world.secret(tags=REPAIR | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    run_up_to(world, "Restart")
    return secret


def states(incident):
    return {entry["target"]: entry["state"] for entry in incident["restarts"]}


def counts(world):
    """How often each dependent was restarted, by AWS's records."""
    return [len(world.services.deployments), len(world.ssm.started), len(world.functions.dependent.updates)]


def test_each_dependent_is_restarted_once_before_recovery_is_published(world, finish, repaired):
    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def test_an_endpoint_that_is_briefly_unreachable_delays_no_other_restart(world, finish, repaired):
    world.services.unreachable_until = world.clock.now + timedelta(seconds=30)
    world.run_next()
    [incident] = world.rows()
    assert states(incident) == dict(zip(TARGETS, ("wanted", "started", "started"), strict=True))

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def test_an_endpoint_that_stays_unreachable_is_escalated_with_its_pending_restart(world, finish, repaired):
    world.services.unreachable_until = world.clock.now + timedelta(days=1)

    incident, transitions = finish()

    assert transitions == ["opened", "escalated"]
    assert states(incident) == dict(zip(TARGETS, ("wanted", "started", "started"), strict=True))
    assert incident["restarts"][0]["why"] == "AWS did not respond: EndpointConnectionError."


def test_a_function_that_is_being_updated_is_restarted_after_the_update(world, finish, repaired):
    world.functions.dependent.be_busy(20)

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def test_a_function_whose_update_outlasts_the_time_limit_is_escalated(world, finish, repaired):
    world.functions.dependent.be_busy(60)

    incident, transitions = finish()

    assert transitions == ["opened", "escalated"]
    assert "has not settled within 30 minutes" in incident["reason"]
    assert states(incident) == dict(zip(TARGETS, ("settled", "settled", "wanted"), strict=True))
    assert "busy" in incident["restarts"][2]["why"]
    assert counts(world) == [1, 1, 0]


def test_an_automation_is_started_once_the_concurrency_limit_allows(world, finish, repaired):
    world.ssm.running = world.ssm.max_running
    world.run(until=world.clock.now + timedelta(minutes=5))
    assert list_transitions(world) == ["opened"]
    world.ssm.running = 0

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


@pytest.mark.parametrize("settings", [Settings(restart_minutes=1500)])
@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "LINEAR", "CANARY"])
def test_remediation_waits_for_a_deployment_that_bakes_for_a_day(world, finish, repaired, strategy):
    world.services.strategy, world.services.bake_minutes = strategy, 1440
    before = world.clock.now
    world.run(until=before + timedelta(hours=23))
    [incident] = world.rows()
    assert (states(incident)["ecs:shop/orders"], list_transitions(world)) == ("started", ["opened"])
    # A workflow that waits for a day is not presumed dead.
    assert incident["alive_until"] > world.clock.now.timestamp()

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert world.clock.now - before >= timedelta(minutes=1440)
    assert states(incident) == dict.fromkeys(TARGETS, "settled")


@pytest.mark.parametrize("settings", [Settings(restart_minutes=1500)])
def test_a_deployment_that_is_rolled_back_while_it_bakes_is_escalated(world, finish, repaired):
    world.services.strategy, world.services.bake_minutes, world.services.ends = "BLUE_GREEN", 1440, "FAILED"

    incident, transitions = finish()

    assert transitions == ["opened", "escalated"]
    assert states(incident)["ecs:shop/orders"] == "failed"
    assert "rolled it back" in incident["restarts"][0]["why"]


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("number", range(13))
def test_a_restart_step_that_crashes_at_any_write_restarts_each_dependent_once(world, finish, repaired, number, when):
    world.run_next(Plan(crash=(number, when)))

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def take_over(world):
    """Runs an audit, whose events have another execution take over stalled incidents."""
    world.audit()
    for event in world.undelivered:
        world.deliver(event)


@pytest.mark.parametrize("state", ["Debounce", "Restart", "WatchRestarts", "Watch"])
def test_another_execution_continues_the_restarts_of_an_aborted_one(world, finish, state):
    secret = world.secret(tags=REPAIR | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    first = run_up_to(world, state)
    first.status = "ABORTED"
    take_over(world)
    assert not any("Stalled" in name for name in world.executions)
    world.pass_time(4 * 3600)

    take_over(world)
    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert (incident["state"], incident["outcome"]) == ("closed", "rolled forward")
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def test_a_delayed_execution_leaves_the_restarts_to_the_execution_that_took_over(world, finish, repaired):
    [first] = world.running
    first.due += timedelta(hours=5)
    world.pass_time(4 * 3600)

    take_over(world)
    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert first.trail[-1] == "Done"
    assert incident["ended_by"] == incident["resumed_by"] != first.arn
    assert counts(world) == [1, 1, 1]
