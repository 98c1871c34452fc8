"""What events told, held against what the labels say; and what became of secrets that are not there any more."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from handlers import audit_writer, rotation_check

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def tables(aws, monkeypatch):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


@pytest.fixture
def put_events(aws):
    """What the audit told the bus."""
    told = []

    def take(asked):
        told.extend(asked["Entries"])
        return {"FailedEntryCount": 0, "Entries": [{"EventId": str(len(told))} for _ in asked["Entries"]]}

    aws.answer("PutEvents", take)
    return told


@pytest.fixture
def audit(aws, context):
    """Runs the audit as the schedule does, an hour later each time; answers the row of the run."""
    runs = iter(range(1000))

    def run():
        number = next(runs)
        scheduled = f"2026-03-{1 + number // 24:02d}T{number % 24:02d}:00:00Z"
        context.aws_request_id = scheduled
        rotation_check.handler({"scheduled_time": scheduled}, context)
        _age(aws, timedelta(hours=1))
        [row] = [row for row in aws.rows("runs") if row["run_id"] == scheduled]
        return row

    return run


@pytest.fixture
def hear(aws, context):
    """Lets the writer record an event."""

    def record(*events):
        records = [
            {"messageId": str(number), "receiptHandle": "x", "body": json.dumps(event), "eventSource": "aws:sqs"}
            for number, event in enumerate(events)
        ]
        assert audit_writer.handler({"Records": records}, context) == {"batchItemFailures": []}

    return record


@pytest.fixture
def moved(recorded):
    """The event that AWS sends when AWSCURRENT moves."""

    def event(arn, version, at=NOW):
        body = recorded("secret-label-updated")
        body |= {"resources": [arn], "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "id": f"event-{version}"}
        body["detail"] |= {"labelUpdated": "AWSCURRENT", "versionId": version}
        return body

    return event


@pytest.fixture
def succeeded(recorded):
    """The event that CloudTrail sends when a rotation succeeded."""

    def event(arn, at=NOW):
        body = recorded("rotation-succeeded")
        body["detail"]["additionalEventData"]["SecretId"] = arn
        body["detail"]["eventTime"] = body["time"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return body

    return event


def _age(aws, by):
    """Lets time pass: sets back what the last run wrote of itself."""
    dynamodb = aws.client("dynamodb")
    for table, moments in (("status", ("checked_at", "accounted_at", "first_seen")), ("runs", ("started_at",))):
        for row in dynamodb.scan(TableName=table)["Items"]:
            for name in moments:
                if name in row:
                    then = datetime.fromisoformat(row[name]["S"]) - by
                    row[name] = {"S": then.strftime("%Y-%m-%dT%H:%M:%SZ")}
            dynamodb.put_item(TableName=table, Item=row)


def kinds(run):
    return [(found["kind"], found["secret_name"]) for found in run["findings"]]


def change(aws, arn):
    return aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="next")["VersionId"]


def test_what_a_secret_holds_when_it_is_first_seen_is_no_finding(secret, audit):
    secret("orders", {"Managed": "true"})

    assert audit()["findings"] == audit()["findings"] == []


def test_a_version_that_moved_without_an_event_is_a_finding_of_the_second_run_that_sees_it(aws, secret, audit):
    made = secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, made["ARN"])

    assert kinds(audit()) == []  # its event may be on the way
    found = audit()
    assert kinds(found) == [("moved_unheard", "orders")]
    assert found["findings"][0]["detail"] == f"AWSCURRENT is on version {version}, and no event told of it."
    assert found["discrepancies"] == {"moved_unheard": 1}
    assert kinds(audit()) == []


def test_a_version_that_moved_with_its_event_is_none(aws, secret, audit, hear, moved):
    made = secret("orders", {"Managed": "true"})
    audit()
    hear(moved(made["ARN"], change(aws, made["ARN"])))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_an_event_that_comes_after_the_run_that_saw_the_move_is_in_time(aws, secret, audit, hear, moved):
    made = secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, made["ARN"])
    audit()
    hear(moved(made["ARN"], version))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_a_rotation_that_succeeded_announces_the_move_as_well(aws, secret, audit, hear, succeeded):
    made = secret("orders", {"Managed": "true"})
    audit()
    change(aws, made["ARN"])
    hear(succeeded(made["ARN"]))

    assert [kinds(audit()) for _ in range(3)] == [[], [], []]


def test_an_event_that_shows_no_change_is_a_finding_once(aws, secret, audit, hear, moved):
    made = secret("orders", {"Managed": "true"})
    audit()
    hear(moved(made["ARN"], "11111111-2222-4333-8444-555555555555", NOW - timedelta(minutes=20)))

    found = audit()
    assert kinds(found) == [("heard_unmoved", "orders")]
    assert "moved to version 11111111-2222-4333-8444-555555555555" in found["findings"][0]["detail"]
    assert kinds(audit()) == []


def test_a_rotation_that_succeeded_and_changed_nothing_is_a_finding(secret, audit, hear, succeeded):
    made = secret("orders", {"Managed": "true"})
    audit()
    hear(succeeded(made["ARN"], NOW - timedelta(minutes=20)))

    assert kinds(audit()) == [("heard_unmoved", "orders")]


def test_what_was_just_heard_is_not_yet_in_vain(secret, audit, hear, succeeded):
    made = secret("orders", {"Managed": "true"})
    audit()
    hear(succeeded(made["ARN"], NOW))

    assert kinds(audit()) == []


def test_a_value_that_was_heard_of_is_not_read_again(aws, secret, audit, hear, moved, dates):
    made = secret("orders", {"Managed": "true"})
    audit()
    version = change(aws, made["ARN"])
    dates[version] = NOW - timedelta(days=12)  # moved by hand to a version that was made long before
    hear(moved(made["ARN"], version))
    aws.forget()

    audit()

    assert aws.asked("ListSecretVersionIds") == []
    [row] = aws.rows("status")
    assert (row["current_version_id"], row["age_days"], row["verdict"]) == (version, 12, "manual_only")


def test_nothing_is_asked_about_a_secret_that_is_not_under_audit(aws, secret, audit, hear, moved):
    made = secret("other")
    hear(moved(made["ARN"], made["VersionId"]))

    assert aws.asked("ListSecretVersionIds") == []
    assert aws.rows("status") == []


@pytest.fixture
def stuck(aws, secret, dates):
    """A secret whose rotation is under way for this long."""

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

    found = audit()

    assert kinds(found) == [("stuck_without_incident", "orders")]
    [event] = put_events
    assert (event["Source"], event["DetailType"], event["Resources"]) == (
        "rotation-guard",
        "Rotation Stuck",
        [made["ARN"]],
    )
    detail = json.loads(event["Detail"])
    assert (detail["eventID"], detail["versionId"]) == (f"rotation-stuck-{pending}", pending)
    assert detail["errorMessage"].startswith("A rotation is stuck since ")
    assert kinds(audit()) == []
    assert len(put_events) == 1
    [row] = aws.rows("status")
    assert (row["verdict"], row["attention"]) == ("rotation_failing", "yes")


def test_a_stuck_rotation_with_an_open_incident_opens_none(aws, stuck, audit, put_events):
    made, _ = stuck(25)
    claim = {"secret_arn": {"S": f"open#{made['ARN']}"}, "opened_at": {"S": "claim"}}
    aws.client("dynamodb").put_item(TableName="incidents", Item=claim)

    assert kinds(audit()) == []
    assert put_events == []


def test_a_rotation_that_is_under_way_is_left_alone(stuck, audit, put_events):
    stuck(23)

    assert kinds(audit()) == []
    assert put_events == []


def test_a_pending_version_is_dated_though_the_value_has_not_changed(aws, secret, audit, put_events, dates, stuck):
    made = secret("orders", {"Managed": "true"})
    audit()
    pending = "99999999-2222-4333-8444-555555555555"
    dates[pending] = NOW - timedelta(hours=30)
    aws.client("secretsmanager").put_secret_value(
        SecretId=made["ARN"], SecretString="next", VersionStages=["AWSPENDING"], ClientRequestToken=pending
    )

    assert kinds(audit()) == [("stuck_without_incident", "orders")]


def test_a_secret_that_vanished_is_a_finding_and_no_longer_true_now(aws, secret, audit):
    made = secret("orders", {"Managed": "true"})
    secret("stays", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)

    found = audit()

    assert kinds(found) == [("vanished", "orders")]
    rows = {row["secret_name"]: row for row in aws.rows("status")}
    assert "gone_since" in rows["orders"]
    assert "attention" not in rows["orders"]
    assert "gone_since" not in rows["stays"]
    assert kinds(audit()) == []


def test_a_secret_that_was_seen_to_be_deleted_has_not_vanished(aws, secret, audit):
    made = secret("orders", {"Managed": "true"})
    secret("stays", {"Managed": "true"})
    manager = aws.client("secretsmanager")
    audit()
    manager.delete_secret(SecretId=made["ARN"])
    assert audit()["verdicts"] == {"pending_deletion": 1, "in_grace": 1}
    manager.restore_secret(SecretId=made["ARN"])
    manager.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)

    found = audit()

    assert (found["complete"], kinds(found)) == (True, [])
    assert [row["secret_name"] for row in aws.rows("status") if "gone_since" in row] == ["orders"]


def test_a_secret_that_comes_back_is_a_new_one(aws, secret, audit):
    made = secret("orders", {"Managed": "true"})
    secret("stays", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)
    audit()
    secret("orders", {"Managed": "true"})

    found = audit()

    assert (found["added"], found["checked"], kinds(found)) == (1, 2, [])
    assert not any("gone_since" in row for row in aws.rows("status"))


def test_fewer_secrets_than_the_account_counts_make_a_run_incomplete(aws, secret, audit):
    secret("orders", {"Managed": "true"})
    point = {"Timestamp": NOW, "Minimum": 3.0, "Unit": "Count"}
    aws.answer("GetMetricStatistics", lambda _: {"Label": "ResourceCount", "Datapoints": [point]})

    found = audit()

    assert (found["complete"], found["counted"], found["listed"]) == (False, 3, 1)
    assert found["incomplete_because"] == ["CloudWatch counts 3 secrets in the account, and 1 were listed."]


def test_secrets_that_are_not_under_audit_count_as_listed(aws, secret, audit):
    secret("orders", {"Managed": "true"})
    secret("other")
    point = {"Timestamp": NOW, "Minimum": 2.0, "Unit": "Count"}
    aws.answer("GetMetricStatistics", lambda _: {"Label": "ResourceCount", "Datapoints": [point]})

    found = audit()

    assert (found["complete"], found["checked"], found["listed"]) == (True, 1, 2)


def test_a_sudden_drop_by_half_makes_a_run_incomplete_and_the_next_one_is_complete_again(aws, secret, audit):
    made = [secret(f"orders-{number}", {"Managed": "true"}) for number in range(5)]
    audit()
    for one in made[:3]:
        aws.client("secretsmanager").delete_secret(SecretId=one["ARN"], ForceDeleteWithoutRecovery=True)

    found = audit()

    assert found["complete"] is False
    assert found["incomplete_because"] == ["The run before checked 5 secrets, and this one 2."]
    assert kinds(found) == []
    after = audit()
    assert after["complete"] is True
    assert sorted(kinds(after)) == [("vanished", f"orders-{number}") for number in range(3)]


def test_a_run_that_saw_less_than_the_account_has_is_told_to_the_dashboard(aws, secret, audit, capsys):
    secret("orders", {"Managed": "true"})
    audit()
    point = {"Timestamp": NOW, "Minimum": 3.0, "Unit": "Count"}
    aws.answer("GetMetricStatistics", lambda _: {"Label": "ResourceCount", "Datapoints": [point]})
    audit()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in line]
    assert [line["AuditRunsComplete"] for line in lines] == [[1], [0]]


def test_what_a_run_found_survives_its_death(aws, stuck, audit, put_events, context):
    stuck(25)
    aws.answer("BatchWriteItem", lambda _: aws.Refusal("InternalServerError", 400))
    context.aws_request_id = scheduled = "2026-03-01T00:00:00Z"
    with pytest.raises(ClientError):
        rotation_check.handler({"scheduled_time": scheduled}, context)
    aws.answer("BatchWriteItem", lambda _: None)
    claim = {"secret_arn": {"S": f"open#{put_events[0]['Resources'][0]}"}, "opened_at": {"S": "claim"}}
    aws.client("dynamodb").put_item(TableName="incidents", Item=claim)

    assert kinds(audit()) == [("stuck_without_incident", "orders")]
    assert len(put_events) == 1


def test_a_run_does_not_fail_for_want_of_the_accounts_count(aws, secret, audit):
    secret("orders", {"Managed": "true"})
    aws.answer("GetMetricStatistics", lambda _: aws.Refusal("AccessDenied", 403))

    found = audit()

    assert (found["complete"], "counted" in found) == (True, False)


def test_a_secret_that_vanished_is_told_though_the_run_dies_of_it(aws, secret, audit, context):
    made = secret("orders", {"Managed": "true"})
    secret("stays", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)
    refusal = aws.Refusal("InternalServerError", 400)
    aws.answer("UpdateItem", lambda asked: refusal if asked["TableName"] == "status" else None)
    context.aws_request_id = scheduled = "2026-03-01T01:00:00Z"
    with pytest.raises(ClientError):
        rotation_check.handler({"scheduled_time": scheduled}, context)
    aws.answer("UpdateItem", lambda _: None)

    assert kinds(audit()) == [("vanished", "orders")]
    assert [row["secret_name"] for row in aws.rows("status") if "gone_since" in row] == ["orders"]
