"""What keeps remediation from touching a secret: told, and why, and nothing done."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from local.demo import portfolio
from rotation_guard.cli.__main__ import app
from tests.e2e.remediation.estate import ACCOUNT, PROBED, REGION

ESCALATED = ["opened", "escalated", "escalated"]


def seeded(world, like):
    """A secret of somebody else's, whose tags ask for all that there is."""
    name, now = f"others/{uuid.uuid4()}", datetime.now(UTC).isoformat()
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-Ab12Cd"
    versions = {str(uuid.uuid4()): [label] for label in ("AWSCURRENT", "AWSPENDING")}
    entry = {
        "Name": name,
        "ARN": arn,
        "Tags": [{"Key": key, "Value": value} for key, value in PROBED.items()],
        "SecretVersionsToStages": versions,
        "VersionCreatedDates": dict.fromkeys(versions, now),
        "CreatedDate": now,
        "LastChangedDate": now,
        "RotationEnabled": True,
    }
    portfolio.seed(world.stack, [{**entry, **like}])
    return arn


def untouched(world, ended, before):
    """Whether nothing was done to a secret, and its incident ended with people."""
    labels = world.estate.labels(ended.row["secret_arn"])
    return (labels, ended.done, ended.row["attempts"], "moved" in ended.row) == (before, [], 0, False)


def rolled_forward(world, arn, number):
    ended = world.listener.ended(arn, number)
    return ended.row["outcome"] == "rolled forward" and world.estate.works(arn)


OTHERS = {
    "of a service": {"OwningService": "rds"},
    "a replica": {"PrimaryRegion": "us-east-1"},
    "of a partner": {"Type": "Salesforce"},
    "deleted": {"DeletedDate": "2026-03-01T00:00:00Z"},
}
"""What makes a secret one that somebody else repairs."""
REASONS = {
    "of a service": "It belongs to the service rds, which rotates it by itself.",
    "a replica": "It is a replica: repair its primary in us-east-1.",
    "of a partner": "It is a managed external secret (Salesforce), which its partner rotates.",
    "deleted": "It is marked for deletion.",
    "gone": "It does not exist in Secrets Manager any more.",
    "untagged": "The mode of this secret is notify, so remediation only notifies. It has no tag "
    "rotation-guard:remediation.",
    "only tested": "Only the test of the rotation's settings failed: nothing was rotated, so nothing needs a repair.",
}


@pytest.fixture(scope="module")
def let_alone(repairing):
    """Incidents of secrets that are not to be touched, all at once: name -> where its labels were, and how it ended."""
    secrets = {name: seeded(repairing, like) for name, like in OTHERS.items()}
    secrets["untagged"] = repairing.estate.untag(repairing.mendable(), "remediation")
    secrets["only tested"] = repairing.mendable()
    before = {name: repairing.estate.labels(arn) for name, arn in secrets.items()} | {"gone": {}}
    secrets["gone"] = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:team/{uuid.uuid4()}-Ab12Cd"
    failed = (repairing.event("rotation-failed", arn) for name, arn in secrets.items() if name != "only tested")
    repairing.put(repairing.event("test-rotation-failed", secrets["only tested"]), *failed)
    ended = repairing.listener.all_ended(list(secrets.values()))
    return {name: (before[name], each) for name, each in zip(secrets, ended, strict=True)}


@pytest.mark.parametrize("name", REASONS)
def test_what_is_not_to_be_touched_is_told_and_why(repairing, let_alone, name):
    before, ended = let_alone[name]

    assert (ended.row["outcome"], ended.row["reason"]) == ("escalated", REASONS[name])
    assert ended.turns == ESCALATED
    # An alarm on failed executions would page a second time.
    assert set(ended.executions.values()) == {"SUCCEEDED"}
    assert name == "gone" or untouched(repairing, ended, before)


def test_a_probe_in_mode_retry_moves_nothing_and_there_is_nothing_that_could(retrying):
    arn = retrying.mendable()
    before = retrying.estate.labels(arn)

    retrying.put(retrying.event("rotation-failed", arn))

    ended = retrying.listener.ended(arn)
    assert untouched(retrying, ended, before)
    assert ended.row["evidence"] == {"current": "broken", "pending": "works", "previous": "absent", "notes": []}
    assert "only repair mode moves AWSCURRENT there" in ended.row["reason"]
    assert not retrying.has_step("move")


