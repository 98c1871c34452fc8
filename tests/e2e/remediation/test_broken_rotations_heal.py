"""A rotation broken at each of its steps, and mended in each of the ways that there are."""

from typing import Any, NamedTuple

import pytest

from tests.e2e.remediation.estate import FUNCTIONS, STEPS
from tests.e2e.remediation.notification_listener import EndedIncident

FALLBACK = "rotation-guard:fallback"


class Healed(NamedTuple):
    """A secret whose incident is over."""

    arn: str
    before: dict[str, str]
    """Where its labels were while the rotation was broken."""
    now: dict[str, str]
    works: bool
    """Whether its database takes AWSCURRENT."""
    ended: EndedIncident


@pytest.fixture(scope="module")
def healed(repairing) -> dict[tuple[str, str], Healed]:
    """All that is told here, broken at once."""
    team, broken = repairing.estate, {}

    def breaks(way: str, step: str, arn: str, times: int = 99) -> None:
        broken[way, step] = (repairing.breaks(arn, step, times), team.labels(arn))

    for step in STEPS:
        # Without a probe nothing is known, and then a retry is all there is.
        breaks("retry", step, team.untag(team.secret(), "probe"), times=1)
    for step in ("createSecret", "setSecret"):
        breaks("probed retry", step, team.secret(), times=1)
    for step in ("testSecret", "finishSecret"):
        breaks("roll forward", step, team.secret())
    for way, allowed in (("fallback", "allowed"), ("no fallback", "no")):
        arn = repairing.rotates(team.secret({FALLBACK: allowed}))
        # The database was restored from yesterday's backup.
        team.takes(arn, "AWSPREVIOUS")
        breaks(way, "createSecret", arn)
    ended = repairing.listener.all_ended([arn for arn, _ in broken.values()])
    return {
        name: Healed(arn, before, team.labels(arn), team.works(arn), each)
        for (name, (arn, before)), each in zip(broken.items(), ended, strict=True)
    }


@pytest.fixture(scope="module")
def mended_by_aws(patient) -> dict[str, Healed]:
    """A rotation broken at each step, and tried again by AWS while the workflow leaves it alone."""
    team, broken = patient.estate, {}
    for step in STEPS:
        arn = patient.breaks(team.secret(), step, times=1)
        broken[step] = (arn, team.labels(arn))
    for arn, _ in broken.values():
        # A success that is heard of first would leave nothing to open.
        patient.listener.row(arn)
        team.aws_tries_again(arn)
    # Who opened them is waiting still.
    ended = patient.listener.all_ended([arn for arn, _ in broken.values()], by=["ended_by"])
    return {
        step: Healed(arn, before, team.labels(arn), team.works(arn), each)
        for (step, (arn, before)), each in zip(broken.items(), ended, strict=True)
    }


def told(one: Healed) -> dict[str, Any]:
    """What was told of an incident, and how its executions ended."""
    return {
        "notices": one.ended.turns,
        # A rotation that was asked for may be done before it is told that it was.
        "events": sorted(one.ended.detail_types),
        "executions": set(one.ended.executions.values()),
    }


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_aws_mends_by_itself_is_told_and_not_touched(mended_by_aws, step):
    one = mended_by_aws[step]

    assert one.ended.row["outcome"] == "recovered by AWS"
    assert (one.ended.row["failed_step"], one.ended.row["attempts"], one.ended.done) == (step, 0, [])
    assert told(one) == {
        "notices": ["opened", "recovered"],
        "events": ["Opened", "Recovered"],
        "executions": {"SUCCEEDED"},
    }
    assert one.now["AWSCURRENT"] == one.before["AWSPENDING"]
    assert one.now["AWSPREVIOUS"] == one.before["AWSCURRENT"]
    assert one.works


