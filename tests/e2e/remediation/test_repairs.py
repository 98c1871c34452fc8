"""A rotation that fails at each of its steps, and every way to repair it."""

from typing import Any, NamedTuple

import pytest

from tests.e2e.remediation.estate import FUNCTIONS, STEPS
from tests.e2e.remediation.notification_listener import EndedIncident

FALLBACK = "rotation-guard:fallback"


class Repair(NamedTuple):
    """A secret whose incident is closed."""

    arn: str
    before: dict[str, str]
    """Label -> version while the rotation was failing."""
    now: dict[str, str]
    works: bool
    """Whether the database accepts AWSCURRENT."""
    incident: EndedIncident


@pytest.fixture(scope="module")
def repairs(repair_world) -> dict[tuple[str, str], Repair]:
    """All rotations of this module, which fail at the same time."""
    estate, broken = repair_world.estate, {}

    def fail(kind: str, step: str, arn: str, times: int = 99) -> None:
        broken[kind, step] = (repair_world.fail_rotation(arn, step, times), estate.labels(arn))

    for step in STEPS:
        # Without a probe nothing is proven, and a retry is the only repair.
        fail("retry", step, estate.untag(estate.secret(), "probe"), times=1)
    for step in ("createSecret", "setSecret"):
        fail("probed retry", step, estate.secret(), times=1)
    for step in ("testSecret", "finishSecret"):
        fail("roll forward", step, estate.secret())
    for kind, allowed in (("fallback", "allowed"), ("no fallback", "no")):
        arn = repair_world.complete_rotation(estate.secret({FALLBACK: allowed}))
        # The database was restored from yesterday's backup.
        estate.accept_label(arn, "AWSPREVIOUS")
        fail(kind, "createSecret", arn)
    incidents = repair_world.listener.wait_for_incidents([arn for arn, _ in broken.values()])
    return {
        name: Repair(arn, before, estate.labels(arn), estate.works(arn), incident)
        for (name, (arn, before)), incident in zip(broken.items(), incidents, strict=True)
    }


@pytest.fixture(scope="module")
def repairs_by_aws(default_world) -> dict[str, Repair]:
    """A rotation that fails at each step, and that AWS retries during the workflow's grace period."""
    estate, broken = default_world.estate, {}
    for step in STEPS:
        arn = default_world.fail_rotation(estate.secret(), step, times=1)
        broken[step] = (arn, estate.labels(arn))
    for arn, _ in broken.values():
        # A success that is delivered first would leave no incident to open.
        default_world.listener.row(arn)
        estate.aws_tries_again(arn)
    # The executions that opened the incidents are still waiting.
    incidents = default_world.listener.wait_for_incidents([arn for arn, _ in broken.values()], by=["ended_by"])
    return {
        step: Repair(arn, before, estate.labels(arn), estate.works(arn), incident)
        for (step, (arn, before)), incident in zip(broken.items(), incidents, strict=True)
    }


def summary(repair: Repair) -> dict[str, Any]:
    """The notifications and events of an incident, and how its executions ended."""
    return {
        "notices": repair.incident.transitions,
        # A requested rotation may complete before the event about the request is published.
        "events": sorted(repair.incident.detail_types),
        "executions": set(repair.incident.executions.values()),
    }


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_aws_completes_by_itself_gets_no_repair(repairs_by_aws, step):
    repair = repairs_by_aws[step]

    assert repair.incident.row["outcome"] == "recovered by AWS"
    assert (repair.incident.row["failed_step"], repair.incident.row["attempts"], repair.incident.done) == (step, 0, [])
    assert summary(repair) == {
        "notices": ["opened", "recovered"],
        "events": ["Opened", "Recovered"],
        "executions": {"SUCCEEDED"},
    }
    assert repair.now["AWSCURRENT"] == repair.before["AWSPENDING"]
    assert repair.now["AWSPREVIOUS"] == repair.before["AWSCURRENT"]
    assert repair.works


