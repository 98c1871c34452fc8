"""The audit on the local deployment: its schedule, runs and rows."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key

from tests.paths import ROOT

README = ROOT / "README.md"


@pytest.fixture
def check(scenario) -> dict[str, Any]:
    """Runs the audit; its result, and the time before its start as `started_at`."""
    started_at = datetime.now(UTC).replace(microsecond=0)
    response = scenario.stack.client("lambda").invoke(
        FunctionName=scenario.stack.outputs["function_name"], Payload=b"{}"
    )
    assert "FunctionError" not in response, response["Payload"].read()
    return {**json.loads(response["Payload"].read()), "started_at": started_at}


def test_the_audit_runs_every_hour_on_the_check_function(scenario):
    outputs = scenario.stack.outputs
    schedule = scenario.stack.client("scheduler").get_schedule(
        GroupName=outputs["schedule_group_name"], Name=outputs["schedule_name"]
    )

    assert schedule["State"] == "ENABLED"
    assert schedule["ScheduleExpression"] == outputs["schedule_expression"] == "rate(1 hour)"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    function = scenario.stack.client("lambda").get_function(FunctionName=outputs["function_name"])
    assert schedule["Target"]["Arn"] == function["Configuration"]["FunctionArn"]


def test_a_run_checks_the_two_managed_secrets_and_flags_none(check):
    assert (check["checked"], check["flagged"]) == (2, 0)


def test_every_run_has_an_id_of_its_own(scenario, check):
    again = scenario.stack.client("lambda").invoke(FunctionName=scenario.stack.outputs["function_name"], Payload=b"{}")

    assert check["run_id"]
    assert json.loads(again["Payload"].read())["run_id"] != check["run_id"]


def test_a_run_writes_one_row_per_managed_secret_and_none_for_the_ignored(scenario, check):
    outputs = scenario.stack.outputs
    rows = [row for row in scenario.read_all_rows("table_name") if row["run_id"] == check["run_id"]]

    assert {row["secret_name"] for row in rows} == {outputs["fresh_secret_name"], outputs["stale_secret_name"]}
    assert len(rows) == 2
    for row in rows:
        assert row["status"] == "ok"
        checked_at = datetime.fromisoformat(row["checked_at"])
        assert checked_at.utcoffset() == timedelta(0)
        assert check["started_at"] <= checked_at <= datetime.now(UTC)


def test_a_row_is_found_by_both_its_keys(scenario, check):
    name = scenario.stack.outputs["stale_secret_name"]
    response = scenario.open_table("table_name").query(
        KeyConditionExpression=Key("secret_name").eq(name) & Key("run_id").eq(check["run_id"])
    )

    assert [row["secret_name"] for row in response["Items"]] == [name]


def test_the_schedules_time_is_the_run_and_a_repeated_run_rewrites_its_rows(scenario):
    payload = json.dumps({"scheduled_time": "2026-03-01T00:00:00Z"})
    for _ in range(2):
        response = scenario.stack.client("lambda").invoke(
            FunctionName=scenario.stack.outputs["function_name"], Payload=payload
        )
        assert json.loads(response["Payload"].read())["run_id"] == "2026-03-01T00:00:00Z"

    rows = [row for row in scenario.read_all_rows("table_name") if row["run_id"] == "2026-03-01T00:00:00Z"]
    assert len(rows) == 2


def test_a_run_is_recorded_as_complete_and_the_status_table_is_current(scenario, check):
    runs = {row["run_id"]: row for row in scenario.read_all_rows("runs_table_name")}
    statuses = {row["secret_name"]: row for row in scenario.read_all_rows("status_table_name")}

    assert runs[check["run_id"]]["complete"] is True
    assert runs[check["run_id"]]["checked"] == 2
    outputs = scenario.stack.outputs
    assert set(statuses) == {outputs["fresh_secret_name"], outputs["stale_secret_name"]}
    assert all("attention" not in row for row in statuses.values())


def test_the_readme_shows_the_number_of_resources(stack):
    readme = README.read_text(encoding="utf-8")
    # `make up` has no canary.
    count = sum("canary" not in resource["name"] for resource in stack.resources)

    assert f"stack dev: {count} resources " in readme
    assert f"Deleted {count} resources and ended the embedded AWS" in readme
