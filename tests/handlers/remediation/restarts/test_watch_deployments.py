"""How a deployment of an ECS service stands, whatever its strategy and however it ends."""

import itertools

import pytest

from tests.handlers.remediation.dependents import SERVICE


@pytest.fixture(autouse=True)
def _under_way(under_way):
    """Everything is under way unless a test says otherwise."""


def test_a_deployment_that_failed_without_a_roll_back_is_told(dependents, started, watch, outcome):
    dependents.service["deployments"][0]["rolloutState"] = "FAILED"
    started(SERVICE)

    assert watch() == "failed"
    assert outcome() == ("failed", "Its deployment failed: tasks did not reach a steady state.")


ROLLING_BACK = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."


def rolled_back(dependents, *, own=(), reason="ECS deployment ecs-svc/3 completed.", events=()):
    primary = dependents.deployment("ecs-svc/3", rolloutStateReason=reason)
    dependents.service |= {"deployments": [primary, *own], "events": [{"message": message} for message in events]}


@pytest.mark.parametrize("sign", ["own", "reason", "event"])
def test_a_deployment_that_the_circuit_breaker_rolled_back_is_told_by_whatever_sign(
    dependents, started, watch, outcome, sign
):
    signs = {
        "own": {"own": [dependents.deployment("ecs-svc/2", status="ACTIVE", rollout="FAILED")]},
        "reason": {"reason": ROLLING_BACK},
        "event": {"events": ["(service orders) (deployment ecs-svc/2) deployment failed: tasks failed to start."]},
    }
    rolled_back(dependents, **signs[sign])
    started(SERVICE)

    assert watch() == "failed"
    assert outcome() == ("failed", "Its deployment failed, and ECS rolled it back.")


@pytest.mark.parametrize(
    ("rollout", "expected"), [("COMPLETED", "settled"), ("IN_PROGRESS", "waiting"), ("FAILED", "failed")]
)
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_deployment_that_a_newer_one_replaced_is_judged_by_that(
    dependents, started, watch, rollout, expected, is_listed
):
    own = [dependents.deployment("ecs-svc/2", status="ACTIVE", rollout="IN_PROGRESS")] if is_listed else []
    event = "(service orders) (deployment ecs-svc/1) deployment failed: tasks failed to start."
    rolled_back(dependents, own=own, events=[event])
    dependents.service["deployments"][0]["rolloutState"] = rollout
    started(SERVICE)

    assert watch() == expected


@pytest.mark.parametrize(
    ("deployments", "expected"), [((("ecs-svc/2", 2),), "settled"), ((("ecs-svc/2", 1),), "waiting"),
                                  ((("ecs-svc/2", 2), ("ecs-svc/1", 1)), "waiting")]
)  # fmt: skip
def test_without_a_rollout_state_the_tasks_are_counted(dependents, started, watch, deployments, expected):
    status = itertools.chain(["PRIMARY"], itertools.repeat("ACTIVE"))
    dependents.service["deployments"] = [
        dependents.deployment(deployment, status=next(status), rollout="") | {"runningCount": running}
        for deployment, running in deployments
    ]
    started(SERVICE)

    assert watch() == expected


@pytest.mark.parametrize("status", ["DRAINING", "INACTIVE"])
def test_a_service_that_is_being_deleted_is_told(dependents, started, watch, outcome, status):
    dependents.service["status"] = status
    started(SERVICE)

    assert watch() == "failed"
    assert outcome() == ("failed", "The service is no longer active.")


# --- deployments that shift traffic ----------------------------------------------------------------------------------


@pytest.fixture
def shifting(dependents):
    """A deployment by this strategy, with the tasks of before beside its own.

    Both revisions run at the same time until the bake time is over, up to 1,440 minutes; then the tasks of before are
    ended (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html).
    """

    def shift(strategy, rollout):
        dependents.service["deploymentConfiguration"] = {"strategy": strategy, "bakeTimeInMinutes": 1440}
        dependents.service["deployments"] = [
            dependents.deployment("ecs-svc/2", 25, rollout=rollout),
            dependents.deployment("ecs-svc/1", 3600, "ACTIVE", rollout),
        ]

    return shift


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "LINEAR", "CANARY"])
@pytest.mark.parametrize("rollout", ["IN_PROGRESS", "COMPLETED", ""])
def test_a_deployment_that_shifts_traffic_has_settled_when_only_its_own_tasks_are_left(
    dependents, shifting, started, watch, strategy, rollout
):
    shifting(strategy, rollout)
    started(SERVICE)

    assert watch() == "waiting"

    dependents.settle()
    assert watch() == "settled"


def test_a_rolling_update_has_settled_when_it_says_so(dependents, shifting, started, watch):
    shifting("ROLLING", "COMPLETED")
    started(SERVICE)

    assert watch() == "settled"


@pytest.mark.parametrize("rollout", ["COMPLETED", ""])
@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "LINEAR", "CANARY", "ROLLING"])
def test_a_revision_from_before_that_runs_instead_is_a_roll_back(
    dependents, shifting, started, watch, outcome, strategy, rollout
):
    """Nothing else tells of it: "Amazon ECS doesn't create a new service revision for a rollback operation"
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html)."""
    shifting(strategy, rollout)
    dependents.service["deployments"] = [dependents.deployment("ecs-svc/1", 3600, rollout=rollout)]
    started(SERVICE)

    assert watch() == "failed"
    assert outcome() == ("failed", "Its deployment failed, and ECS rolled it back.")


def test_a_deployment_that_is_not_primary_yet_is_found_and_waited_for(dependents, wanted, restart, watch):
    """AWS does not say which of the two is PRIMARY until traffic is shifted."""
    dependents.start_anew()
    dependents.service["deploymentConfiguration"] = {"strategy": "BLUE_GREEN"}
    wanted(SERVICE)
    restart()
    for deployment in dependents.service["deployments"]:
        deployment["status"] = "ACTIVE" if deployment["status"] == "PRIMARY" else "PRIMARY"

    assert [restart(), watch()] == ["waiting", "waiting"]

    dependents.settle()
    dependents.service["deployments"][0]["status"] = "PRIMARY"
    assert watch() == "settled"
    assert dependents.started == {SERVICE: 1}
