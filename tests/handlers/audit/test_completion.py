"""Whether a run is complete, and which secrets are gone."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from handlers.audit import check

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")


def kinds(run):
    return [(finding["kind"], finding["secret_name"]) for finding in run["findings"]]


def test_fewer_secrets_than_cloudwatch_counts_make_a_run_incomplete(aws, create_secret, audit):
    create_secret("orders", {"Managed": "true"})
    point = {"Timestamp": NOW, "Minimum": 3.0, "Unit": "Count"}
    aws.answer("GetMetricStatistics", lambda _: {"Label": "ResourceCount", "Datapoints": [point]})

    run = audit()

    assert (run["complete"], run["counted"], run["listed"]) == (False, 3, 1)
    assert run["incomplete_because"] == ["CloudWatch counts 3 secrets in the account, but only 1 were listed."]


def test_secrets_without_the_managed_tag_count_as_listed(aws, create_secret, audit):
    create_secret("orders", {"Managed": "true"})
    create_secret("other")
    point = {"Timestamp": NOW, "Minimum": 2.0, "Unit": "Count"}
    aws.answer("GetMetricStatistics", lambda _: {"Label": "ResourceCount", "Datapoints": [point]})

    run = audit()

    assert (run["complete"], run["checked"], run["listed"]) == (True, 1, 2)


def test_a_sudden_drop_by_half_makes_a_run_incomplete_and_the_next_one_is_complete_again(aws, create_secret, audit):
    secrets = [create_secret(f"orders-{number}", {"Managed": "true"}) for number in range(5)]
    audit()
    for deleted in secrets[:3]:
        aws.client("secretsmanager").delete_secret(SecretId=deleted["ARN"], ForceDeleteWithoutRecovery=True)

    run = audit()

    assert run["complete"] is False
    assert run["incomplete_because"] == ["The previous run checked 5 secrets, but this one checked only 2."]
    assert kinds(run) == []
    after = audit()
    assert after["complete"] is True
    assert sorted(kinds(after)) == [("vanished", f"orders-{number}") for number in range(3)]


def test_an_incomplete_run_is_counted_by_a_metric(aws, create_secret, audit, capsys):
    create_secret("orders", {"Managed": "true"})
    audit()
    point = {"Timestamp": NOW, "Minimum": 3.0, "Unit": "Count"}
    aws.answer("GetMetricStatistics", lambda _: {"Label": "ResourceCount", "Datapoints": [point]})
    audit()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in line]
    assert [line["AuditRunsComplete"] for line in lines] == [[1], [0]]


def test_a_run_does_not_fail_without_a_count(aws, create_secret, audit):
    create_secret("orders", {"Managed": "true"})
    aws.answer("GetMetricStatistics", lambda _: aws.Refusal("AccessDenied", 403))

    run = audit()

    assert (run["complete"], "counted" in run) == (True, False)


def test_a_vanished_secret_is_a_finding_and_marked_as_gone(aws, create_secret, audit):
    secret = create_secret("orders", {"Managed": "true"})
    create_secret("stays", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)

    run = audit()

    assert kinds(run) == [("vanished", "orders")]
    rows = {row["secret_name"]: row for row in aws.rows("status")}
    assert "gone_since" in rows["orders"]
    assert "attention" not in rows["orders"]
    assert "gone_since" not in rows["stays"]
    assert kinds(audit()) == []


def test_a_secret_that_was_scheduled_for_deletion_has_not_vanished(aws, create_secret, audit):
    secret = create_secret("orders", {"Managed": "true"})
    create_secret("stays", {"Managed": "true"})
    manager = aws.client("secretsmanager")
    audit()
    manager.delete_secret(SecretId=secret["ARN"])
    assert audit()["verdicts"] == {"pending_deletion": 1, "in_grace": 1}
    manager.restore_secret(SecretId=secret["ARN"])
    manager.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)

    run = audit()

    assert (run["complete"], kinds(run)) == (True, [])
    assert [row["secret_name"] for row in aws.rows("status") if "gone_since" in row] == ["orders"]


def test_a_secret_that_comes_back_is_a_new_one(aws, create_secret, audit):
    secret = create_secret("orders", {"Managed": "true"})
    create_secret("stays", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    audit()
    create_secret("orders", {"Managed": "true"})

    run = audit()

    assert (run["added"], run["checked"], kinds(run)) == (1, 2, [])
    assert not any("gone_since" in row for row in aws.rows("status"))


def test_a_vanished_secret_is_recorded_even_if_the_run_fails_afterwards(aws, create_secret, audit, context):
    secret = create_secret("orders", {"Managed": "true"})
    create_secret("stays", {"Managed": "true"})
    audit()
    aws.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    refusal = aws.Refusal("InternalServerError", 400)
    aws.answer("UpdateItem", lambda request: refusal if request["TableName"] == "status" else None)
    context.aws_request_id = scheduled = "2026-03-01T01:00:00Z"
    with pytest.raises(ClientError):
        check.handler({"scheduled_time": scheduled}, context)
    aws.answer("UpdateItem", lambda _: None)

    assert kinds(audit()) == [("vanished", "orders")]
    assert [row["secret_name"] for row in aws.rows("status") if "gone_since" in row] == ["orders"]
