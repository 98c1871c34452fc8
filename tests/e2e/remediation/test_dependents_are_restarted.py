"""Dependents are restarted once after AWSCURRENT has moved, and escalated if they do not settle."""

import pytest

from tests.e2e.remediation.dependents import Dependents

RESTART, RESTART_ON = "rotation-guard:restart", "rotation-guard:restart-on"
TAGS = {
    "mixed": "ecs:team/api lambda:team-worker, ssm:team-reload",
    "unlisted": "lambda:team-unlisted lambda:team-worker",
    "stuck": "ecs:team/stuck",
    "fails": "ssm:team-reload-fails",
    "never": "ssm:team-reload-never",
    "shared 1": "lambda:team-shared",
    "shared 2": "lambda:team-shared",
}


@pytest.fixture(scope="module")
def dependents(repair_world):
    return Dependents(repair_world.stack, repair_world.estate)


@pytest.fixture(scope="module")
def before(dependents):
    """Their state before any restart."""
    workers = ("team-worker", "team-unlisted")
    return {worker: dependents.configuration(worker) for worker in workers} | {"api": dependents.deployment("api")}


@pytest.fixture(scope="module")
def restarted(repair_world, before):
    """Incidents that are rolled forward at the same time, by the name of their dependents."""
    secrets = {name: repair_world.create_secret_to_roll_forward({RESTART: tag}) for name, tag in TAGS.items()}
    repair_world.put(*(repair_world.event("rotation-failed", arn) for arn in secrets.values()))
    return dict(zip(secrets, repair_world.listener.wait_for_incidents(list(secrets.values())), strict=True))


def states(incident):
    return {restart["target"]: restart["state"] for restart in incident.row["restarts"]}


def test_services_functions_and_documents_are_restarted_and_settle(restarted, dependents, before):
    incident = restarted["mixed"]

    assert incident.row["outcome"] == "rolled forward"
    assert states(incident) == {
        "ecs:team/api": "settled",
        "lambda:team-worker": "settled",
        "ssm:team-reload": "settled",
    }
    assert dependents.deployment("api") != before["api"]
    assert "ROTATION_GUARD_RESTARTED_FOR" in dependents.configuration("team-worker")["variables"]
    assert incident.transitions == ["opened", "recovered"]
    assert incident.row["closed_at"] > incident.row["moved"]["at"]


def test_a_dependent_that_is_not_listed_is_not_restarted_and_the_notification_names_it(restarted, dependents, before):
    incident = restarted["unlisted"]

    assert states(incident)["lambda:team-unlisted"] == "refused"
    assert dependents.configuration("team-unlisted") == before["team-unlisted"]
    assert incident.row["outcome"] == "rolled forward"
    [closed] = [notification for notification in incident.notifications if notification.payload["turn"] == "recovered"]
    assert "Restart the dependents that were not restarted: lambda:team-unlisted." in closed.payload["next"]


@pytest.mark.parametrize(
    ("name", "target", "state", "reason"),
    [
        ("stuck", "ecs:team/stuck", "started", "A restart of what uses the secret has not settled within 1 minutes."),
        (
            "never",
            "ssm:team-reload-never",
            "started",
            "A restart of what uses the secret has not settled within 1 minutes.",
        ),
        ("fails", "ssm:team-reload-fails", "failed", "A restart of what uses the secret failed."),
    ],
)
def test_a_restart_that_does_not_settle_is_escalated(repair_world, restarted, name, target, state, reason):
    incident = restarted[name]

    assert (incident.row["outcome"], incident.row["reason"]) == ("escalated", reason)
    assert states(incident) == {target: state}
    assert repair_world.estate.works(incident.row["secret_arn"])
    assert incident.transitions == ["opened", "escalated", "escalated"]
    assert set(incident.executions.values()) == {"SUCCEEDED"}


def test_two_secrets_of_one_function_restart_it_once(restarted):
    both = [restarted["shared 1"], restarted["shared 2"]]

    assert [states(incident) for incident in both] == [{"lambda:team-shared": "settled"}] * 2
    begun = sorted(
        action["outcome"]
        for incident in both
        for action in incident.row["actions"]
        if action["action"] == "restart" and action["outcome"] != "settled"
    )
    assert begun == ["covered", "started"]


def test_an_ordinary_rotation_restarts_once_although_aws_sends_two_events(repair_world, dependents):
    arn = repair_world.estate.secret({RESTART: "lambda:team-consumer", RESTART_ON: "rotation"})
    before = dependents.configuration("team-consumer")

    repair_world.complete_rotation(arn)

    incident = repair_world.listener.wait_for_incident(arn)
    repair_world.wait_for_executions(arn, 2)
    assert (incident.row["outcome"], incident.transitions, incident.detail_types) == ("restarted", ["restarted"], [])
    assert states(incident) == {"lambda:team-consumer": "settled"}
    assert len(repair_world.listener.rows(arn)) == 1
    assert dependents.configuration("team-consumer")["variables"] != before["variables"]
    assert incident.done == ["restart", "restart"]


def test_without_the_tag_an_ordinary_rotation_restarts_nothing(repair_world, dependents):
    arn = repair_world.estate.secret({RESTART: "lambda:team-consumer"})
    before = dependents.configuration("team-consumer")

    repair_world.complete_rotation(arn)

    repair_world.wait_for_executions(arn, 2)
    assert repair_world.listener.rows(arn) == []
    assert dependents.configuration("team-consumer") == before


def test_only_the_restart_step_may_restart_and_only_listed_dependents(repair_world, dependents):
    starts, watches = (repair_world.client_as(step, "lambda") for step in ("restart", "watch"))

    def may(client, worker):
        return repair_world.is_allowed(client.update_function_configuration, FunctionName=worker, Description="x")

    assert may(starts, "team-worker")
    assert not may(starts, "team-unlisted")
    assert not may(watches, "team-worker")
    for step in ("diagnose", "decide", "retry", "move", "end", "notify"):
        assert not may(repair_world.client_as(step, "lambda"), "team-worker")
