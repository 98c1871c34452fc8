"""Contradictions between events and labels, and announcements of stuck rotations."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from handlers.audit import check
from handlers.trail import writer

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def begin_now(monkeypatch):
    """Starts each test at the current time, however long the previous ones took."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(autouse=True)
def tables(aws, monkeypatch):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


@pytest.fixture
def put_events(aws):
    """The events that the audit sent."""
    entries = []

    def take(request):
        entries.extend(request["Entries"])
        return {"FailedEntryCount": 0, "Entries": [{"EventId": str(len(entries))} for _ in request["Entries"]]}

    aws.answer("PutEvents", take)
    return entries


@pytest.fixture
def record_events(aws, context):
    """Lets the writer record an event."""

    def record(*events):
        records = [
            {"messageId": str(number), "receiptHandle": "x", "body": json.dumps(event), "eventSource": "aws:sqs"}
            for number, event in enumerate(events)
        ]
        assert writer.handler({"Records": records}, context) == {"batchItemFailures": []}

    return record


@pytest.fixture
def label_event(recorded):
    """The event that AWS sends when AWSCURRENT moves."""

    def event(arn, version, at=NOW):
        body = recorded("secret-label-updated")
        body |= {"resources": [arn], "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "id": f"event-{version}"}
        body["detail"] |= {"labelUpdated": "AWSCURRENT", "versionId": version}
        return body

    return event


@pytest.fixture
def success_event(recorded):
    """The event that CloudTrail sends when a rotation succeeded."""

    def event(arn, at=NOW):
        body = recorded("rotation-succeeded")
        body["detail"]["additionalEventData"]["SecretId"] = arn
        body["detail"]["eventTime"] = body["time"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return body

    return event


def kinds(run):
    return [(finding["kind"], finding["secret_name"]) for finding in run["findings"]]


def change(aws, arn):
    return aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="next")["VersionId"]


def test_the_first_version_that_the_audit_sees_is_no_finding(secret, audit):
    secret("orders", {"Managed": "true"})

    assert audit()["findings"] == audit()["findings"] == []


def test_a_move_without_an_event_is_a_finding_of_the_second_run_that_sees_it(aws, secret, audit):
    made = secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, made["ARN"])

    assert kinds(audit()) == []  # its event may be on the way
    run = audit()
    assert kinds(run) == [("moved_unheard", "orders")]
    assert run["findings"][0]["detail"] == f"AWSCURRENT is on version {version}, but no event reported the move."
    assert run["discrepancies"] == {"moved_unheard": 1}
    assert kinds(audit()) == []


def test_a_move_with_its_event_is_no_finding(aws, secret, audit, record_events, label_event):
    made = secret("orders", {"Managed": "true"})
    audit()
    record_events(label_event(made["ARN"], change(aws, made["ARN"])))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_an_event_that_comes_after_the_run_that_saw_the_move_is_in_time(aws, secret, audit, record_events, label_event):
    made = secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, made["ARN"])
    audit()
    record_events(label_event(made["ARN"], version))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_a_successful_rotation_reports_the_move_too(aws, secret, audit, record_events, success_event):
    made = secret("orders", {"Managed": "true"})
    audit()
    change(aws, made["ARN"])
    record_events(success_event(made["ARN"]))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_an_event_without_a_move_is_a_finding_once(aws, secret, audit, record_events, label_event):
    made = secret("orders", {"Managed": "true"})
    audit()
    record_events(label_event(made["ARN"], "11111111-2222-4333-8444-555555555555", NOW - timedelta(minutes=20)))

    run = audit()
    assert kinds(run) == [("heard_unmoved", "orders")]
    assert "moved to version 11111111-2222-4333-8444-555555555555" in run["findings"][0]["detail"]
    assert kinds(audit()) == []