@pytest.mark.parametrize(
    ("kind", "step"),
    [*(("retry", step) for step in STEPS), ("probed retry", "createSecret"), ("probed retry", "setSecret")],
)
def test_a_transient_failure_is_repaired_by_one_retry(repairs, kind, step):
    repair = repairs[kind, step]

    assert repair.incident.row["outcome"] == "recovered by retry"
    assert (repair.incident.row["failed_step"], repair.incident.row["attempts"]) == (step, 1)
    assert [action["outcome"] for action in repair.incident.row["actions"] if action["action"] == "retry"] == [
        "asked",
        "reattempted",
    ]
    assert summary(repair) == {
        "notices": ["opened", "recovered"],
        "events": ["Opened", "Recovered", "Retried"],
        "executions": {"SUCCEEDED"},
    }
    assert repair.now["AWSCURRENT"] == repair.before["AWSPENDING"]
    assert repair.works


@pytest.mark.parametrize("step", ["testSecret", "finishSecret"])
def test_a_pending_value_that_the_database_accepts_is_rolled_forward(repairs, step):
    repair = repairs["roll forward", step]

    assert repair.incident.row["outcome"] == "rolled forward"
    assert (repair.incident.row["failed_step"], repair.incident.row["attempts"]) == (step, 0)
    assert repair.incident.row["moved"]["from"] == repair.before["AWSCURRENT"]
    assert repair.incident.row["moved"]["to"] == repair.now["AWSCURRENT"] == repair.before["AWSPENDING"]
    assert repair.now["AWSPREVIOUS"] == repair.before["AWSCURRENT"]
    assert summary(repair) == {
        "notices": ["opened", "recovered"],
        "events": ["Opened", "Recovered"],
        "executions": {"SUCCEEDED"},
    }
    assert repair.works


def test_a_secret_that_allows_it_is_rolled_back_to_the_previous_value(repairs):
    repair = repairs["fallback", "createSecret"]

    assert repair.incident.row["outcome"] == "fallen back"
    assert repair.now["AWSCURRENT"] == repair.before["AWSPREVIOUS"]
    assert repair.now["AWSPENDING"] == repair.before["AWSPENDING"]
    assert summary(repair) == {
        "notices": ["opened", "recovered"],
        "events": ["Opened", "Recovered"],
        "executions": {"SUCCEEDED"},
    }
    assert repair.works


def test_a_secret_that_does_not_allow_a_roll_back_is_escalated_after_its_last_retry(repairs):
    repair = repairs["no fallback", "createSecret"]

    assert repair.incident.row["outcome"] == "escalated"
    assert repair.incident.row["reason"].startswith("No retry is left (2 of 2 made)")
    assert repair.now == repair.before
    assert summary(repair) == {
        "notices": ["opened", "escalated", "escalated"],
        "events": ["Escalated", "Opened", "Retried", "Retried"],
        "executions": {"SUCCEEDED"},
    }
    escalated = [
        notification for notification in repair.incident.notifications if notification.payload["turn"] == "escalated"
    ]
    assert [notification.topic for notification in escalated] == ["remediation", "critical"]
    # The probe has disproved AWSCURRENT; it is not called for AWSPREVIOUS, which the secret does not allow.
    assert {notification.payload["severity"] for notification in escalated} == {"OUTAGE"}
    assert "move-to-version-id" not in escalated[0].body
    assert [
        event["detail"]["severity"] for event in repair.incident.events if event["detail"]["turn"] == "escalated"
    ] == ["OUTAGE"]


def test_every_notification_is_short_and_links_to_execution_secret_and_runbook(repairs):
    for repair in repairs.values():
        for notification in repair.incident.notifications:
            assert len(notification.subject) < 100
            assert repair.incident.row["secret_name"][:20] in notification.subject
            assert notification.subject.startswith(f"{notification.payload['severity']} ")
            assert notification.payload["function"] == FUNCTIONS["rotate"]
            assert notification.payload["commands"]
            assert notification.payload["execution"] in repair.incident.executions
            assert all(notification.payload["links"].values())
            assert notification.payload["next"]


def test_every_action_is_recorded_with_its_time_and_outcome(repairs):
    for repair in repairs.values():
        for action in repair.incident.row["actions"]:
            assert action["at"].endswith("Z")
            assert action["outcome"]
        assert repair.incident.row["closed_at"] >= repair.incident.row["opened_at"][:19]
