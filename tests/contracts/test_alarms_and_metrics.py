"""The metrics and runbook headings that alarms and the dashboard refer to exist.

An alarm on a metric that is never emitted never fires. `tests/handlers/test_emitted_metrics.py` runs the functions
and checks that they emit these metrics with the same dimensions.
"""

import json
import re
from datetime import UTC, datetime

import pytest

from components.release import resolve_runbook
from handlers.adapters.audit_runs import Lease
from handlers.audit import check as rotation_check
from handlers.audit.completion import RunResult
from rotation_guard.domain.audit.reconciliation import DISCREPANCY_KINDS
from rotation_guard.domain.audit.run import Progress
from rotation_guard.domain.metrics import DISCREPANCY_METRICS, OUTCOME_METRICS, MetricName
from rotation_guard.domain.metrics import NAMESPACE as OWN_NAMESPACE
from rotation_guard.domain.remediation.incidents import Outcome
from tests.paths import ROOT

TABLE = "rotation_guard/domain/metrics.py"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
_SQS = (
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"
)
_EVENTS = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html"
_SCHEDULER = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"
_STATES = "https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html"
_SNS = "https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html"
DOCUMENTED = [
    (namespace, name, frozenset({dimension}), page)
    for namespace, dimension, names, page in (
        ("AWS/SQS", "QueueName", ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"), _SQS),
        # Of the default bus, whose rules have no dimension EventBusName.
        ("AWS/Events", "RuleName", ("FailedInvocations", "InvocationsFailedToBeSentToDlq"), _EVENTS),
        (
            "AWS/Scheduler",
            "ScheduleGroup",
            ("InvocationDroppedCount", "InvocationsFailedToBeSentToDeadLetterCount"),
            _SCHEDULER,
        ),
        ("AWS/Lambda", "FunctionName", ("Errors", "Throttles"), _LAMBDA),
        ("AWS/States", "StateMachineArn", ("ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"), _STATES),
        ("AWS/SNS", "TopicName", ("NumberOfNotificationsFailed",), _SNS),
    )
    for name in names
]
"""Copied from these pages, not from the product."""


@pytest.fixture
def emit_metrics(monkeypatch, capsys):
    """The metrics that the check emits at the end of a run, with the environment of a deployed function."""

    def emit(function):
        variables = function.inputs["environment"]["variables"]
        for name in ("namespace", "service"):
            key = "POWERTOOLS_METRICS_NAMESPACE" if name == "namespace" else "POWERTOOLS_SERVICE_NAME"
            monkeypatch.setattr(rotation_check.metrics.provider, name, variables[key])
        rotation_check.metrics.clear_metrics()
        lease = Lease("run", "holder", 0, datetime(2026, 3, 1, tzinfo=UTC), None, Progress())
        rotation_check._report_completion(lease, RunResult([], 0, ""), function.outputs["name"])
        [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
        return line

    return emit


def checks(stack):
    functions = stack.of_type("aws:lambda/function:Function")
    return [function for function in functions if function.inputs["handler"] == "handlers.audit.check.handler"]


def metrics_of(stack):
    """Namespace, name and dimensions of every metric in an alarm or on the dashboard."""
    alarms = [resource.inputs for resource in stack.of_type(ALARM)]
    [dashboard] = stack.of_type("aws:cloudwatch/dashboard:Dashboard")
    widgets = json.loads(dashboard.inputs["dashboardBody"])["widgets"]
    shown = [metric for widget in widgets if widget["type"] == "metric" for metric in widget["properties"]["metrics"]]
    return {
        *((alarm["namespace"], alarm["metricName"], frozenset(alarm["dimensions"])) for alarm in alarms),
        *((namespace, name, frozenset(rest[:-1:2])) for namespace, name, *rest in shown),
    }


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_every_metric_of_aws_is_documented_with_these_dimensions(stack, request):
    metrics = {metric for metric in metrics_of(request.getfixturevalue(stack)) if metric[0] != OWN_NAMESPACE}

    assert metrics == {(namespace, name, dimensions) for namespace, name, dimensions, _ in DOCUMENTED}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_every_own_metric_is_declared(stack, request):
    metrics = {name for namespace, name, _ in metrics_of(request.getfixturevalue(stack)) if namespace == OWN_NAMESPACE}

    assert metrics
    assert metrics <= set(MetricName), f"add it to MetricName in {TABLE}"


def test_every_declared_metric_is_emitted_by_a_handler():
    used = set()
    for path in (ROOT / "handlers").rglob("*.py"):
        used |= set(re.findall(r"MetricName\.([A-Z_]+)", path.read_text()))
    used |= {name.name for name in (*DISCREPANCY_METRICS.values(), *OUTCOME_METRICS.values())}

    unused = {name.name for name in MetricName} - used
    assert not unused, f"no handler emits it: remove it from MetricName in {TABLE}"


def test_every_discrepancy_and_every_outcome_has_a_metric():
    assert set(DISCREPANCY_METRICS) == set(DISCREPANCY_KINDS), f"edit DISCREPANCY_METRICS in {TABLE}"
    assert set(OUTCOME_METRICS) == set(Outcome), f"edit OUTCOME_METRICS in {TABLE}"


def test_handlers_use_only_declared_names_of_metrics():
    for path in (ROOT / "handlers").rglob("*.py"):
        assert not re.search(r"add_metric\(\s*f?[\"']", path.read_text()), f"{path}: use MetricName"


def test_every_alarm_links_to_a_heading_of_the_runbook(whole):
    alarms = [*whole.of_type(ALARM), *whole.of_type("aws:cloudwatch/compositeAlarm:CompositeAlarm")]
    links = [alarm.inputs["alarmDescription"].rpartition(" ")[2] for alarm in alarms]

    assert len(links) > 50
    assert {link.partition("#")[0] for link in links} == {resolve_runbook()}
    assert {link.partition("#")[2] for link in links} <= headings()


def headings():
    """The anchors of the runbook, which are its headings."""
    lines = (ROOT / "docs" / "runbook.md").read_text().splitlines()
    return {line.lstrip("#").strip() for line in lines if re.match("##+ ", line)}


def test_metrics_identify_the_stack_among_others_in_the_account(prod, emit_metrics):
    [check] = checks(prod)

    metrics = emit_metrics(check)

    # The name of a function is unique in an account and Region; that of the service is not.
    assert metrics["function_name"] == check.outputs["name"]
    assert metrics["service"] == check.inputs["environment"]["variables"]["POWERTOOLS_SERVICE_NAME"]
