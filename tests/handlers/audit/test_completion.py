"""Whether a run saw every secret, and what became of those that are not there any more."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.audit import check

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def begin_now(monkeypatch):
    """Each test begins now, however long those before it have taken."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")


def kinds(run):
    return [(found["kind"], found["secret_name"]) for found in run["findings"]]


def test_fewer_secrets_than_the_account_counts_make_a_run_incomplete(aws, secret, audit):
    secret("orders", {"Managed": "true"})
    point = {"Timestamp": NOW, "Minimum": 3.0, "Unit": "Count"}
    aws.answer("GetMetricStatistics", lambda _: {"Label": "ResourceCount", "Datapoints": [point]})

    found = audit()

    assert (found["complete"], found["counted"], found["listed"]) == (False, 3, 1)
    assert found["incomplete_because"] == ["CloudWatch counts 3 secrets in the account, but only 1 were listed."]


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
    assert found["incomplete_because"] == ["The previous run checked 5 secrets, but this one checked only 2."]
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


def test_a_run_does_not_fail_for_want_of_the_accounts_count(aws, secret, audit):
    secret("orders", {"Managed": "true"})
    aws.answer("GetMetricStatistics", lambda _: aws.Refusal("AccessDenied", 403))

    found = audit()

    assert (found["complete"], "counted" in found) == (True, False)


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


def test_a_secret_that_vanished_is_told_though_the_run_dies_of_it(aws, secret, audit, context):
    made = secret("orders", {"Managed": "true"})
    secret("stays", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)
    refusal = aws.Refusal("InternalServerError", 400)
    aws.answer("UpdateItem", lambda asked: refusal if asked["TableName"] == "status" else None)
    context.aws_request_id = scheduled = "2026-03-01T01:00:00Z"
    with pytest.raises(ClientError):
        check.handler({"scheduled_time": scheduled}, context)
    aws.answer("UpdateItem", lambda _: None)

    assert kinds(audit()) == [("vanished", "orders")]
    assert [row["secret_name"] for row in aws.rows("status") if "gone_since" in row] == ["orders"]
