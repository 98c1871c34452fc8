"""The result of an ECS deployment, with any strategy and however it ends."""

import itertools

import pytest

from tests.handlers.remediation.dependents import SERVICE


@pytest.fixture(autouse=True)
def _restarts_in_progress(restarts_in_progress):
    """All restarts are in progress unless a test changes that."""


def test_a_failed_deployment_without_a_rollback_fails_the_restart(dependents, write_started, watch, outcome):
    dependents.service["deployments"][0]["rolloutState"] = "FAILED"
    write_started(SERVICE)

    assert watch() == "failed"
    assert outcome() == ("failed", "Its deployment failed: tasks did not reach a steady state.")


ROLLING_BACK = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."


def roll_back(dependents, *, own_deployments=(), reason="ECS deployment ecs-svc/3 completed.", events=()):
    primary = dependents.deployment("ecs-svc/3", rolloutStateReason=reason)
    dependents.service |= {
        "deployments": [primary, *own_deployments],
        "events": [{"message": message} for message in events],
    }


@pytest.mark.parametrize("sign", ["own", "reason", "event"])
def test_a_rollback_by_the_circuit_breaker_is_detected_by_each_of_its_signs(
    dependents, write_started, watch, outcome, sign
):
    signs = {
        "own": {"own_deployments": [dependents.deployment("ecs-svc/2", status="ACTIVE", rollout="FAILED")]},
        "reason": {"reason": ROLLING_BACK},
        "event": {"events": ["(service orders) (deployment ecs-svc/2) deployment failed: tasks failed to start."]},
    }
    roll_back(dependents, **signs[sign])
    write_started(SERVICE)

    assert watch() == "failed"
    assert outcome() == ("failed", "Its deployment failed, and ECS rolled it back.")


@pytest.mark.parametrize(
    ("rollout", "expected"), [("COMPLETED", "settled"), ("IN_PROGRESS", "waiting"), ("FAILED", "failed")]
)
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_replaced_deployment_has_the_result_of_the_newer_one(
    dependents, write_started, watch, rollout, expected, is_listed
):
    own_deployments = [dependents.deployment("ecs-svc/2", status="ACTIVE", rollout="IN_PROGRESS")] if is_listed else []
    event = "(service orders) (deployment ecs-svc/1) deployment failed: tasks failed to start."
    roll_back(dependents, own_deployments=own_deployments, events=[event])
    dependents.service["deployments"][0]["rolloutState"] = rollout
    write_started(SERVICE)

    assert watch() == expected


@pytest.mark.parametrize(
    ("deployments", "expected"), [((("ecs-svc/2", 2),), "settled"), ((("ecs-svc/2", 1),), "waiting"),
                                  ((("ecs-svc/2", 2), ("ecs-svc/1", 1)), "waiting")]
)  # fmt: skip
def test_without_a_rollout_state_the_tasks_are_counted(dependents, write_started, watch, deployments, expected):
    status = itertools.chain(["PRIMARY"], itertools.repeat("ACTIVE"))
    dependents.service["deployments"] = [
        dependents.deployment(deployment, status=next(status), rollout="") | {"runningCount": running}
        for deployment, running in deployments
    ]
    write_started(SERVICE)

    assert watch() == expected


@pytest.mark.parametrize("status", ["DRAINING", "INACTIVE"])
def test_a_service_that_is_being_deleted_fails_the_restart(dependents, write_started, watch, outcome, status):
    dependents.service["status"] = status
    write_started(SERVICE)

    assert watch() == "failed"
    assert outcome() == ("failed", "The service is no longer active.")


# --- deployments that shift traffic ----------------------------------------------------------------------------------


@pytest.fixture
def shift_traffic(dependents):
    """Starts a deployment with this strategy, whose tasks run beside those from before.

    Both revisions run at the same time until the bake time is over, up to 1,440 minutes; then the tasks from before are
    ended (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html).
    """

    def apply(strategy, rollout):
        dependents.service["deploymentConfiguration"] = {"strategy": strategy, "bakeTimeInMinutes": 1440}
        dependents.service["deployments"] = [
            dependents.deployment("ecs-svc/2", 25, rollout=rollout),
            dependents.deployment("ecs-svc/1", 3600, "ACTIVE", rollout),
        ]

    return apply


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "LINEAR", "CANARY"])
@pytest.mark.parametrize("rollout", ["IN_PROGRESS", "COMPLETED", ""])
def test_a_deployment_that_shifts_traffic_has_settled_when_only_its_own_tasks_are_left(
    dependents, shift_traffic, write_started, watch, strategy, rollout
):
    shift_traffic(strategy, rollout)
    write_started(SERVICE)

    assert watch() == "waiting"

    dependents.settle()
    assert watch() == "settled"


def test_a_rolling_update_has_settled_when_its_rollout_is_completed(dependents, shift_traffic, write_started, watch):
    shift_traffic("ROLLING", "COMPLETED")
    write_started(SERVICE)

    assert watch() == "settled"


@pytest.mark.parametrize("rollout", ["COMPLETED", ""])
@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "LINEAR", "CANARY", "ROLLING"])
def test_an_earlier_revision_that_runs_instead_is_a_rollback(
    dependents, shift_traffic, write_started, watch, outcome, strategy, rollout
):
    """There is no other sign of it: "Amazon ECS doesn't create a new service revision for a rollback operation"
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html)."""
    shift_traffic(strategy, rollout)
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/1", 3600, rollout=rollout)]
    write_started(SERVICE)

    assert watch() == "failed"
    assert outcome() == ("failed", "Its deployment failed, and ECS rolled it back.")


def test_a_deployment_that_is_not_primary_yet_is_recognized_and_waited_for(dependents, write_wanted, restart, watch):
    """AWS does not say which of the two is PRIMARY until traffic is shifted."""
    dependents.reset()
    dependents.service["deploymentConfiguration"] = {"strategy": "BLUE_GREEN"}
    write_wanted(SERVICE)
    restart()
    for deployment in dependents.service["deployments"]:
        deployment["status"] = "ACTIVE" if deployment["status"] == "PRIMARY" else "PRIMARY"

    assert [restart(), watch()] == ["waiting", "waiting"]

    dependents.settle()
    dependents.service["deployments"][0]["status"] = "PRIMARY"
    assert watch() == "settled"
    assert dependents.started == {SERVICE: 1}
