"""Dependents that AWS is busy with, cannot be reached, or take a day: whole histories, in virtual time."""

from datetime import timedelta

import pytest

from tests.remediation.account import AFTER, BEFORE, Plan
from tests.remediation.scenario import fail_rotation, list_transitions, run_up_to
from tests.remediation.world import DEPENDENTS, Settings

OPTED_IN = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "probe"}
RESTART = {"rotation-guard:restart": f"{DEPENDENTS} lambda:orders-api"}
TARGETS = ("ecs:shop/orders", "ssm:restart-orders", "lambda:orders-api")


@pytest.fixture
def repaired(world):
    """A secret whose rotation failed, and whose incident is at the state in which its dependents are restarted."""
    secret = world.secret(tags=OPTED_IN | RESTART)
    fail_rotation(world, secret, "setSecret", after=True, times=9)
    run_up_to(world, "Restart")
    return secret


def states(incident):
    return {entry["target"]: entry["state"] for entry in incident["restarts"]}


def counts(world):
    """How often each was restarted, by what became of it at AWS."""
    return [len(world.services.deployments), len(world.ssm.started), len(world.functions.dependent.updates)]


def test_each_is_restarted_once_and_told_when_all_have_settled(world, finish, repaired):
    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def test_an_endpoint_that_is_not_reached_for_half_a_minute_keeps_no_other_dependent_waiting(world, finish, repaired):
    world.services.unreachable_until = world.clock.now + timedelta(seconds=30)
    world.run_next()
    [incident] = world.rows()
    assert states(incident) == dict(zip(TARGETS, ("wanted", "started", "started"), strict=True))

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def test_an_endpoint_that_is_never_reached_is_told_with_what_was_not_restarted(world, finish, repaired):
    world.services.unreachable_until = world.clock.now + timedelta(days=1)

    incident, transitions = finish()

    assert transitions == ["opened", "escalated"]
    assert states(incident) == dict(zip(TARGETS, ("wanted", "started", "started"), strict=True))
    assert incident["restarts"][0]["why"] == "AWS did not respond: EndpointConnectionError."


def test_a_function_that_is_being_updated_is_restarted_once_that_is_over(world, finish, repaired):
    world.functions.dependent.be_busy(20)

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def test_a_function_that_is_updated_for_longer_than_anybody_waits_is_told(world, finish, repaired):
    world.functions.dependent.be_busy(60)

    incident, transitions = finish()

    assert transitions == ["opened", "escalated"]
    assert "has not settled within 30 minutes" in incident["reason"]
    assert states(incident) == dict(zip(TARGETS, ("settled", "settled", "wanted"), strict=True))
    assert "busy" in incident["restarts"][2]["why"]
    assert counts(world) == [1, 1, 0]


def test_an_automation_waits_for_others_to_end(world, finish, repaired):
    world.ssm.running = world.ssm.most_running
    world.run(until=world.clock.now + timedelta(minutes=5))
    assert list_transitions(world) == ["opened"]
    world.ssm.running = 0

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


@pytest.mark.parametrize("settings", [Settings(restart_minutes=1500)])
@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "LINEAR", "CANARY"])
def test_a_deployment_that_bakes_for_a_day_is_waited_for(world, finish, repaired, strategy):
    world.services.strategy, world.services.bake_minutes = strategy, 1440
    before = world.clock.now
    world.run(until=before + timedelta(hours=23))
    [incident] = world.rows()
    assert (states(incident)["ecs:shop/orders"], list_transitions(world)) == ("started", ["opened"])
    # A workflow that waits for a day is not taken for dead.
    assert incident["alive_until"] > world.clock.now.timestamp()

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert world.clock.now - before >= timedelta(minutes=1440)
    assert states(incident) == dict.fromkeys(TARGETS, "settled")


@pytest.mark.parametrize("settings", [Settings(restart_minutes=1500)])
def test_a_deployment_that_is_rolled_back_while_it_bakes_is_told(world, finish, repaired):
    world.services.strategy, world.services.bake_minutes, world.services.ends = "BLUE_GREEN", 1440, "FAILED"

    incident, transitions = finish()

    assert transitions == ["opened", "escalated"]
    assert states(incident)["ecs:shop/orders"] == "failed"
    assert "rolled it back" in incident["restarts"][0]["why"]


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("number", range(13))
def test_a_restart_step_that_dies_at_any_write_restarts_each_once(world, finish, repaired, number, when):
    world.run_next(Plan(crash=(number, when)))

    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert states(incident) == dict.fromkeys(TARGETS, "settled")
    assert counts(world) == [1, 1, 1]


def take_over(world):
    """An audit looks, and another execution goes on with what nobody has been heard of."""
    world.audit()
    for event in world.waiting:
        world.deliver(event)


@pytest.mark.parametrize("state", ["Debounce", "Restart", "WatchRestarts", "Watch"])
def test_another_execution_goes_on_with_what_an_aborted_one_has_left(world, finish, state):
    secret = world.secret(tags=OPTED_IN | RESTART)
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


def test_an_execution_that_was_only_late_leaves_the_restarts_to_the_one_that_took_them_over(world, finish, repaired):
    [first] = world.running
    first.due += timedelta(hours=5)
    world.pass_time(4 * 3600)

    take_over(world)
    incident, transitions = finish()

    assert transitions == ["opened", "recovered"]
    assert first.trail[-1] == "Done"
    assert incident["ended_by"] == incident["resumed_by"] != first.arn
    assert counts(world) == [1, 1, 1]