@pytest.mark.parametrize(
    ("way", "step"),
    [*(("retry", step) for step in STEPS), ("probed retry", "createSecret"), ("probed retry", "setSecret")],
)
def test_what_passes_is_mended_by_one_retry(healed, way, step):
    one = healed[way, step]

    assert one.ended.row["outcome"] == "recovered by retry"
    assert (one.ended.row["failed_step"], one.ended.row["attempts"]) == (step, 1)
    assert [action["outcome"] for action in one.ended.row["actions"] if action["action"] == "retry"] == [
        "asked",
        "reattempted",
    ]
    assert told(one) == {
        "notices": ["opened", "recovered"],
        "events": ["Opened", "Recovered", "Retried"],
        "executions": {"SUCCEEDED"},
    }
    assert one.now["AWSCURRENT"] == one.before["AWSPENDING"]
    assert one.works


@pytest.mark.parametrize("step", ["testSecret", "finishSecret"])
def test_what_the_database_knows_already_is_rolled_forward(healed, step):
    one = healed["roll forward", step]

    assert one.ended.row["outcome"] == "rolled forward"
    assert (one.ended.row["failed_step"], one.ended.row["attempts"]) == (step, 0)
    assert one.ended.row["moved"]["from"] == one.before["AWSCURRENT"]
    assert one.ended.row["moved"]["to"] == one.now["AWSCURRENT"] == one.before["AWSPENDING"]
    assert one.now["AWSPREVIOUS"] == one.before["AWSCURRENT"]
    assert told(one) == {
        "notices": ["opened", "recovered"],
        "events": ["Opened", "Recovered"],
        "executions": {"SUCCEEDED"},
    }
    assert one.works


def test_what_may_fall_back_works_with_the_value_of_before(healed):
    one = healed["fallback", "createSecret"]

    assert one.ended.row["outcome"] == "fallen back"
    assert one.now["AWSCURRENT"] == one.before["AWSPREVIOUS"]
    assert one.now["AWSPENDING"] == one.before["AWSPENDING"]
    assert told(one) == {
        "notices": ["opened", "recovered"],
        "events": ["Opened", "Recovered"],
        "executions": {"SUCCEEDED"},
    }
    assert one.works


def test_what_may_not_fall_back_is_retried_as_often_as_that_is_allowed_and_then_people_are_told(healed):
    one = healed["no fallback", "createSecret"]

    assert one.ended.row["outcome"] == "escalated"
    assert one.ended.row["reason"].startswith("No retry is left (2 of 2 made)")
    assert one.now == one.before
    assert told(one) == {
        "notices": ["opened", "escalated", "escalated"],
        "events": ["Escalated", "Opened", "Retried", "Retried"],
        "executions": {"SUCCEEDED"},
    }
    escalated = [notice for notice in one.ended.notices if notice.told["turn"] == "escalated"]
    assert [notice.topic for notice in escalated] == ["remediation", "critical"]
    # The probe has disproved AWSCURRENT; it is not asked about AWSPREVIOUS, which the secret does not allow to use.
    assert {notice.told["severity"] for notice in escalated} == {"OUTAGE"}
    assert "move-to-version-id" not in escalated[0].body
    assert [event["detail"]["severity"] for event in one.ended.events if event["detail"]["turn"] == "escalated"] == [
        "OUTAGE"
    ]


def test_every_notice_is_short_and_leads_to_the_execution_the_secret_and_the_runbook(healed):
    for each in healed.values():
        for notice in each.ended.notices:
            assert len(notice.subject) < 100
            assert each.ended.row["secret_name"][:20] in notice.subject
            assert notice.subject.startswith(f"{notice.told['severity']} ")
            assert notice.told["function"] == FUNCTIONS["rotate"]
            assert notice.told["commands"]
            assert notice.told["execution"] in each.ended.executions
            assert all(notice.told["links"].values())
            assert notice.told["next"]


def test_no_label_was_ever_on_two_versions_and_every_action_is_written_down_with_its_time(healed):
    for each in healed.values():
        for action in each.ended.row["actions"]:
            assert action["at"].endswith("Z")
            assert action["outcome"]
        assert each.ended.row["closed_at"] >= each.ended.row["opened_at"][:19]
