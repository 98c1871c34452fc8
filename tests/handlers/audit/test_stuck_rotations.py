"""Announcements of stuck rotations, and reports of stalled incidents."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from handlers.audit import check

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = "2026-03-01T02:00:00.000Z"
OPENED_AT = "2026-03-01T00:00:00.000Z"


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")


@pytest.fixture
def sent_events(aws):
    """The events that the audit sent."""
    entries = []

    def take(request):
        entries.extend(request["Entries"])
        return {"FailedEntryCount": 0, "Entries": [{"EventId": str(len(entries))} for _ in request["Entries"]]}

    aws.answer("PutEvents", take)
    return entries


def kinds(run):
    return [(finding["kind"], finding["secret_name"]) for finding in run["findings"]]


@pytest.fixture
def make_stuck_secret(aws, create_secret, dates):
    """A secret whose rotation has been in progress for this long."""

    def make(hours):
        secret = create_secret("orders", {"Managed": "true"})
        pending = "99999999-2222-4333-8444-555555555555"
        aws.client("secretsmanager").put_secret_value(
            SecretId=secret["ARN"], SecretString="next", VersionStages=["AWSPENDING"], ClientRequestToken=pending
        )
        dates[pending] = NOW - timedelta(hours=hours)
        return secret, pending

    return make


def test_a_stuck_rotation_without_an_incident_opens_one_once(aws, make_stuck_secret, audit, sent_events):
    secret, pending = make_stuck_secret(25)

    run = audit()

    assert kinds(run) == [("stuck_without_incident", "orders")]
    [event] = sent_events
    assert (event["Source"], event["DetailType"], event["Resources"]) == (
        "rotation-guard",
        "Rotation Stuck",
        [secret["ARN"]],
    )
    detail = json.loads(event["Detail"])
    assert (detail["eventID"], detail["versionId"]) == (f"rotation-stuck-{pending}", pending)
    assert detail["errorMessage"].startswith("A rotation has been stuck since ")
    assert kinds(audit()) == []
    assert len(sent_events) == 1
    [row] = aws.rows("status")
    assert (row["verdict"], row["attention"]) == ("rotation_failing", "yes")


def test_a_stuck_rotation_is_one_event_however_often_and_late_it_is_sent(
    aws, make_stuck_secret, audit, sent_events, dates
):
    make_stuck_secret(30)
    audit()
    for hours in (1, 40):
        [row] = aws.rows("status")
        del row["told_stuck_version_id"]  # as if the run died before it was written, or could not read it
        aws.put("status", row)
        for version, created_at in dates.items():
            assert created_at < NOW - timedelta(hours=29), (version, hours)
        audit()

    first, *others = sent_events
    assert others == [first] * 2
    # The time at which the rotation became stuck, not that of the audit.
    assert timedelta(0) <= first["Time"] - (NOW - timedelta(hours=30 - 24)) <= timedelta(seconds=2)


def write_open_incident(aws, arn, alive_until):
    """An incident as remediation writes it, whose workflow reports again by then."""
    aws.put("incidents", {"secret_arn": f"open#{arn}", "opened_at": "claim", "incident_opened_at": OPENED_AT})
    incident = {"secret_arn": arn, "opened_at": OPENED_AT, "state": "open", "alive_until": alive_until}
    aws.put("incidents", incident)
    listing = {"secret_arn": "unfinished", "opened_at": f"{arn}#{OPENED_AT}", "incident_arn": arn}
    aws.put("incidents", {**listing, "incident_opened_at": OPENED_AT})


@pytest.mark.parametrize("hours", [0, 25])
def test_a_stalled_incident_is_reported_whether_its_rotation_is_stuck_or_not(
    aws, make_stuck_secret, audit, sent_events, hours
):
    secret, _ = make_stuck_secret(hours)
    write_open_incident(aws, secret["ARN"], alive_until=1)

    assert kinds(audit()) == []
    [event] = sent_events
    assert (event["DetailType"], event["Resources"]) == ("Rotation Incident Stalled", [secret["ARN"]])
    assert json.loads(event["Detail"])["opened_at"] == OPENED_AT


def test_an_incident_that_stalls_between_two_runs_is_reported_by_the_second(aws, make_stuck_secret, audit, sent_events):
    secret, _ = make_stuck_secret(25)
    write_open_incident(aws, secret["ARN"], alive_until=4_000_000_000)
    audit()
    assert sent_events == []

    write_open_incident(aws, secret["ARN"], alive_until=1)
    audit()

    assert [event["DetailType"] for event in sent_events] == ["Rotation Incident Stalled"]


def test_a_run_that_could_not_report_stalled_incidents_is_incomplete(aws, make_stuck_secret, audit, sent_events):
    secret, _ = make_stuck_secret(1)
    write_open_incident(aws, secret["ARN"], alive_until=1)
    aws.answer("PutEvents", lambda _: aws.Refusal("InternalFailure", 500))

    run = audit()

    assert run["complete"] is False
    assert "Stalled incidents could not be reported (ClientError)." in run["incomplete_because"]


def write_escalated_incident(aws, arn, version, outcome="escalated"):
    """An incident about this pending version that was escalated, or ended otherwise."""
    row = {"secret_arn": arn, "opened_at": OPENED_AT, "state": "closed", "outcome": outcome, "failures": 1}
    aws.put("incidents", row | {"versions": {"v1": ["AWSCURRENT"], version: ["AWSPENDING"]}})


@pytest.mark.parametrize(("hours", "day"), [(25, ""), (24 + 25, "-1"), (24 * 5 + 1, "-4")])
def test_an_escalated_and_stuck_rotation_is_announced_once_a_day_and_is_no_discrepancy(
    aws, make_stuck_secret, audit, sent_events, hours, day
):
    secret, pending = make_stuck_secret(hours)
    write_escalated_incident(aws, secret["ARN"], pending)

    assert kinds(audit()) == []
    assert kinds(audit()) == []

    [event] = sent_events
    assert event["DetailType"] == "Rotation Stuck"
    assert json.loads(event["Detail"])["eventID"] == f"rotation-stuck-{pending}{day}"


@pytest.mark.parametrize(
    "later_changes", [{"failures": 0, "outcome": "restarted"}, {"event_type": "TestRotationFailed"}]
)
def test_a_later_restart_or_failed_test_does_not_suppress_the_announcement(
    aws, make_stuck_secret, audit, sent_events, later_changes
):
    secret, pending = make_stuck_secret(49)
    write_escalated_incident(aws, secret["ARN"], pending)
    row = {"secret_arn": secret["ARN"], "opened_at": LATER, "state": "closed", "outcome": "escalated", "failures": 1}
    aws.put("incidents", row | {"versions": {"v1": ["AWSCURRENT"], pending: ["AWSPENDING"]}} | later_changes)

    assert kinds(audit()) == []
    assert [event["DetailType"] for event in sent_events] == ["Rotation Stuck"]


def test_a_rotation_whose_incident_ended_otherwise_is_not_announced(aws, make_stuck_secret, audit, sent_events):
    secret, pending = make_stuck_secret(49)
    write_escalated_incident(aws, secret["ARN"], pending, outcome="recovered by AWS")

    assert kinds(audit()) == []
    assert sent_events == []


def test_a_stuck_rotation_is_announced_even_if_a_manually_moved_label_resolved_its_incident(
    aws, make_stuck_secret, audit, sent_events
):
    secret, pending = make_stuck_secret(49)
    write_escalated_incident(aws, secret["ARN"], pending, outcome="resolved")

    assert kinds(audit()) == []
    assert [event["DetailType"] for event in sent_events] == ["Rotation Stuck"]


def test_an_incident_about_another_version_does_not_suppress_the_announcement(
    aws, make_stuck_secret, audit, sent_events
):
    secret, _ = make_stuck_secret(49)
    write_escalated_incident(aws, secret["ARN"], "another-version")

    assert kinds(audit()) == [("stuck_without_incident", "orders")]
    assert len(sent_events) == 1


def test_a_stuck_rotation_with_an_open_incident_opens_none(aws, make_stuck_secret, audit, sent_events):
    secret, _ = make_stuck_secret(25)
    write_open_incident(aws, secret["ARN"], alive_until=4_000_000_000)

    assert kinds(audit()) == []
    assert sent_events == []


@pytest.mark.parametrize(("days", "findings"), [(-1, ["stuck_without_incident"]), (1, [])])
def test_only_a_valid_exemption_silences_a_stuck_rotation(aws, make_stuck_secret, audit, sent_events, days, findings):
    secret, pending = make_stuck_secret(25)
    until = (NOW + timedelta(days=days)).strftime("%Y-%m-%d")
    tags = {"exempt-until": until, "exempt-reason": "It is being moved.", "owner": "payments"}
    aws.client("secretsmanager").tag_resource(
        SecretId=secret["ARN"], Tags=[{"Key": f"rotation-guard:{key}", "Value": value} for key, value in tags.items()]
    )

    assert [kind for kind, _ in kinds(audit())] == findings
    assert [json.loads(event["Detail"])["versionId"] for event in sent_events] == [pending] * len(findings)
    assert kinds(audit()) == []


def test_a_rotation_in_progress_is_not_announced(make_stuck_secret, audit, sent_events):
    make_stuck_secret(23)

    assert kinds(audit()) == []
    assert sent_events == []


def test_a_new_pending_version_is_dated_although_the_value_has_not_changed(
    aws, create_secret, audit, sent_events, dates, make_stuck_secret
):
    secret = create_secret("orders", {"Managed": "true"})
    audit()
    pending = "99999999-2222-4333-8444-555555555555"
    dates[pending] = NOW - timedelta(hours=30)
    aws.client("secretsmanager").put_secret_value(
        SecretId=secret["ARN"], SecretString="next", VersionStages=["AWSPENDING"], ClientRequestToken=pending
    )

    assert kinds(audit()) == [("stuck_without_incident", "orders")]


def test_findings_survive_a_failed_run(aws, make_stuck_secret, audit, sent_events, context):
    make_stuck_secret(25)
    aws.answer("BatchWriteItem", lambda _: aws.Refusal("InternalServerError", 400))
    context.aws_request_id = scheduled = "2026-03-01T00:00:00Z"
    with pytest.raises(ClientError):
        check.handler({"scheduled_time": scheduled}, context)
    aws.answer("BatchWriteItem", lambda _: None)
    write_open_incident(aws, sent_events[0]["Resources"][0], alive_until=4_000_000_000)

    assert kinds(audit()) == [("stuck_without_incident", "orders")]
    assert len(sent_events) == 1
