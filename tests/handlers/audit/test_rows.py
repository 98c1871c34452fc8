"""The rows that a run writes, and what the next run reads from them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from boto3.dynamodb.types import TypeSerializer

SCHEDULED = {"scheduled_time": "2026-03-01T12:00:00Z"}
LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "incidents")


def test_a_repeated_run_rewrites_its_rows(aws, create_aged_secret, run):
    create_aged_secret("fresh")
    create_aged_secret("stale", days=31)

    answers = [run(SCHEDULED) for _ in range(3)]

    assert answers == [{"run_id": SCHEDULED["scheduled_time"], "checked": 2, "flagged": 1}] * 3
    assert {(row["secret_name"], row["run_id"]) for row in aws.rows("history")} == {
        ("fresh", SCHEDULED["scheduled_time"]),
        ("stale", SCHEDULED["scheduled_time"]),
    }
    assert [len(aws.rows(table)) for table in ("history", "status", "runs")] == [2, 2, 1]


def test_the_log_has_the_headline_and_the_row_what_was_accepted(aws, create_aged_secret, run, status, caplog):
    until = f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%d}"
    exemption = {"exempt-until": until, "exempt-reason": "It is being moved.", "owner": "payments"}
    create_aged_secret("fresh")
    create_aged_secret("stale", days=31)
    tags = {"Managed": "true", **{f"rotation-guard:{name}": value for name, value in exemption.items()}}
    create_aged_secret("spared", days=31, tags=tags)

    run(SCHEDULED)

    assert aws.rows("runs")[0]["accepted"] == {"exempt": 1}
    row = status()["spared"]
    assert (row["exempt_until"], row["exempt_reason"], row["owner"]) == (until, "It is being moved.", "payments")

    [record] = [record for record in caplog.records if record.getMessage() == "audit finished"]
    assert record.headline == (
        "1 of 3 secrets is over its limit; 0 could not be judged; 1 is accepted (1 exempt); this run is complete"
    )


def test_another_run_adds_its_rows(aws, create_aged_secret, run):
    create_aged_secret("fresh")

    run({"scheduled_time": "2026-03-01T12:00:00Z"})
    run({"scheduled_time": "2026-03-01T13:00:00Z"})

    assert [len(aws.rows(table)) for table in ("history", "status", "runs")] == [2, 1, 2]


def test_a_date_is_read_once(aws, create_aged_secret, run, history):
    create_aged_secret("fresh", days=3)
    create_aged_secret("stale", days=31)
    run(SCHEDULED)
    assert len(aws.requests("ListSecretVersionIds")) == 2
    aws.forget()

    assert run({"scheduled_time": "2026-03-01T13:00:00Z"})["flagged"] == 1

    assert aws.requests("ListSecretVersionIds") == []
    by_run = [(row["secret_name"], row["run_id"][11:13], row["age_days"]) for row in aws.rows("history")]
    assert sorted(by_run) == [("fresh", "12", 3), ("fresh", "13", 3), ("stale", "12", 31), ("stale", "13", 31)]


def test_a_date_is_read_again_for_the_secret_whose_version_moved(aws, create_aged_secret, run, status):
    create_aged_secret("fresh", days=3)
    stale = create_aged_secret("stale", days=31)
    run()
    aws.client("secretsmanager").put_secret_value(SecretId=stale["ARN"], SecretString="new")
    aws.forget()

    assert run()["flagged"] == 0

    assert [call["SecretId"] for call in aws.requests("ListSecretVersionIds")] == [stale["ARN"]]
    assert status()["stale"]["current_version_id"] != stale["VersionId"]


def test_unreadable_versions_are_read_again_by_the_next_run(aws, create_aged_secret, run, status):
    secret = create_aged_secret("orders", days=31)
    answers = [
        aws.Refusal("AccessDeniedException"),
        {"ARN": secret["ARN"], "Versions": [{"VersionId": secret["VersionId"], "CreatedDate": datetime.now(UTC)}]},
    ]
    aws.answer("ListSecretVersionIds", lambda _: answers.pop(0))

    run()
    assert status()["orders"]["status"] == "unknown"
    run()

    assert status()["orders"]["status"] == "ok"


def test_a_status_lasts_from_its_first_run_until_it_changes(aws, create_aged_secret, run, status, needs_attention):
    stale = create_aged_secret("stale", days=31)
    create_aged_secret("fresh")
    run()
    assert needs_attention() == {"stale"}
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
    assert needs_attention() == set()


def test_attention_lasts_if_one_problem_follows_another(aws, create_aged_secret, run, status):
    stale = create_aged_secret("stale", days=31)
    run()
    backdate(aws, "stale")
    secretsmanager = aws.client("secretsmanager")
    secretsmanager.put_secret_value(SecretId=stale["ARN"], SecretString="new")
    aws.answer("ListSecretVersionIds", lambda _: aws.Refusal("AccessDeniedException"))

    run()

    row = status()["stale"]
    assert (row["status"], row["since"], row["attention_since"]) == ("unknown", row["checked_at"], LONG_AGO)


def test_the_row_of_a_run_has_its_counts(aws, create_aged_secret, run):
    create_aged_secret("fresh")
    create_aged_secret("stale", days=31)
    aws.client("secretsmanager").create_secret(Name="empty", Tags=[{"Key": "Managed", "Value": "true"}])

    run(SCHEDULED)

    [row] = aws.rows("runs")
    started_at, finished_at = (datetime.fromisoformat(row.pop(name)) for name in ("started_at", "finished_at"))
    assert started_at <= finished_at <= datetime.now(UTC)
    assert 0 <= row.pop("expires_at") - (started_at + timedelta(days=400)).timestamp() < 2
    assert row.pop("seconds") >= 0
    assert row == {
        "audit": "rotation",
        "run_id": SCHEDULED["scheduled_time"],
        "part": 0,
        "checked": 3,
        "flagged": 1,
        "unknown": 1,
        "outdated_replicas": 0,
        "accepted": {},
        "listed": 3,
        "added": 3,
        "pages": 1,
        "calls": 3,
        "verdicts": {"in_grace": 1, "never_rotated": 1, "unknown": 1},
        "discrepancies": {},
        "findings": [],
        "recorded": 0,
        "changed": [],
        "history_mode": "everyRun",
        "period_seconds": 3600,
        "complete": True,
        "settings": {
            "max_age_days": 30,
            "warn_days": 7,
            "stuck_hours": 24,
            "missed_hours": 24,
            "max_age_classes": [],
            "managed_tag": "Managed=true",
        },
    }


def test_a_run_emits_metrics(aws, create_aged_secret, run, capsys):
    create_aged_secret("fresh")
    create_aged_secret("stale", days=31)

    run()

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in line]
    counted = {name: values for name, values in line.items() if name.startswith("Secrets")}
    assert counted == {"SecretsChecked": [2], "SecretsFlagged": [1], "SecretsUnknown": [0]}


def test_a_history_of_no_days_never_expires(aws, create_aged_secret, run, monkeypatch):
    monkeypatch.setenv("HISTORY_DAYS", "0")
    create_aged_secret("fresh")

    run()

    rows = aws.rows("history") + aws.rows("runs")
    assert len(rows) == 2
    assert not any("expires_at" in row for row in rows)


def backdate(aws, name):
    """Backdates the status of a secret."""
    row = next(row for row in aws.rows("status") if row["secret_name"] == name)
    times = {attribute: LONG_AGO for attribute in ("since", "attention_since") if attribute in row}
    write = TypeSerializer().serialize
    aws.client("dynamodb").put_item(
        TableName="status", Item={attribute: write(value) for attribute, value in (row | times).items()}
    )
