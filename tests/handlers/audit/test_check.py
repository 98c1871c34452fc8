"""What a run of the audit reads and returns."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from handlers.environment import InvalidEnvironment

SCHEDULED = {"scheduled_time": "2026-03-01T12:00:00Z"}
MANAGED = {"Managed": "true"}


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "incidents")


def test_a_run_returns_and_writes_its_findings(create_aged_secret, run, history, context):
    create_aged_secret("fresh", days=29)
    stale = create_aged_secret("stale", days=31)

    before = datetime.now(UTC).replace(microsecond=0)
    answer = run()

    assert answer == {"run_id": context.aws_request_id, "checked": 2, "flagged": 1}
    rows = history()
    assert {name: row["status"] for name, row in rows.items()} == {"fresh": "ok", "stale": "needs_rotation"}
    assert {row["run_id"] for row in rows.values()} == {answer["run_id"]}
    assert rows["stale"]["secret_arn"] == stale["ARN"]
    assert rows["stale"]["age_days"] == 31
    assert rows["stale"]["verdict"] == "never_rotated"
    assert rows["stale"]["reason"].endswith("The value in use is 31 days old; the limit is 30.")
    checked_at = datetime.fromisoformat(rows["stale"]["checked_at"])
    assert before <= checked_at <= datetime.now(UTC)
    assert checked_at.utcoffset() == timedelta(0)
    assert 0 <= rows["stale"]["expires_at"] - (checked_at + timedelta(days=400)).timestamp() < 2


def test_history_is_found_by_both_keys(aws, create_aged_secret, run):
    create_aged_secret("fresh")

    answer = run()

    history = aws.client("dynamodb").query(
        TableName="history",
        KeyConditionExpression="secret_name = :name AND run_id = :run",
        ExpressionAttributeValues={":name": {"S": "fresh"}, ":run": {"S": answer["run_id"]}},
    )
    assert history["Count"] == 1


def test_only_a_secret_with_the_exact_tag_is_audited(aws, create_aged_secret, run, history, status):
    create_aged_secret("managed", tags={"Managed": "true", "team": "orders"})
    for key, value in [
        ("ManagedBy", "true"),
        ("Managed:owner", "true"),
        ("managed", "true"),
        ("Managed", "True"),
        ("Managed", "false"),
        ("Managed", ""),
    ]:
        create_aged_secret(f"{key.replace(':', '.')}-{value}", tags={key: value})
    create_aged_secret("untagged", tags={})

    assert run()["checked"] == 1

    assert set(history()) == set(status()) == {"managed"}
    assert len(aws.requests("ListSecretVersionIds")) == 1


def test_the_tag_is_the_one_configured(create_aged_secret, run, history, monkeypatch):
    monkeypatch.setenv("MANAGED_TAG_KEY", "audit")
    monkeypatch.setenv("MANAGED_TAG_VALUE", "yes please")
    create_aged_secret("ours", tags={"audit": "yes please"})
    create_aged_secret("not-ours")

    assert run()["checked"] == 1

    assert set(history()) == {"ours"}


def test_a_secret_after_the_first_page_is_checked(aws, create_secret, create_aged_secret, run, history):
    for number in range(100):
        create_secret(f"other-{number}", {"ManagedBy": "somebody"})
    create_aged_secret("last", days=31)

    answer = run()

    assert (answer["checked"], answer["flagged"]) == (1, 1)
    assert set(history()) == {"last"}
    assert len(aws.requests("ListSecrets")) == 2


def test_more_secrets_than_one_write_takes_are_all_written(aws, create_secret, run, history, status):
    names = {f"secret-{number}" for number in range(20)}
    for name in names:
        create_secret(name, MANAGED)

    assert run()["checked"] == 20

    assert set(history()) == set(status()) == names
    sizes = [sum(map(len, parameters["RequestItems"].values())) for parameters in aws.requests("BatchWriteItem")]
    assert sum(sizes) == 40
    assert max(sizes) <= 25


def test_an_empty_page_is_not_the_last(aws, create_aged_secret, run):
    secret = create_aged_secret("late")
    listed = aws.client("secretsmanager").list_secrets()["SecretList"]
    assert [entry["ARN"] for entry in listed] == [secret["ARN"]]
    aws.answer(
        "ListSecrets",
        lambda parameters: (
            {"SecretList": listed} if parameters.get("NextToken") == "2" else {"SecretList": [], "NextToken": "2"}
        ),
    )

    assert run()["checked"] == 1

    assert len(aws.requests("ListSecrets")) == 2


def test_an_empty_account_is_a_complete_run(aws, run):
    answer = run(SCHEDULED)

    assert answer == {"run_id": SCHEDULED["scheduled_time"], "checked": 0, "flagged": 0}
    assert aws.rows("history") == aws.rows("status") == []
    [finished] = aws.rows("runs")
    assert (finished["checked"], finished["complete"]) == (0, True)


def test_editing_a_secret_does_not_make_its_value_younger(aws, create_aged_secret, run):
    secret = create_aged_secret("edited", days=31)
    secretsmanager = aws.client("secretsmanager")
    secretsmanager.update_secret(SecretId=secret["ARN"], Description="edited today")
    secretsmanager.tag_resource(SecretId=secret["ARN"], Tags=[{"Key": "edited", "Value": "today"}])
    [entry] = secretsmanager.list_secrets()["SecretList"]
    assert datetime.now(UTC) - entry["LastChangedDate"] < timedelta(minutes=1)

    assert run()["flagged"] == 1


def test_age_is_that_of_the_version_in_use(aws, create_aged_secret, run, history, dates):
    secret = create_aged_secret("orders", days=31)
    secretsmanager = aws.client("secretsmanager")
    pending = secretsmanager.put_secret_value(SecretId=secret["ARN"], SecretString="new", VersionStages=["AWSPENDING"])
    dates[pending["VersionId"]] = datetime.now(UTC)

    assert run()["flagged"] == 1

    assert history()["orders"]["age_days"] == 31


def test_a_version_is_found_on_any_page(aws, create_aged_secret, run):
    secret = create_aged_secret("orders", days=31)
    page = {"ARN": secret["ARN"], "Name": "orders"}
    current = {"VersionId": secret["VersionId"], "CreatedDate": datetime.now(UTC) - timedelta(days=31)}
    older = {"VersionId": "0" * 32, "CreatedDate": datetime.now(UTC) - timedelta(days=1)}
    aws.answer(
        "ListSecretVersionIds",
        lambda parameters: (
            {**page, "Versions": [current]}
            if "NextToken" in parameters
            else {**page, "Versions": [older], "NextToken": "2"}
        ),
    )

    assert run()["flagged"] == 1


def test_a_value_created_during_the_run_is_new(aws, create_aged_secret, run, history):
    secret = create_aged_secret("orders")

    def rotated_just_now(parameters):
        version = {"VersionId": secret["VersionId"], "CreatedDate": datetime.now(UTC)}
        return {"ARN": secret["ARN"], "Name": "orders", "Versions": [version]}

    aws.answer("ListSecretVersionIds", rotated_just_now)

    assert run()["flagged"] == 0

    assert (history()["orders"]["status"], history()["orders"]["age_days"]) == ("ok", 0)


@pytest.mark.parametrize("hours", [-8, 9])
def test_dates_are_stored_in_utc_in_every_time_zone(create_aged_secret, run, status, dates, hours):
    secret = create_aged_secret("orders")
    created_at = datetime.now(timezone(timedelta(hours=hours))) - timedelta(minutes=5)
    dates[secret["VersionId"]] = created_at

    run()
    run()

    row = status()["orders"]
    assert datetime.fromisoformat(row["value_created_at"]) == created_at.replace(microsecond=0)
    assert row["status"] == "ok"


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ("AccessDeniedException", "The secret's versions could not be listed: access denied."),
        ("ResourceNotFoundException", "The secret was deleted before its versions were listed."),
    ],
)
def test_a_secret_that_cannot_be_read_is_unknown_and_the_others_are_checked(
    aws, create_aged_secret, run, history, needs_attention, refusal, reason
):
    first, denied, last = (
        create_aged_secret("first"),
        create_aged_secret("secretive"),
        create_aged_secret("last", days=31),
    )
    listed = {entry["ARN"]: datetime.now(UTC) - timedelta(days=40 * (entry is last)) for entry in (first, last)}
    versions = {entry["ARN"]: entry["VersionId"] for entry in (first, last)}

    def answer(parameters):
        arn = parameters["SecretId"]
        if arn == denied["ARN"]:
            return aws.Refusal(refusal)
        return {"ARN": arn, "Versions": [{"VersionId": versions[arn], "CreatedDate": listed[arn]}]}

    aws.answer("ListSecretVersionIds", answer)

    answered = run()

    assert (answered["checked"], answered["flagged"]) == (3, 1)
    rows = history()
    assert {name: row["status"] for name, row in rows.items()} == {
        "first": "ok",
        "secretive": "unknown",
        "last": "needs_rotation",
    }
    assert rows["secretive"]["reason"] == reason
    assert "age_days" not in rows["secretive"]
    assert needs_attention() == {"secretive", "last"}
    assert aws.rows("runs")[0]["unknown"] == 1


def test_a_secret_without_a_current_version_is_unknown(aws, run, history):
    aws.client("secretsmanager").create_secret(Name="empty", Tags=[{"Key": "Managed", "Value": "true"}])

    assert run()["flagged"] == 0

    assert (history()["empty"]["status"], history()["empty"]["reason"]) == ("unknown", "No version holds AWSCURRENT.")
    assert aws.requests("ListSecretVersionIds") == []


def test_a_version_that_is_not_in_the_list_is_unknown(aws, create_aged_secret, run, history):
    secret = create_aged_secret("orders")
    aws.answer("ListSecretVersionIds", lambda _: {"ARN": secret["ARN"], "Name": "orders", "Versions": []})

    run()

    assert history()["orders"]["status"] == "unknown"
    assert secret["VersionId"] in history()["orders"]["reason"]


@pytest.mark.parametrize(
    "operation", ["ListSecrets", "ListSecretVersionIds", "BatchGetItem", "BatchWriteItem", "UpdateItem"]
)
def test_a_run_that_fails_is_not_recorded_as_complete(aws, create_aged_secret, run, operation):
    create_aged_secret("orders")
    code = "InternalServiceError" if operation == "ListSecretVersionIds" else "AccessDeniedException"
    aws.answer(operation, lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        run()

    assert not any("complete" in row or "finished_at" in row for row in aws.rows("runs"))


def test_an_incomplete_environment_is_reported(aws, run, monkeypatch):
    monkeypatch.delenv("RUNS_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^RUNS_TABLE_NAME must be set"):
        run()

    assert aws.requests("ListSecrets") == []


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"scheduled_time": "<aws.scheduler.scheduled-time>"},
        {"run_id": "2026-03-01T12:00:00Z"},
        {"run_id": "2026-03-01T12:00:00Z", "part": 0},
        {"run_id": "2026-03-01T12:00:00Z", "part": True},
        {"run_id": 5, "part": 1},
        None,
        [],
        "now",
    ],
)
def test_two_manual_audits_within_a_second_are_two_runs(aws, create_aged_secret, run, context, event):
    create_aged_secret("fresh")
    scheduled = run(SCHEDULED)["run_id"]
    ids = []
    for request in ("request-1", "request-2"):
        context.aws_request_id = request
        ids.append(run(event)["run_id"])

    assert ids == ["request-1", "request-2"]
    assert sorted(row["run_id"] for row in aws.rows("runs")) == sorted([scheduled, *ids])


def test_a_retry_by_scheduler_is_the_same_run_with_any_request_id(aws, run, context):
    ids = set()
    for request in ("request-1", "request-2"):
        context.aws_request_id = request
        ids.add(run(SCHEDULED)["run_id"])

    assert ids == {"2026-03-01T12:00:00Z"}
    assert len(aws.rows("runs")) == 1