def test_a_successful_rotation_without_a_move_is_a_finding(secret, audit, record_events, success_event):
    made = secret("orders", {"Managed": "true"})
    audit()
    record_events(success_event(made["ARN"], NOW - timedelta(minutes=20)))

    assert kinds(audit()) == [("heard_unmoved", "orders")]


def test_a_recent_event_without_a_move_is_no_finding_yet(secret, audit, record_events, success_event):
    made = secret("orders", {"Managed": "true"})
    audit()
    record_events(success_event(made["ARN"], NOW))

    assert kinds(audit()) == []


def test_a_prefetched_value_is_not_read_again(aws, secret, audit, record_events, label_event, dates):
    made = secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, made["ARN"])
    dates[version] = NOW - timedelta(days=12)  # moved by hand to a version that was made long before
    record_events(label_event(made["ARN"], version))
    aws.forget()

    audit()

    assert aws.asked("ListSecretVersionIds") == []
    [row] = aws.rows("status")
    assert (row["current_version_id"], row["age_days"], row["verdict"]) == (version, 12, "manual_only")


@pytest.mark.parametrize("noted", ["is_first_version", "fed_is_first_version"])
def test_a_prefetched_value_created_years_after_its_secret_is_not_the_first(aws, secret, audit, noted):
    made = secret("orders", {"Managed": "true"})
    audit()
    [row] = aws.rows("status")
    long_ago = (NOW - timedelta(days=99)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if noted == "is_first_version":
        aws.put("status", {**row, "value_created_at": long_ago, noted: True})
    else:
        fed = {"fed_version_id": made["VersionId"], "fed_value_created_at": long_ago, noted: True}
        aws.put("status", {**row, "current_version_id": "v0", **fed})
    listed = aws.client("secretsmanager").list_secrets()["SecretList"]
    aws.answer("ListSecrets", lambda _: {"SecretList": [{**listed[0], "CreatedDate": NOW - timedelta(days=999)}]})

    audit()

    [row] = aws.rows("status")
    assert (row["verdict"], row["is_first_version"], row["age_days"]) == ("overdue", False, 99)


def test_nothing_is_read_about_a_secret_without_the_managed_tag(aws, secret, audit, record_events, label_event):
    made = secret("other")
    record_events(label_event(made["ARN"], made["VersionId"]))

    assert aws.asked("ListSecretVersionIds") == []
    assert aws.rows("status") == []


@pytest.fixture
def stuck(aws, secret, dates):
    """A secret whose rotation has been in progress for this long."""

    def make(hours):
        made = secret("orders", {"Managed": "true"})
        pending = "99999999-2222-4333-8444-555555555555"
        aws.client("secretsmanager").put_secret_value(
            SecretId=made["ARN"], SecretString="next", VersionStages=["AWSPENDING"], ClientRequestToken=pending
        )
        dates[pending] = NOW - timedelta(hours=hours)
        return made, pending

    return make


def test_a_stuck_rotation_without_an_incident_opens_one_once(aws, stuck, audit, put_events):
    made, pending = stuck(25)

    run = audit()

    assert kinds(run) == [("stuck_without_incident", "orders")]
    [event] = put_events
    assert (event["Source"], event["DetailType"], event["Resources"]) == (
        "rotation-guard",
        "Rotation Stuck",
        [made["ARN"]],
    )
    detail = json.loads(event["Detail"])
    assert (detail["eventID"], detail["versionId"]) == (f"rotation-stuck-{pending}", pending)
    assert detail["errorMessage"].startswith("A rotation has been stuck since ")
    assert kinds(audit()) == []
    assert len(put_events) == 1
    [row] = aws.rows("status")
    assert (row["verdict"], row["attention"]) == ("rotation_failing", "yes")


def test_a_stuck_rotation_is_one_event_however_often_and_late_it_is_sent(aws, stuck, audit, put_events, dates):
    stuck(30)
    audit()
    for hours in (1, 40):
        [row] = aws.rows("status")
        del row["told_stuck_version_id"]  # as when the run died before it was written, or a run could not read it
        aws.put("status", row)
        for version, made in dates.items():
            assert made < NOW - timedelta(hours=29), (version, hours)
        audit()

    first, *others = put_events
    assert others == [first] * 2
    # Since when the rotation counts as stuck, and not when somebody looked.
    assert timedelta(0) <= first["Time"] - (NOW - timedelta(hours=30 - 24)) <= timedelta(seconds=2)


LATER = "2026-03-01T02:00:00.000Z"
OPENED_AT = "2026-03-01T00:00:00.000Z"


def open_incident(aws, arn, alive_until):
    """An incident as remediation writes it, whose workflow reports again by then."""
    aws.put("incidents", {"secret_arn": f"open#{arn}", "opened_at": "claim", "incident_opened_at": OPENED_AT})
    incident = {"secret_arn": arn, "opened_at": OPENED_AT, "state": "open", "alive_until": alive_until}
    aws.put("incidents", incident)
    listing = {"secret_arn": "unfinished", "opened_at": f"{arn}#{OPENED_AT}", "incident_arn": arn}
    aws.put("incidents", {**listing, "incident_opened_at": OPENED_AT})


@pytest.mark.parametrize("hours", [0, 25])
def test_a_stalled_incident_is_reported_whether_its_rotation_is_stuck_or_not(aws, stuck, audit, put_events, hours):
    made, _ = stuck(hours)
    open_incident(aws, made["ARN"], alive_until=1)

    assert kinds(audit()) == []
    [event] = put_events
    assert (event["DetailType"], event["Resources"]) == ("Rotation Incident Stalled", [made["ARN"]])
    assert json.loads(event["Detail"])["opened_at"] == OPENED_AT


def test_an_incident_that_stalls_between_two_runs_is_reported_by_the_second(aws, stuck, audit, put_events):
    made, _ = stuck(25)
    open_incident(aws, made["ARN"], alive_until=4_000_000_000)
    audit()
    assert put_events == []

    open_incident(aws, made["ARN"], alive_until=1)
    audit()

    assert [event["DetailType"] for event in put_events] == ["Rotation Incident Stalled"]


def test_a_run_that_could_not_report_stalled_incidents_is_incomplete(aws, stuck, audit, put_events):
    made, _ = stuck(1)
    open_incident(aws, made["ARN"], alive_until=1)
    aws.answer("PutEvents", lambda _: aws.Refusal("InternalFailure", 500))

    run = audit()

    assert run["complete"] is False
    assert "Stalled incidents could not be reported (ClientError)." in run["incomplete_because"]


def escalated(aws, arn, version, outcome="escalated"):
    """An incident about this pending version that was escalated, or ended otherwise."""
    row = {"secret_arn": arn, "opened_at": OPENED_AT, "state": "closed", "outcome": outcome, "failures": 1}
    aws.put("incidents", row | {"versions": {"v1": ["AWSCURRENT"], version: ["AWSPENDING"]}})


@pytest.mark.parametrize(("hours", "day"), [(25, ""), (24 + 25, "-1"), (24 * 5 + 1, "-4")])
def test_an_escalated_and_stuck_rotation_is_announced_once_a_day_and_is_no_discrepancy(
    aws, stuck, audit, put_events, hours, day
):
    made, pending = stuck(hours)
    escalated(aws, made["ARN"], pending)

    assert kinds(audit()) == []
    assert kinds(audit()) == []

    [event] = put_events
    assert event["DetailType"] == "Rotation Stuck"
    assert json.loads(event["Detail"])["eventID"] == f"rotation-stuck-{pending}{day}"


@pytest.mark.parametrize("since", [{"failures": 0, "outcome": "restarted"}, {"event_type": "TestRotationFailed"}])
def test_a_later_restart_or_failed_test_does_not_suppress_the_announcement(aws, stuck, audit, put_events, since):
    made, pending = stuck(49)
    escalated(aws, made["ARN"], pending)
    row = {"secret_arn": made["ARN"], "opened_at": LATER, "state": "closed", "outcome": "escalated", "failures": 1}
    aws.put("incidents", row | {"versions": {"v1": ["AWSCURRENT"], pending: ["AWSPENDING"]}} | since)

    assert kinds(audit()) == []
    assert [event["DetailType"] for event in put_events] == ["Rotation Stuck"]


def test_a_rotation_whose_incident_ended_otherwise_is_not_announced(aws, stuck, audit, put_events):
    made, pending = stuck(49)
    escalated(aws, made["ARN"], pending, outcome="recovered by AWS")

    assert kinds(audit()) == []
    assert put_events == []


def test_a_stuck_rotation_is_announced_even_if_a_manually_moved_label_resolved_its_incident(
    aws, stuck, audit, put_events
):
    made, pending = stuck(49)
    escalated(aws, made["ARN"], pending, outcome="resolved")

    assert kinds(audit()) == []
    assert [event["DetailType"] for event in put_events] == ["Rotation Stuck"]


def test_an_incident_about_another_version_does_not_suppress_the_announcement(aws, stuck, audit, put_events):
    made, _ = stuck(49)
    escalated(aws, made["ARN"], "another-version")

    assert kinds(audit()) == [("stuck_without_incident", "orders")]
    assert len(put_events) == 1


def test_a_stuck_rotation_with_an_open_incident_opens_none(aws, stuck, audit, put_events):
    made, _ = stuck(25)
    open_incident(aws, made["ARN"], alive_until=4_000_000_000)

    assert kinds(audit()) == []
    assert put_events == []


@pytest.mark.parametrize(("days", "findings"), [(-1, ["stuck_without_incident"]), (1, [])])
def test_only_a_valid_exemption_covers_a_stuck_rotation(aws, stuck, audit, put_events, days, findings):
    made, pending = stuck(25)
    until = (NOW + timedelta(days=days)).strftime("%Y-%m-%d")
    tags = {"exempt-until": until, "exempt-reason": "It is being moved.", "owner": "payments"}
    aws.client("secretsmanager").tag_resource(
        SecretId=made["ARN"], Tags=[{"Key": f"rotation-guard:{key}", "Value": value} for key, value in tags.items()]
    )

    assert [kind for kind, _ in kinds(audit())] == findings
    assert [json.loads(event["Detail"])["versionId"] for event in put_events] == [pending] * len(findings)
    assert kinds(audit()) == []


def test_a_rotation_in_progress_is_not_announced(stuck, audit, put_events):
    stuck(23)

    assert kinds(audit()) == []
    assert put_events == []


def test_a_new_pending_version_is_dated_although_the_value_has_not_changed(
    aws, secret, audit, put_events, dates, stuck
):
    made = secret("orders", {"Managed": "true"})
    audit()
    pending = "99999999-2222-4333-8444-555555555555"
    dates[pending] = NOW - timedelta(hours=30)
    aws.client("secretsmanager").put_secret_value(
        SecretId=made["ARN"], SecretString="next", VersionStages=["AWSPENDING"], ClientRequestToken=pending
    )

    assert kinds(audit()) == [("stuck_without_incident", "orders")]


def test_findings_survive_a_failed_run(aws, stuck, audit, put_events, context):
    stuck(25)
    aws.answer("BatchWriteItem", lambda _: aws.Refusal("InternalServerError", 400))
    context.aws_request_id = scheduled = "2026-03-01T00:00:00Z"
    with pytest.raises(ClientError):
        check.handler({"scheduled_time": scheduled}, context)
    aws.answer("BatchWriteItem", lambda _: None)
    open_incident(aws, put_events[0]["Resources"][0], alive_until=4_000_000_000)

    assert kinds(audit()) == [("stuck_without_incident", "orders")]
    assert len(put_events) == 1
