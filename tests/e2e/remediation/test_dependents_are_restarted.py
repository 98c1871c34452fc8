"""What uses a secret whose AWSCURRENT has moved: restarted once, watched until it settles, told where it does not."""

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
def dependents(repairing):
    return Dependents(repairing.stack, repairing.estate)


@pytest.fixture(scope="module")
def before(dependents):
    """How they were."""
    workers = ("team-worker", "team-unlisted")
    return {worker: dependents.configuration(worker) for worker in workers} | {"api": dependents.deployment("api")}


@pytest.fixture(scope="module")
def restarted(repairing, before):
    """Incidents that are rolled forward, all at once, each with its dependents: name -> how it ended."""
    secrets = {name: repairing.mendable({RESTART: tag}) for name, tag in TAGS.items()}
    repairing.put(*(repairing.event("rotation-failed", arn) for arn in secrets.values()))
    return dict(zip(secrets, repairing.listener.all_ended(list(secrets.values())), strict=True))


def states(ended):
    return {restart["target"]: restart["state"] for restart in ended.row["restarts"]}


def test_services_functions_and_documents_are_restarted_and_settle(restarted, dependents, before):
    ended = restarted["mixed"]

    assert ended.row["outcome"] == "rolled forward"
    assert states(ended) == {"ecs:team/api": "settled", "lambda:team-worker": "settled", "ssm:team-reload": "settled"}
    assert dependents.deployment("api") != before["api"]
    assert "ROTATION_GUARD_RESTARTED_FOR" in dependents.configuration("team-worker")["variables"]
    assert ended.turns == ["opened", "recovered"]
    assert ended.row["closed_at"] > ended.row["moved"]["at"]


def test_what_is_not_listed_is_told_and_not_tried(restarted, dependents, before):
    ended = restarted["unlisted"]

    assert states(ended)["lambda:team-unlisted"] == "refused"
    assert dependents.configuration("team-unlisted") == before["team-unlisted"]
    assert ended.row["outcome"] == "rolled forward"
    [closed] = [notice for notice in ended.notices if notice.told["turn"] == "recovered"]
    assert "Restart the dependents that were not restarted: lambda:team-unlisted." in closed.told["next"]


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
def test_a_restart_that_does_not_settle_is_escalated(repairing, restarted, name, target, state, reason):
    ended = restarted[name]

    assert (ended.row["outcome"], ended.row["reason"]) == ("escalated", reason)
    assert states(ended) == {target: state}
    assert repairing.estate.works(ended.row["secret_arn"])
    assert ended.turns == ["opened", "escalated", "escalated"]
    assert set(ended.executions.values()) == {"SUCCEEDED"}


def test_two_secrets_of_one_service_restart_it_once(restarted):
    both = [restarted["shared 1"], restarted["shared 2"]]

    assert [states(ended) for ended in both] == [{"lambda:team-shared": "settled"}] * 2
    begun = sorted(
        action["outcome"]
        for ended in both
        for action in ended.row["actions"]
        if action["action"] == "restart" and action["outcome"] != "settled"
    )
    assert begun == ["covered", "started"]


def test_an_ordinary_rotation_restarts_once_though_aws_tells_of_it_twice(repairing, dependents):
    arn = repairing.estate.secret({RESTART: "lambda:team-consumer", RESTART_ON: "rotation"})
    untouched = dependents.configuration("team-consumer")

    repairing.rotates(arn)

    ended = repairing.listener.ended(arn)
    repairing.at_rest(arn, 2)
    assert (ended.row["outcome"], ended.turns, ended.detail_types) == ("restarted", ["restarted"], [])
    assert states(ended) == {"lambda:team-consumer": "settled"}
    assert len(repairing.listener.rows(arn)) == 1
    assert dependents.configuration("team-consumer")["variables"] != untouched["variables"]
    assert ended.done == ["restart", "restart"]


def test_without_that_tag_an_ordinary_rotation_restarts_nothing(repairing, dependents):
    arn = repairing.estate.secret({RESTART: "lambda:team-consumer"})
    before = dependents.configuration("team-consumer")

    repairing.rotates(arn)

    repairing.at_rest(arn, 2)
    assert repairing.listener.rows(arn) == []
    assert dependents.configuration("team-consumer") == before


def test_only_what_is_listed_may_be_restarted_and_who_watches_restarts_nothing(repairing, dependents):
    starts, watches = (repairing.acting_as(step, "lambda") for step in ("restart", "watch"))

    def may(client, worker):
        return repairing.is_allowed(client.update_function_configuration, FunctionName=worker, Description="x")

    assert may(starts, "team-worker")
    assert not may(starts, "team-unlisted")
    assert not may(watches, "team-worker")
    for step in ("diagnose", "decide", "retry", "move", "end", "notify"):
        assert not may(repairing.acting_as(step, "lambda"), "team-worker")
