"""What keeps remediation from repairing a secret: it is escalated with the reason, and nothing is changed."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from local.demo import portfolio
from rotation_guard.cli.application import app
from tests.e2e.remediation.estate import ACCOUNT, PROBED, REGION

ESCALATED = ["opened", "escalated", "escalated"]


def seeded(world, like):
    """A secret that somebody else rotates, whose tags opt in to everything."""
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


def is_unchanged(world, incident, before):
    """Whether remediation changed nothing."""
    labels = world.estate.labels(incident.row["secret_arn"])
    return (labels, incident.done, incident.row["attempts"], "moved" in incident.row) == (before, [], 0, False)


def is_rolled_forward(world, arn, number):
    incident = world.listener.wait_for_incident(arn, number)
    return incident.row["outcome"] == "rolled forward" and world.estate.works(arn)


NOT_OURS = {
    "of a service": {"OwningService": "rds"},
    "a replica": {"PrimaryRegion": "us-east-1"},
    "of a partner": {"Type": "Salesforce"},
    "deleted": {"DeletedDate": "2026-03-01T00:00:00Z"},
}
"""Fields of a secret that somebody else rotates."""
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
def unrepaired(repair_world):
    """Name -> the labels and the incident of a secret that must not be repaired."""
    secrets = {name: seeded(repair_world, like) for name, like in NOT_OURS.items()}
    secrets["untagged"] = repair_world.estate.untag(repair_world.create_secret_to_roll_forward(), "remediation")
    secrets["only tested"] = repair_world.create_secret_to_roll_forward()
    before = {name: repair_world.estate.labels(arn) for name, arn in secrets.items()} | {"gone": {}}
    secrets["gone"] = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:team/{uuid.uuid4()}-Ab12Cd"
    failed = (repair_world.event("rotation-failed", arn) for name, arn in secrets.items() if name != "only tested")
    repair_world.put(repair_world.event("test-rotation-failed", secrets["only tested"]), *failed)
    incidents = repair_world.listener.wait_for_incidents(list(secrets.values()))
    return {name: (before[name], incident) for name, incident in zip(secrets, incidents, strict=True)}


@pytest.mark.parametrize("name", REASONS)
def test_a_secret_that_must_not_be_repaired_is_escalated_with_the_reason(repair_world, unrepaired, name):
    before, incident = unrepaired[name]

    assert (incident.row["outcome"], incident.row["reason"]) == ("escalated", REASONS[name])
    assert incident.transitions == ESCALATED
    # An alarm on failed executions would page a second time.
    assert set(incident.executions.values()) == {"SUCCEEDED"}
    assert name == "gone" or is_unchanged(repair_world, incident, before)


def test_mode_retry_moves_no_label_and_has_no_function_that_could(retry_world):
    arn = retry_world.create_secret_to_roll_forward()
    before = retry_world.estate.labels(arn)

    retry_world.put(retry_world.event("rotation-failed", arn))

    incident = retry_world.listener.wait_for_incident(arn)
    assert is_unchanged(retry_world, incident, before)
    assert incident.row["evidence"] == {"current": "broken", "pending": "works", "previous": "absent", "notes": []}
    assert "only repair mode moves AWSCURRENT there" in incident.row["reason"]
    assert not retry_world.has_step("move")


def test_mode_notify_only_notifies_and_has_no_function_for_repairs(notify_world):
    arns = [
        notify_world.create_secret_to_roll_forward(),
        notify_world.fail_rotation(notify_world.estate.secret(), "finishSecret"),
    ]
    before = [notify_world.estate.labels(arn) for arn in arns]

    notify_world.put(notify_world.event("rotation-failed", arns[0]))

    for labels, incident in zip(before, notify_world.listener.wait_for_incidents(arns), strict=True):
        assert is_unchanged(notify_world, incident, labels)
        assert incident.row["reason"].startswith("The mode of this secret is notify, so remediation only notifies.")
        assert incident.transitions == ESCALATED
    assert [notify_world.has_step(step) for step in ("decide", "retry", "move")] == [True, False, False]


def test_a_kill_switch_that_says_stop_escalates_every_incident_and_stops_every_repair(repair_world, monkeypatch):
    arns = [repair_world.create_secret_to_roll_forward(), repair_world.estate.secret()]
    run = command_line(repair_world, monkeypatch)
    assert "stopped" in run("remediation", "stop")
    try:
        repair_world.fail_rotation(arns[1], "setSecret", times=1)
        before = [repair_world.estate.labels(arn) for arn in arns]
        repair_world.put(repair_world.event("rotation-failed", arns[0]))
        incidents = repair_world.listener.wait_for_incidents(arns)
    finally:
        run("remediation", "go")

    for labels, incident in zip(before, incidents, strict=True):
        assert is_unchanged(repair_world, incident, labels)
        assert incident.row["reason"].startswith("The kill switch says stop")
        assert incident.transitions == ESCALATED
    repair_world.put(repair_world.event("rotation-failed", arns[0]))
    assert is_rolled_forward(repair_world, arns[0], 2)


def test_actions_wait_for_the_change_window_and_notifications_do_not(repair_world):
    opens = datetime.now(UTC) + timedelta(hours=12)
    window = f'{{"start": "{opens:%H:%M}", "end": "{opens + timedelta(hours=1):%H:%M}"}}'
    with repair_world.configure_step("decide", CHANGE_WINDOW=window):
        arn = repair_world.fail_rotation(repair_world.estate.secret(), "finishSecret", times=1)
        before = repair_world.estate.labels(arn)
        row = repair_world.listener.row(
            arn, lambda row: any(action.get("rule") == "window closed" for action in row["actions"])
        )
        repair_world.listener.listen()

        assert row["state"] == "open"
        assert repair_world.estate.labels(arn) == before
        assert [notification.payload["turn"] for notification in repair_world.listener.notifications_about(arn)] == [
            "opened"
        ]

        repair_world.estate.aws_tries_again(arn)

        # The window is removed only after that, since deploying the function may end a step that is running.
        row = repair_world.listener.row(arn, lambda row: row["state"] == "closed")
    assert row["outcome"] == "recovered by AWS"
    assert "moved" not in row


def test_the_circuit_breaker_opens_after_two_incidents_until_an_operator_releases_the_secret(repair_world, monkeypatch):
    estate, arn = repair_world.estate, repair_world.create_secret_to_roll_forward()
    run = command_line(repair_world, monkeypatch)
    before = estate.labels(arn)
    estate.accept_label(arn, None)
    for number in (1, 2):
        repair_world.put(repair_world.event("rotation-failed", arn))
        incident = repair_world.listener.wait_for_incident(arn, number)
        assert incident.row["reason"].startswith("AWSCURRENT does not work and neither does")

    estate.accept_label(arn, "AWSPENDING")
    repair_world.put(repair_world.event("rotation-failed", arn))

    third = repair_world.listener.wait_for_incident(arn, 3)
    assert is_unchanged(repair_world, third, before)
    assert third.row["reason"].startswith("Repairs of this secret are suspended until an operator releases it")
    assert third.transitions == ESCALATED
    assert "is released" in run("incidents", "release", arn)
    released = repair_world.listener.row(arn, lambda row: row["actions"][-1]["action"] == "release")
    assert released["actions"][-1]["reason"] == "The end-to-end test."

    repair_world.put(repair_world.event("rotation-failed", arn))

    assert is_rolled_forward(repair_world, arn, 4)


def command_line(world, monkeypatch):
    """Runs the command line where it finds this stack."""
    monkeypatch.chdir(world.stack.directory.parent)

    def run(*arguments):
        why = ("--local", "--reason", "The end-to-end test.")
        result = CliRunner().invoke(app, [*arguments, *why], env={"COLUMNS": "80"})
        assert result.exit_code == 0, result.output
        return result.stdout

    return run
