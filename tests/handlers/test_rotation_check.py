"""What a run of the audit answers, and what it writes down."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from handlers import rotation_check
from handlers.adapters import audit_tables
from handlers.settings import InvalidEnvironment

SCHEDULED = {"scheduled_time": "2026-03-01T12:00:00Z"}
MANAGED = {"Managed": "true"}
LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs")


@pytest.fixture
def run(context):
    """Runs the audit; by hand unless told what the schedule sends."""
    return lambda event=None: rotation_check.handler(event or {}, context)


@pytest.fixture
def dates(aws):
    """When versions were made: version id -> date. Moto says of every version that it was made now."""
    made = {}

    def versions(asked):
        answer = aws.client("secretsmanager").list_secret_version_ids(SecretId=asked["SecretId"])
        for version in answer["Versions"]:
            version["CreatedDate"] = made.get(version["VersionId"], version["CreatedDate"])
        return {"ARN": asked["SecretId"], "Name": answer["Name"], "Versions": answer["Versions"]}

    aws.answer("ListSecretVersionIds", versions)
    return made


@pytest.fixture
def aged(secret, dates):
    """Makes a secret under audit, with a value of this many days."""

    def make(name, days=0, tags=MANAGED):
        made = secret(name, tags)
        dates[made["VersionId"]] = datetime.now(UTC) - timedelta(days=days)
        return made

    return make


@pytest.fixture
def history(aws):
    """The rows of history, by secret."""

    def read():
        rows = aws.rows("history")
        found = {row["secret_name"]: row for row in rows}
        assert len(found) == len(rows)
        return found

    return read


@pytest.fixture
def status(aws):
    """What is true now, by secret."""
    return lambda: {row["secret_name"]: row for row in aws.rows("status")}


@pytest.fixture
def needs_someone(aws):
    """The secrets in the index of what needs someone."""

    def query():
        answer = aws.client("dynamodb").query(
            TableName="status",
            IndexName="attention",
            KeyConditionExpression="attention = :yes",
            ExpressionAttributeValues={":yes": {"S": "yes"}},
        )
        return {row["secret_name"]["S"] for row in answer["Items"]}

    return query


def test_a_run_answers_and_writes_what_it_found(aged, run, history, context):
    aged("fresh", days=29)
    stale = aged("stale", days=31)

    before = datetime.now(UTC).replace(microsecond=0)
    answer = run()

    assert answer == {"run_id": context.aws_request_id, "checked": 2, "flagged": 1}
    rows = history()
    assert {name: row["status"] for name, row in rows.items()} == {"fresh": "ok", "stale": "needs_rotation"}
    assert {row["run_id"] for row in rows.values()} == {answer["run_id"]}
    assert rows["stale"]["secret_arn"] == stale["ARN"]
    assert rows["stale"]["age_days"] == 31
    assert rows["stale"]["reason"] == "The value in use is 31 days old; the limit is 30."
    checked_at = datetime.fromisoformat(rows["stale"]["checked_at"])
    assert before <= checked_at <= datetime.now(UTC)
    assert checked_at.utcoffset() == timedelta(0)
    assert 0 <= rows["stale"]["expires_at"] - (checked_at + timedelta(days=400)).timestamp() < 2


def test_history_is_found_by_both_keys(aws, aged, run):
    aged("fresh")

    answer = run()

    found = aws.client("dynamodb").query(
        TableName="history",
        KeyConditionExpression="secret_name = :name AND run_id = :run",
        ExpressionAttributeValues={":name": {"S": "fresh"}, ":run": {"S": answer["run_id"]}},
    )
    assert found["Count"] == 1


def test_only_the_exact_tag_puts_a_secret_under_audit(aws, aged, run, history, status):
    aged("managed", tags={"Managed": "true", "team": "orders"})
    for key, value in [
        ("ManagedBy", "true"),
        ("Managed:owner", "true"),
        ("managed", "true"),
        ("Managed", "True"),
        ("Managed", "false"),
        ("Managed", ""),
    ]:
        aged(f"{key.replace(':', '.')}-{value}", tags={key: value})
    aged("untagged", tags={})

    assert run()["checked"] == 1

    assert set(history()) == set(status()) == {"managed"}
    assert len(aws.asked("ListSecretVersionIds")) == 1


def test_the_tag_is_the_one_configured(aged, run, history, monkeypatch):
    monkeypatch.setenv("MANAGED_TAG_KEY", "audit")
    monkeypatch.setenv("MANAGED_TAG_VALUE", "yes please")
    aged("ours", tags={"audit": "yes please"})
    aged("not-ours")

    assert run()["checked"] == 1

    assert set(history()) == {"ours"}


def test_a_secret_behind_the_first_page_is_checked(aws, secret, aged, run, history):
    for number in range(100):
        secret(f"other-{number}", {"ManagedBy": "somebody"})
    aged("last", days=31)

    answer = run()

    assert (answer["checked"], answer["flagged"]) == (1, 1)
    assert set(history()) == {"last"}
    assert len(aws.asked("ListSecrets")) == 2


def test_more_secrets_than_one_write_takes_are_all_written(aws, secret, run, history, status):
    names = {f"secret-{number}" for number in range(20)}
    for name in names:
        secret(name, MANAGED)

    assert run()["checked"] == 20

    assert set(history()) == set(status()) == names
    sizes = [sum(map(len, asked["RequestItems"].values())) for asked in aws.asked("BatchWriteItem")]
    assert sum(sizes) == 40
    assert max(sizes) <= 25


def test_an_empty_page_is_not_the_last(aws, aged, run):
    made = aged("late")
    listed = aws.client("secretsmanager").list_secrets()["SecretList"]
    assert [entry["ARN"] for entry in listed] == [made["ARN"]]
    aws.answer(
        "ListSecrets",
        lambda asked: {"SecretList": listed} if asked.get("NextToken") == "2" else {"SecretList": [], "NextToken": "2"},
    )

    assert run()["checked"] == 1

    assert len(aws.asked("ListSecrets")) == 2


def test_an_empty_account_is_a_complete_run(aws, run):
    answer = run(SCHEDULED)

    assert answer == {"run_id": SCHEDULED["scheduled_time"], "checked": 0, "flagged": 0}
    assert aws.rows("history") == aws.rows("status") == []
    [finished] = aws.rows("runs")
    assert (finished["checked"], finished["complete"]) == (0, True)


def test_editing_a_secret_does_not_make_its_value_younger(aws, aged, run):
    made = aged("edited", days=31)
    secretsmanager = aws.client("secretsmanager")
    secretsmanager.update_secret(SecretId=made["ARN"], Description="edited today")
    secretsmanager.tag_resource(SecretId=made["ARN"], Tags=[{"Key": "edited", "Value": "today"}])
    [entry] = secretsmanager.list_secrets()["SecretList"]
    assert datetime.now(UTC) - entry["LastChangedDate"] < timedelta(minutes=1)

    assert run()["flagged"] == 1


def test_age_is_that_of_the_version_in_use(aws, aged, run, history, dates):
    made = aged("orders", days=31)
    secretsmanager = aws.client("secretsmanager")
    pending = secretsmanager.put_secret_value(SecretId=made["ARN"], SecretString="new", VersionStages=["AWSPENDING"])
    dates[pending["VersionId"]] = datetime.now(UTC)

    assert run()["flagged"] == 1

    assert history()["orders"]["age_days"] == 31


def test_a_version_is_found_on_any_page(aws, aged, run):
    made = aged("orders", days=31)
    page = {"ARN": made["ARN"], "Name": "orders"}
    current = {"VersionId": made["VersionId"], "CreatedDate": datetime.now(UTC) - timedelta(days=31)}
    older = {"VersionId": "0" * 32, "CreatedDate": datetime.now(UTC) - timedelta(days=1)}
    aws.answer(
        "ListSecretVersionIds",
        lambda asked: (
            {**page, "Versions": [current]} if "NextToken" in asked else {**page, "Versions": [older], "NextToken": "2"}
        ),
    )

    assert run()["flagged"] == 1


def test_a_value_made_while_the_run_is_under_way_is_new(aws, aged, run, history):
    made = aged("orders")

    def rotated_just_now(asked):
        version = {"VersionId": made["VersionId"], "CreatedDate": datetime.now(UTC)}
        return {"ARN": made["ARN"], "Name": "orders", "Versions": [version]}

    aws.answer("ListSecretVersionIds", rotated_just_now)

    assert run()["flagged"] == 0

    assert (history()["orders"]["status"], history()["orders"]["age_days"]) == ("ok", 0)


@pytest.mark.parametrize("hours", [-8, 9])
def test_dates_are_kept_in_utc_whatever_the_time_zone_of_the_machine(aged, run, status, dates, hours):
    made = aged("orders")
    made_at = datetime.now(timezone(timedelta(hours=hours))) - timedelta(minutes=5)
    dates[made["VersionId"]] = made_at

    run()
    run()

    row = status()["orders"]
    assert datetime.fromisoformat(row["value_created_at"]) == made_at.replace(microsecond=0)
    assert row["status"] == "ok"


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ("AccessDeniedException", "The secret's versions may not be listed: access denied."),
        ("ResourceNotFoundException", "The secret was gone when its versions were listed."),
    ],
)
def test_a_secret_that_cannot_be_read_is_unknown_and_the_others_are_checked(
    aws, aged, run, history, needs_someone, refusal, reason
):
    first, secretive, last = aged("first"), aged("secretive"), aged("last", days=31)
    listed = {entry["ARN"]: datetime.now(UTC) - timedelta(days=40 * (entry is last)) for entry in (first, last)}
    versions = {entry["ARN"]: entry["VersionId"] for entry in (first, last)}

    def answer(asked):
        arn = asked["SecretId"]
        if arn == secretive["ARN"]:
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
    assert needs_someone() == {"secretive", "last"}
    assert aws.rows("runs")[0]["unknown"] == 1


def test_a_secret_without_a_current_version_is_unknown(aws, run, history):
    aws.client("secretsmanager").create_secret(Name="empty", Tags=[{"Key": "Managed", "Value": "true"}])

    assert run()["flagged"] == 0

    assert (history()["empty"]["status"], history()["empty"]["reason"]) == ("unknown", "No version holds AWSCURRENT.")
    assert aws.asked("ListSecretVersionIds") == []


def test_a_version_that_is_not_in_the_list_is_unknown(aws, aged, run, history):
    made = aged("orders")
    aws.answer("ListSecretVersionIds", lambda _: {"ARN": made["ARN"], "Name": "orders", "Versions": []})

    run()

    assert history()["orders"]["status"] == "unknown"
    assert made["VersionId"] in history()["orders"]["reason"]


@pytest.mark.parametrize(
    "operation", ["ListSecrets", "ListSecretVersionIds", "BatchGetItem", "BatchWriteItem", "PutItem"]
)
def test_a_run_that_cannot_go_on_fails_and_is_not_written_down_as_complete(aws, aged, run, operation):
    aged("orders")
    code = "InternalServiceError" if operation == "ListSecretVersionIds" else "AccessDeniedException"
    aws.answer(operation, lambda _: aws.Refusal(code))

    with pytest.raises(ClientError, match=code):
        run()

    assert aws.rows("runs") == []


def test_an_incomplete_environment_is_told_as_what_it_is(aws, run, monkeypatch):
    monkeypatch.delenv("RUNS_TABLE_NAME")

    with pytest.raises(InvalidEnvironment, match=r"^RUNS_TABLE_NAME must be set"):
        run()

    assert aws.asked("ListSecrets") == []


def test_a_repeated_run_rewrites_its_rows(aws, aged, run):
    aged("fresh")
    aged("stale", days=31)

    answers = [run(SCHEDULED) for _ in range(3)]

    assert answers == [{"run_id": SCHEDULED["scheduled_time"], "checked": 2, "flagged": 1}] * 3
    assert {(row["secret_name"], row["run_id"]) for row in aws.rows("history")} == {
        ("fresh", SCHEDULED["scheduled_time"]),
        ("stale", SCHEDULED["scheduled_time"]),
    }
    assert [len(aws.rows(table)) for table in ("history", "status", "runs")] == [2, 2, 1]


def test_another_run_adds_its_rows(aws, aged, run):
    aged("fresh")

    run({"scheduled_time": "2026-03-01T12:00:00Z"})
    run({"scheduled_time": "2026-03-01T13:00:00Z"})

    assert [len(aws.rows(table)) for table in ("history", "status", "runs")] == [2, 1, 2]


def test_a_date_once_read_is_not_read_again(aws, aged, run, history):
    aged("fresh", days=3)
    aged("stale", days=31)
    run(SCHEDULED)
    assert len(aws.asked("ListSecretVersionIds")) == 2
    aws.forget()

    assert run({"scheduled_time": "2026-03-01T13:00:00Z"})["flagged"] == 1

    assert aws.asked("ListSecretVersionIds") == []
    by_run = [(row["secret_name"], row["run_id"][11:13], row["age_days"]) for row in aws.rows("history")]
    assert sorted(by_run) == [("fresh", "12", 3), ("fresh", "13", 3), ("stale", "12", 31), ("stale", "13", 31)]


def test_a_date_is_read_again_for_the_secret_whose_version_moved(aws, aged, run, status):
    aged("fresh", days=3)
    stale = aged("stale", days=31)
    run()
    aws.client("secretsmanager").put_secret_value(SecretId=stale["ARN"], SecretString="new")
    aws.forget()

    assert run()["flagged"] == 0

    assert [asked["SecretId"] for asked in aws.asked("ListSecretVersionIds")] == [stale["ARN"]]
    assert status()["stale"]["current_version_id"] != stale["VersionId"]


def test_what_could_not_be_read_is_tried_again_by_the_next_run(aws, aged, run, status):
    made = aged("orders", days=31)
    answers = [
        aws.Refusal("AccessDeniedException"),
        {"ARN": made["ARN"], "Versions": [{"VersionId": made["VersionId"], "CreatedDate": datetime.now(UTC)}]},
    ]
    aws.answer("ListSecretVersionIds", lambda _: answers.pop(0))

    run()
    assert status()["orders"]["status"] == "unknown"
    run()

    assert status()["orders"]["status"] == "ok"


def test_a_status_lasts_from_its_first_run_until_it_changes(aws, aged, run, status, needs_someone):
    stale = aged("stale", days=31)
    aged("fresh")
    run()
    assert needs_someone() == {"stale"}
    for name in ("stale", "fresh"):
        backdate(aws, name)

    run()
    rows = status()
    assert (rows["stale"]["since"], rows["stale"]["attention_since"]) == (LONG_AGO, LONG_AGO)
    assert rows["fresh"]["since"] == LONG_AGO
    assert rows["stale"]["checked_at"] > LONG_AGO

    aws.client("secretsmanager").put_secret_value(SecretId=stale["ARN"], SecretString="new")
    run()
    row = status()["stale"]
    assert (row["status"], row["since"]) == ("ok", row["checked_at"])
    assert not {"attention", "attention_since"} & set(row)
    assert status()["fresh"]["since"] == LONG_AGO
    assert needs_someone() == set()


def test_attention_lasts_where_one_trouble_follows_another(aws, aged, run, status):
    stale = aged("stale", days=31)
    run()
    backdate(aws, "stale")
    secretsmanager = aws.client("secretsmanager")
    secretsmanager.put_secret_value(SecretId=stale["ARN"], SecretString="new")
    aws.answer("ListSecretVersionIds", lambda _: aws.Refusal("AccessDeniedException"))

    run()

    row = status()["stale"]
    assert (row["status"], row["since"], row["attention_since"]) == ("unknown", row["checked_at"], LONG_AGO)


def test_a_run_is_written_down_with_its_counts(aws, aged, run):
    aged("fresh")
    aged("stale", days=31)
    aws.client("secretsmanager").create_secret(Name="empty", Tags=[{"Key": "Managed", "Value": "true"}])

    run(SCHEDULED)

    [row] = aws.rows("runs")
    started_at, finished_at = (datetime.fromisoformat(row.pop(name)) for name in ("started_at", "finished_at"))
    assert started_at <= finished_at <= datetime.now(UTC)
    assert 0 <= row.pop("expires_at") - (started_at + timedelta(days=400)).timestamp() < 2
    assert row == {
        "audit": "rotation",
        "run_id": SCHEDULED["scheduled_time"],
        "checked": 3,
        "flagged": 1,
        "unknown": 1,
        "complete": True,
    }


def test_a_run_counts_for_the_dashboard(aws, aged, run, capsys):
    aged("fresh")
    aged("stale", days=31)

    run()

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in line]
    counted = {name: values for name, values in line.items() if name.startswith("Secrets")}
    assert counted == {"SecretsChecked": [2], "SecretsFlagged": [1], "SecretsUnknown": [0]}


def test_a_history_of_no_days_never_expires(aws, aged, run, monkeypatch):
    monkeypatch.setenv("HISTORY_DAYS", "0")
    aged("fresh")

    run()

    rows = aws.rows("history") + aws.rows("runs")
    assert len(rows) == 2
    assert not any("expires_at" in row for row in rows)


def test_rows_that_dynamodb_left_are_written_again(aws, aged, run, history, status, monkeypatch):
    monkeypatch.setattr(audit_tables, "_pause", lambda attempt: None)
    aged("fresh")
    aged("stale", days=31)

    def take_nothing_at_first(asked):
        return None if len(aws.asked("BatchWriteItem")) > 1 else {"UnprocessedItems": asked["RequestItems"]}

    aws.answer("BatchWriteItem", take_nothing_at_first)

    assert run()["checked"] == 2

    assert set(history()) == set(status()) == {"fresh", "stale"}
    assert len(aws.asked("BatchWriteItem")) == 2


def test_only_what_was_left_is_written_again(aws, aged, run, monkeypatch):
    monkeypatch.setattr(audit_tables, "_pause", lambda attempt: None)
    aged("fresh")
    left = iter([["status"], []])
    aws.answer(
        "BatchWriteItem",
        lambda asked: {"UnprocessedItems": {table: asked["RequestItems"][table] for table in next(left)}},
    )

    run()

    assert [set(asked["RequestItems"]) for asked in aws.asked("BatchWriteItem")] == [{"history", "status"}, {"status"}]


def test_rows_that_dynamodb_never_takes_fail_the_run_by_name(aws, aged, run, monkeypatch):
    pauses = []
    monkeypatch.setattr(audit_tables, "_pause", pauses.append)
    aged("fresh")
    aws.answer("BatchWriteItem", lambda asked: {"UnprocessedItems": {"status": asked["RequestItems"]["status"]}})

    with pytest.raises(audit_tables.Throttled, match=r"^DynamoDB left rows of status unwritten after 8 attempts$"):
        run()

    assert len(aws.asked("BatchWriteItem")) == 8
    assert len(pauses) >= 7
    assert aws.rows("runs") == []


def test_rows_that_dynamodb_held_back_are_read_again(aws, aged, run, monkeypatch):
    monkeypatch.setattr(audit_tables, "_pause", lambda attempt: None)
    aged("fresh")
    run()
    aws.forget()
    aws.answer(
        "BatchGetItem",
        lambda asked: (
            None if len(aws.asked("BatchGetItem")) > 1 else {"Responses": {}, "UnprocessedKeys": asked["RequestItems"]}
        ),
    )

    run()

    assert len(aws.asked("BatchGetItem")) == 2
    assert aws.asked("ListSecretVersionIds") == []


def test_rows_that_dynamodb_never_gives_fail_the_run_by_name(aws, aged, run, monkeypatch):
    monkeypatch.setattr(audit_tables, "_pause", lambda attempt: None)
    aged("fresh")
    aws.answer("BatchGetItem", lambda asked: {"Responses": {}, "UnprocessedKeys": asked["RequestItems"]})

    with pytest.raises(audit_tables.Throttled, match=r"^DynamoDB left rows of status unread after 8 attempts$"):
        run()


def backdate(aws, name):
    """Has what is true of a secret be true for long."""
    row = next(row for row in aws.rows("status") if row["secret_name"] == name)
    times = {attribute: LONG_AGO for attribute in ("since", "attention_since") if attribute in row}
    write = TypeSerializer().serialize
    aws.client("dynamodb").put_item(
        TableName="status", Item={attribute: write(value) for attribute, value in (row | times).items()}
    )
