"""The canary and drills on the local deployment: from the bus to the audit trail, and what rings when that fails."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key
from typer.testing import CliRunner

from local.deploy.deployment import RunningStack
from local.waiting import eventually
from rotation_guard.cli.application import app

from .test_alarms import find_composite_alarm, wait_for_alarm, wait_until_ok


def find_rule(stack: RunningStack) -> str:
    """The rule that canaries take."""
    rules = stack.client("events").list_rules()["Rules"]
    return next(rule["Name"] for rule in rules if "rotation-guard.canary" in rule.get("EventPattern", ""))


def put_canary(stack: RunningStack, table: str | None = None) -> str:
    """Put the event of the schedule on its bus, as Scheduler does at this time; return its id."""
    outputs = stack.outputs
    target = stack.client("scheduler").get_schedule(
        GroupName=outputs["canary_schedule_group_name"], Name=outputs["canary_schedule_name"]
    )["Target"]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = json.loads(target["Input"].replace("<aws.scheduler.scheduled-time>", now))
    if table:
        detail |= {"incidents_table": table, "eventID": f"canary-{table}-{now}"}
    entry = {**target["EventBridgeParameters"], "Detail": json.dumps(detail), "EventBusName": target["Arn"]}
    assert stack.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    return detail["eventID"]


@contextmanager
def disabled_rule(stack: RunningStack) -> Generator[None]:
    """Disable the rule that canaries take."""
    events, rule = stack.client("events"), find_rule(stack)
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)


@pytest.fixture
def find_canary(scenario) -> Callable[[str], dict[str, Any] | None]:
    """The row of the canary with this id in the audit trail; None if there is none."""

    def find(event_id: str) -> dict[str, Any] | None:
        table = scenario.open_table("audit_trail_table_name")
        rows = table.query(KeyConditionExpression=Key("secret_arn").eq("rotation-guard.canary"), ConsistentRead=True)[
            "Items"
        ]
        return next((row for row in rows if row["recorded"].endswith(f"#{event_id}")), None)

    return find


@pytest.fixture
def drill(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `rotation-guard drill` on the deployment; returns its result."""
    monkeypatch.chdir(stack.directory.parent)
    return lambda *options: CliRunner().invoke(app, ["drill", *options, "--local", "--format", "json"])


def test_a_canary_is_recorded_once_counted_and_opens_no_incident(stack, scenario, find_canary):
    incidents = len(scenario.read_all_rows("incidents_table_name"))

    event_id = put_canary(stack)

    row = eventually(lambda: find_canary(event_id), "the canary in the audit trail", seconds=60.0)
    assert row["event_type"] == "RotationCanary"
    metrics = stack.client("cloudwatch").list_metrics(Namespace="rotation-guard", MetricName="CanaryEventsRecorded")
    assert metrics["Metrics"]
    assert len(scenario.read_all_rows("incidents_table_name")) == incidents


def test_the_canary_of_another_stack_is_left_to_it(stack, find_canary):
    other, own = put_canary(stack, "another-stack"), put_canary(stack)

    eventually(lambda: find_canary(own), "the canary of this stack", seconds=60.0)
    assert find_canary(other) is None


def test_a_rule_that_hears_nothing_rings_once_there_was_a_canary(stack, find_canary):
    cloudwatch = stack.client("cloudwatch")
    event_id = put_canary(stack)
    eventually(lambda: find_canary(event_id), "the canary in the audit trail", seconds=60.0)
    page = find_composite_alarm(stack, "FailedInvocations", find_rule(stack))
    wait_until_ok(stack, page)
    alarms = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"]).search("MetricAlarms")
    missing = next(alarm for alarm in alarms if "-no-canary-" in alarm["AlarmName"] and alarm["Threshold"] == 1)
    taken = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    request = {name: value for name, value in missing.items() if name in taken}

    with disabled_rule(stack):
        lost = put_canary(stack)
        # A day and an hour pass: alarms on missing data are evaluated in real time.
        cloudwatch.put_metric_alarm(**request | {"Period": 10, "EvaluationPeriods": 1})
        assert wait_for_alarm(stack, page, "ALARM")["OldStateValue"] == "OK"
        assert find_canary(lost) is None

    cloudwatch.put_metric_alarm(**request)
    put_canary(stack)
    assert wait_for_alarm(stack, page, "OK")["OldStateValue"] == "ALARM"


@pytest.mark.parametrize("event", ["rotation-succeeded", "canary"])
def test_a_drill_is_seen_in_the_audit_trail_and_opens_no_incident(stack, scenario, drill, event):
    incidents = {row["secret_arn"] for row in scenario.read_all_rows("incidents_table_name")}

    result = drill("--event", event)

    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert [trace["result"] for trace in answer["traces"]] == ["seen"]
    opened = {row["secret_arn"] for row in scenario.read_all_rows("incidents_table_name")} - incidents
    assert not [arn for arn in opened if arn.startswith("arn:")]


def test_a_drilled_failure_opens_an_incident_of_the_secret(stack, drill, scenario):
    name = stack.outputs["ignored_secret_name"]

    result = drill("--event", "rotation-failed", "--secret", name, "--reason", "on-call training")

    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert [trace["result"] for trace in answer["traces"]] == ["seen", "seen"]
    [row] = scenario.read_rows("incidents_table_name", answer["drill"]["secret_arn"])
    assert answer["drill"]["event_id"] in row["event_ids"]


def test_a_drill_that_the_rule_does_not_accept_says_what_to_set(stack, drill):
    with disabled_rule(stack):
        result = drill("--timeout", "2")

    assert result.exit_code == 3
    assert [trace["result"] for trace in json.loads(result.stdout)["traces"]] == ["not seen"]
    assert "set drill to true" in result.stderr
