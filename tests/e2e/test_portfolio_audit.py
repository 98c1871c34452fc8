"""Secrets with every verdict, audited by the stack's functions with their own permissions."""

import base64
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from local.demo import portfolio
from local.deploy import deployment
from local.waiting import eventually
from tests.paths import ROOT

MANAGED_DEMO_SECRETS = ("fresh", "stale")
"""The demo's secrets with the managed tag."""


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A separate deployment with the portfolio, after one audit run: the stack, and the run's result."""
    with deployment.deploy_temporarily(tmp_path_factory.mktemp("portfolio") / ".local", wait_scale=1.0) as stack:
        seeded = portfolio.seed(stack, portfolio.build_secrets(stack, datetime.now(UTC)))
        response = stack.client("lambda").invoke(FunctionName=stack.outputs["function_name"], Payload=b"{}")
        result = json.loads(response["Payload"].read())
        assert "FunctionError" not in response, result
        result["expected"] = seeded + len(MANAGED_DEMO_SECRETS)
        yield stack, result
        assert stack.down() == []


def rows(stack, output):
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs[output])
    return [row for page in pages for row in page["Items"]]


def run_row(stack, run_id):
    key = {"audit": {"S": "rotation"}, "run_id": {"S": run_id}}
    return stack.client("dynamodb").get_item(TableName=stack.outputs["runs_table_name"], Key=key)["Item"]


def test_every_secret_gets_its_expected_verdict(audited):
    stack, result = audited
    verdicts = {row["secret_name"]["S"]: row["verdict"]["S"] for row in rows(stack, "status_table_name")}
    expected = {name: name.split("/")[1].replace("-", "_") for name in verdicts if name.startswith("portfolio/")}

    assert result["checked"] == result["expected"]
    assert set(expected.values()) == set(portfolio.VERDICTS)
    assert {name: verdicts[name] for name in expected} == expected


def test_only_secrets_that_need_attention_are_in_the_index(audited):
    stack, _ = audited
    response = stack.client("dynamodb").query(
        TableName=stack.outputs["status_table_name"],
        IndexName="attention",
        KeyConditionExpression="attention = :yes",
        ExpressionAttributeValues={":yes": {"S": "yes"}},
    )
    assert {row["verdict"]["S"] for row in response["Items"]} == {
        "unknown",
        "exemption_invalid",
        "rotation_failing",
        "rotation_missed",
        "never_rotated",
        "overdue",
        "rotation_disabled",
    }


def test_a_stuck_rotation_opens_an_incident_and_notifies(audited):
    stack, _ = audited
    stuck = [row for row in rows(stack, "status_table_name") if row["verdict"]["S"] == "rotation_failing"]
    arn = stuck[0]["secret_arn"]["S"]

    def find_incident():
        return next((row for row in rows(stack, "incidents_table_name") if row["secret_arn"]["S"] == arn), None)

    opened = eventually(find_incident, "an incident for a stuck rotation")
    assert (opened["state"]["S"], opened["event_type"]["S"]) == ("open", "Rotation Stuck")

    def find_notification():
        response = stack.client("sqs").receive_message(QueueUrl=stack.inbox["remediation"], MaxNumberOfMessages=10)
        envelopes = [json.loads(message["Body"]) for message in response.get("Messages", [])]
        payloads = [json.loads(envelope["Message"]) | {"subject": envelope["Subject"]} for envelope in envelopes]
        return next((payload for payload in payloads if payload["secret_arn"] == arn), None)

    result = eventually(find_notification, "a notification about a stuck rotation")
    assert (result["turn"], result["kind"], result["opened_at"]) == (
        "opened",
        "Rotation Stuck",
        opened["opened_at"]["S"],
    )
    assert result["subject"].startswith("AT RISK portfolio/")
    assert result["subject"].endswith(f" {stack.account_id} {stack.region}: rotation is stuck")


def test_a_retry_resumes_a_part_that_was_handed_over_and_lost(audited):
    stack, result = audited
    run = "2026-03-01T05:00:00Z"
    stack.client("dynamodb").put_item(
        TableName=stack.outputs["runs_table_name"],
        Item={
            "audit": {"S": "rotation"},
            "run_id": {"S": run},
            "started_at": {"S": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")},
            "lease_until": {"S": "2999-01-01T00:00:00Z"},
            "part": {"N": "1"},
            "next_token": {"S": base64.b64encode(b"0").decode()},
        },
    )

    stack.client("lambda").invoke(
        FunctionName=stack.outputs["function_name"], Payload=json.dumps({"scheduled_time": run})
    )

    eventually(lambda: "finished_at" in run_row(stack, run), "the end of the run")
    finished = run_row(stack, run)
    assert finished["complete"]["BOOL"] is True
    assert finished["checked"]["N"] == str(result["expected"])


def test_a_new_value_reaches_the_status_table(audited):
    stack, _ = audited
    name = stack.outputs["fresh_secret_name"]
    version = stack.client("secretsmanager").put_secret_value(SecretId=name, SecretString="new")["VersionId"]

    def find_row():
        [row] = [row for row in rows(stack, "status_table_name") if row["secret_name"]["S"] == name]
        return row.get("fed_version_id", {}).get("S") == version and row

    row = eventually(find_row, "the new value in the status table")
    assert row["heard_version_id"]["S"] == version


def test_the_next_run_notices_a_deleted_secret(audited):
    stack, before = audited
    name = "portfolio/fresh/db/orders"
    stack.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    response = stack.client("lambda").invoke(FunctionName=stack.outputs["function_name"], Payload=b"{}")
    result = json.loads(response["Payload"].read())

    assert result["checked"] == before["expected"] - 1
    [row] = [row for row in rows(stack, "status_table_name") if row["secret_name"]["S"] == name]
    assert "gone_since" in row


def test_the_page_of_the_deployment_shows_every_verdict_and_the_run(audited, tmp_path):
    stack, result = audited
    path = tmp_path / "report.html"
    command = [sys.executable, "-m", "rotation_guard.cli", "report", "--local", "--format", "html", "--output", path]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        command, cwd=stack.directory.parent, capture_output=True, text=True, check=False, env=environment
    )

    assert (done.returncode, done.stderr) == (0, "")
    text = path.read_text(encoding="utf-8")
    # A test before this one may have removed a secret.
    assert re.search(rf", complete, ({result['checked'] - 1}|{result['checked']}) secrets checked", text)
    assert all(f'data-value="{verdict}"' in text for verdict in portfolio.VERDICTS)
    assert "No complete run is recorded" not in text