def test_in_mode_notify_nothing_is_done_but_telling_and_there_is_nothing_that_could(telling):
    arns = [telling.mendable(), telling.breaks(telling.estate.secret(), "finishSecret")]
    before = [telling.estate.labels(arn) for arn in arns]

    telling.put(telling.event("rotation-failed", arns[0]))

    for labels, ended in zip(before, telling.listener.all_ended(arns), strict=True):
        assert untouched(telling, ended, labels)
        assert ended.row["reason"].startswith("The mode of this secret is notify, so remediation only notifies.")
        assert ended.turns == ESCALATED
    assert [telling.has_step(step) for step in ("decide", "retry", "move")] == [True, False, False]


def test_while_the_kill_switch_says_stop_nothing_is_touched_and_everything_is_told(repairing, monkeypatch):
    arns, run = [repairing.mendable(), repairing.estate.secret()], cli(repairing, monkeypatch)
    assert "stopped" in run("remediation", "stop")
    try:
        repairing.breaks(arns[1], "setSecret", times=1)
        before = [repairing.estate.labels(arn) for arn in arns]
        repairing.put(repairing.event("rotation-failed", arns[0]))
        all_ended = repairing.listener.all_ended(arns)
    finally:
        run("remediation", "go")

    for labels, ended in zip(before, all_ended, strict=True):
        assert untouched(repairing, ended, labels)
        assert ended.row["reason"].startswith("The kill switch says stop")
        assert ended.turns == ESCALATED
    repairing.put(repairing.event("rotation-failed", arns[0]))
    assert rolled_forward(repairing, arns[0], 2)


def test_actions_wait_for_the_change_window_and_notices_do_not(repairing):
    opens = datetime.now(UTC) + timedelta(hours=12)
    window = f'{{"start": "{opens:%H:%M}", "end": "{opens + timedelta(hours=1):%H:%M}"}}'
    with repairing.step_told("decide", CHANGE_WINDOW=window):
        arn = repairing.breaks(repairing.estate.secret(), "finishSecret", times=1)
        before = repairing.estate.labels(arn)
        row = repairing.listener.row(
            arn, lambda row: any(action.get("rule") == "window closed" for action in row["actions"])
        )
        repairing.listener.listen()

        assert row["state"] == "open"
        assert repairing.estate.labels(arn) == before
        assert [notice.told["turn"] for notice in repairing.listener.of(arn)] == ["opened"]

        repairing.estate.aws_tries_again(arn)

        # Whoever takes the window away meanwhile may end the step that has just written down its answer.
        closed = repairing.listener.row(arn, lambda row: row["state"] == "closed")
    assert closed["outcome"] == "recovered by AWS"
    assert "moved" not in closed


def test_the_breaker_gives_a_secret_up_after_two_incidents_until_somebody_releases_it(repairing, monkeypatch):
    team, arn, run = repairing.estate, repairing.mendable(), cli(repairing, monkeypatch)
    before = team.labels(arn)
    team.takes(arn, None)
    for number in (1, 2):
        repairing.put(repairing.event("rotation-failed", arn))
        assert (
            repairing.listener.ended(arn, number).row["reason"].startswith("AWSCURRENT does not work and neither does")
        )

    team.takes(arn, "AWSPENDING")
    repairing.put(repairing.event("rotation-failed", arn))

    third = repairing.listener.ended(arn, 3)
    assert untouched(repairing, third, before)
    assert third.row["reason"].startswith("Repairs of this secret are suspended until an operator releases it")
    assert third.turns == ESCALATED
    assert "is released" in run("incidents", "release", arn)
    released = repairing.listener.row(arn, lambda row: row["actions"][-1]["action"] == "release")
    assert released["actions"][-1]["reason"] == "The end-to-end test."

    repairing.put(repairing.event("rotation-failed", arn))

    assert rolled_forward(repairing, arn, 4)


def cli(world, monkeypatch):
    """The command line, where it finds this stack."""
    monkeypatch.chdir(world.stack.directory.parent)

    def run(*arguments):
        why = ("--local", "--reason", "The end-to-end test.")
        result = CliRunner().invoke(app, [*arguments, *why], env={"COLUMNS": "80"})
        assert result.exit_code == 0, result.output
        return result.stdout

    return run
