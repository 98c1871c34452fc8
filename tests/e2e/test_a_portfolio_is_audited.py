"""Secrets of every verdict, audited by the functions of the stack with the permissions that they really have."""

import base64
import json
from datetime import UTC, datetime

import pytest

from local.demo import portfolio
from local.deploy import deployment
from local.waiting import eventually
from rotation_guard.domain.audit.verdicts import VERDICT_NAMES, VERDICTS

MANAGED_DEMO_SECRETS = ("fresh", "stale")
"""The demo's secrets with the managed tag."""


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A deployment of its own, with the portfolio in it, after one run."""
    running = deployment.up(tmp_path_factory.mktemp("portfolio") / ".local", wait_scale=1.0)
    seeded = portfolio.seed(running, portfolio.entries(running, datetime.now(UTC)))
    answer = running.client("lambda").invoke(FunctionName=running.outputs["function_name"], Payload=b"{}")
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    told["expected"] = seeded + len(MANAGED_DEMO_SECRETS)
    yield running, told
    assert running.down() == []


def rows(stack, output):
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs[output])
    return [row for page in pages for row in page["Items"]]


def run_row(stack, run_id):
    key = {"audit": {"S": "rotation"}, "run_id": {"S": run_id}}
    return stack.client("dynamodb").get_item(TableName=stack.outputs["runs_table_name"], Key=key)["Item"]


def test_every_secret_has_the_verdict_that_it_was_made_for(audited):
    stack, told = audited
    found = {row["secret_name"]["S"]: row["verdict"]["S"] for row in rows(stack, "status_table_name")}
    made_for = {name: name.split("/")[1].replace("-", "_") for name in found if name.startswith("portfolio/")}

    assert told["checked"] == told["expected"]
    assert set(made_for.values()) == set(portfolio.VERDICTS)
    assert {name: found[name] for name in made_for} == made_for


def test_only_what_needs_someone_is_in_the_index(audited):
    stack, _ = audited
    answer = stack.client("dynamodb").query(
        TableName=stack.outputs["status_table_name"],
        IndexName="attention",
        KeyConditionExpression="attention = :yes",
        ExpressionAttributeValues={":yes": {"S": "yes"}},
    )
    # A replica needs attention only if it is over the limit.
    without_attention = {verdict.name for verdict in VERDICTS if not verdict.attention}
    assert {row["verdict"]["S"] for row in answer["Items"]} == set(VERDICT_NAMES) - without_attention


def test_a_rotation_that_is_stuck_opens_an_incident_and_people_are_told(audited):
    stack, _ = audited
    stuck = [row for row in rows(stack, "status_table_name") if row["verdict"]["S"] == "rotation_failing"]
    arn = stuck[0]["secret_arn"]["S"]

    def incident():
        found = [row for row in rows(stack, "incidents_table_name") if row["secret_arn"]["S"] == arn]
        return found and found[0]

    opened = eventually(incident, "an incident for a stuck rotation")
    assert (opened["state"]["S"], opened["event_type"]["S"]) == ("open", "Rotation Stuck")

    def notice():
        answer = stack.client("sqs").receive_message(QueueUrl=stack.inbox["remediation"], MaxNumberOfMessages=10)
        envelopes = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        notices = [json.loads(one["Message"]) | {"subject": one["Subject"]} for one in envelopes]
        return next((one for one in notices if one["secret_arn"] == arn), None)

    told = eventually(notice, "a notice about a stuck rotation")
    assert (told["turn"], told["kind"], told["opened_at"]) == ("opened", "Rotation Stuck", opened["opened_at"]["S"])
    assert told["subject"].startswith("AT RISK portfolio/")
    assert told["subject"].endswith(f" {stack.account_id} {stack.region}: rotation is stuck")


def test_a_part_that_was_handed_over_and_lost_is_taken_up_by_a_retry(audited):
    stack, told = audited
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
    assert finished["checked"]["N"] == str(told["expected"])


def test_a_value_that_moved_is_told_to_the_audit(audited):
    stack, _ = audited
    name = stack.outputs["fresh_secret_name"]
    version = stack.client("secretsmanager").put_secret_value(SecretId=name, SecretString="new")["VersionId"]

    def fed():
        [row] = [row for row in rows(stack, "status_table_name") if row["secret_name"]["S"] == name]
        return row.get("fed_version_id", {}).get("S") == version and row

    row = eventually(fed, "the new value in the status table")
    assert row["heard_version_id"]["S"] == version


def test_a_secret_that_vanished_is_found_by_the_next_run(audited):
    stack, first_run = audited
    name = "portfolio/fresh/db/orders"
    stack.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    answer = stack.client("lambda").invoke(FunctionName=stack.outputs["function_name"], Payload=b"{}")
    told = json.loads(answer["Payload"].read())

    assert told["checked"] == first_run["expected"] - 1
    [row] = [row for row in rows(stack, "status_table_name") if row["secret_name"]["S"] == name]
    assert "gone_since" in row
