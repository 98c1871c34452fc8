"""Each of our metrics in alarms and on the dashboard is emitted by a function with the same dimensions."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from handlers.audit import check
from handlers.remediation import end as remediation_end
from handlers.remediation import incident_metrics
from handlers.trail import writer
from local.mocks.recording import deploy_program, stack_config
from rotation_guard.domain.metrics import MetricName
from tests.handlers.scene import EXECUTION, build_signal, build_success_signal

OURS = "rotation-guard"
ALARM, DASHBOARD = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/dashboard:Dashboard"
FUNCTION = "aws:lambda/function:Function"
MODULES = {
    "handlers.trail.writer.handler": writer,
    "handlers.audit.check.handler": check,
    "handlers.remediation.claim.handler": incident_metrics,
    "handlers.remediation.end.handler": incident_metrics,
}
"""Where the metrics of each function are kept until it writes them."""


@pytest.fixture(scope="module")
def prod():
    """The production stack, with the alarms that are off by default."""
    optional = {"rotation-guard:maxOverdue": "3", "rotation-guard:canarySchedule": "rate(1 day)"}
    return deploy_program({**stack_config("prod"), **optional}, stack="prod")


@pytest.fixture
def deploy_as(prod, context, monkeypatch):
    """Configures this process as the deployed function with this entry point."""

    def select(handler):
        [function] = [function for function in prod.of_type(FUNCTION) if function.inputs["handler"] == handler]
        variables = function.inputs["environment"]["variables"]
        provider = MODULES[handler].metrics.provider
        monkeypatch.setattr(provider, "namespace", variables["POWERTOOLS_METRICS_NAMESPACE"])
        monkeypatch.setattr(provider, "service", variables["POWERTOOLS_SERVICE_NAME"])
        MODULES[handler].metrics.clear_metrics()
        monkeypatch.setattr(context, "function_name", function.outputs["name"], raising=False)

    return select


@pytest.fixture
def read_metrics(capsys):
    """Reads every metric written so far: (namespace, name, dimensions) -> values."""

    def read():
        values_by_metric = defaultdict(list)
        for line in capsys.readouterr().out.splitlines():
            if '"CloudWatchMetrics"' not in line:
                continue
            record = json.loads(line)
            for directive in record["_aws"]["CloudWatchMetrics"]:
                for names in directive["Dimensions"]:
                    dimensions = frozenset((name, record[name]) for name in names)
                    for metric in directive["Metrics"]:
                        values = record[metric["Name"]]
                        key = (directive["Namespace"], metric["Name"], dimensions)
                        values_by_metric[key] += values if isinstance(values, list) else [values]
        return values_by_metric

    return read


def read_displayed_metrics(prod):
    """Our metrics that an alarm watches or the dashboard shows."""
    alarms = [
        (alarm.inputs["namespace"], alarm.inputs["metricName"], frozenset(alarm.inputs["dimensions"].items()))
        for alarm in prod.of_type(ALARM)
    ]
    widgets = json.loads(prod.of_type(DASHBOARD)[0].inputs["dashboardBody"])["widgets"]
    displayed_metrics = [
        metric for widget in widgets if widget["type"] == "metric" for metric in widget["properties"]["metrics"]
    ]
    charted = [
        (namespace, name, frozenset(zip(dimensions[:-1:2], dimensions[1:-1:2], strict=True)))
        for namespace, name, *dimensions in displayed_metrics
    ]
    return {metric for metric in [*alarms, *charted] if metric[0] == OURS}


def record(aws, context, monkeypatch, *bodies):
    """Lets the writer record these events; texts are sent unchanged."""
    url = aws.client("sqs").create_queue(QueueName="audit")["QueueUrl"]
    monkeypatch.setenv("AUDIT_QUEUE_URL", url)
    records = [
        {
            "messageId": str(number),
            "receiptHandle": str(number),
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
        }
        for number, body in enumerate(bodies)
    ]
    writer.handler({"Records": records}, context)


def end(context, incident, outcome):
    ending = {"outcome": outcome, "reason": "So it ended.", "restarts": [], "version": None}
    return remediation_end.handler({"execution": EXECUTION, "incident": incident, "ending": ending}, context)


def test_every_metric_of_ours_is_emitted_by_the_function_that_its_dimensions_name(
    aws, scene, context, deploy_as, recorded, read_metrics, prod, monkeypatch
):
    aws.create_tables("audit-trail", "history", "status", "runs")
    event_without_secret = recorded("rotation-abandoned")
    event_without_secret["detail"]["additionalEventData"] = None

    deploy_as("handlers.trail.writer.handler")
    record(
        aws,
        context,
        monkeypatch,
        recorded("rotation-failed"),
        recorded("rotation-succeeded"),
        event_without_secret,
        {**recorded("rotation-started"), "source": "rotation-guard.canary"},
        "{",
    )
    deploy_as("handlers.remediation.claim.handler")
    incidents = [scene.open(scene.secret()) for _ in range(6)]
    outcomes = ("recovered by AWS", "recovered by retry", "rolled forward", "fallen back", "escalated", "held")
    deploy_as("handlers.remediation.end.handler")
    for incident, outcome in zip(incidents, outcomes, strict=True):
        end(context, incident, outcome)
    deploy_as("handlers.remediation.claim.handler")
    scene.claim(
        build_success_signal(incidents[4]["secret_arn"], at="2999-01-01T00:00:00Z"), f"{EXECUTION}-2", iso_now()
    )
    deploy_as("handlers.audit.check.handler")
    check.handler({}, context)

    displayed, emitted_metrics = read_displayed_metrics(prod), read_metrics()
    assert len(displayed) > 15
    assert {metric[1] for metric in displayed - emitted_metrics.keys()} == set()
    assert {name for _, name, _ in emitted_metrics} <= set(MetricName)


def iso_now():
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def values(read_metrics):
    """Reads the values of each metric by its name alone."""
    return {name: counts for (_, name, _), counts in read_metrics().items()}


def test_an_incident_is_counted_once_however_often_its_steps_run(scene, context, read_metrics):
    arn = scene.secret()
    for _ in range(2):
        incident = scene.claim(build_signal(arn))["incident"]
    scene.claim(build_signal(arn, event="event-2"))
    assert values(read_metrics) == {"IncidentsOpened": [1]}

    for _ in range(2):
        assert end(context, incident, "escalated")["state"] == "mine"
    assert end(context, incident, "held")["state"] == "mine"

    # An escalation is not a recovery.
    assert values(read_metrics) == {"IncidentsEscalated": [1]}


@pytest.mark.parametrize("outcome", ["recovered by AWS", "recovered by retry", "rolled forward", "fallen back"])
def test_a_recovery_takes_from_the_opening_to_the_end(scene, context, read_metrics, outcome):
    opened_at = datetime.now(UTC) - timedelta(minutes=30)
    arn = scene.secret()
    incident = scene.claim(build_signal(arn), started_at=opened_at.isoformat())["incident"]
    read_metrics()
    ended_at = (opened_at + timedelta(seconds=1234)).isoformat()
    ending = {"outcome": outcome, "reason": "", "restarts": [], "version": None}

    remediation_end.handler(
        {"execution": EXECUTION, "incident": incident, "ending": ending, "entered_at": ended_at}, context
    )

    counts = values(read_metrics)
    assert counts.pop("SecondsToRecovery") == [pytest.approx(1234)]
    assert list(counts.values()) == [[1]]


def test_an_end_that_another_execution_reached_first_is_not_counted(scene, context, read_metrics):
    incident = scene.open(scene.secret())
    end(context, incident, "escalated")
    read_metrics()
    ending = {"outcome": "recovered by AWS", "reason": "", "restarts": [], "version": None}

    remediation_end.handler({"execution": f"{EXECUTION}-2", "incident": incident, "ending": ending}, context)

    assert values(read_metrics) == {}


def test_a_rotation_is_counted_when_it_is_recorded_for_the_first_time(
    aws, context, deploy_as, recorded, read_metrics, monkeypatch
):
    aws.create_tables("audit-trail", "status")
    deploy_as("handlers.trail.writer.handler")
    copy = recorded("rotation-failed")
    copy["id"] = "another-delivery"
    started = recorded("rotation-started")

    record(aws, context, monkeypatch, recorded("rotation-failed"), copy, recorded("rotation-abandoned"), started)

    counts = values(read_metrics)
    assert counts["RotationsFailed"] == [1, 1]
    assert "RotationsSucceeded" not in counts


@pytest.mark.parametrize("count", [0, 3])
def test_an_audit_counts_the_open_incidents(aws, scene, context, deploy_as, read_metrics, count):
    aws.create_tables("audit-trail", "history", "status", "runs")
    for _ in range(count):
        scene.open(scene.secret())
    read_metrics()
    deploy_as("handlers.audit.check.handler")

    check.handler({}, context)

    assert values(read_metrics)["IncidentsOpen"] == [count]


def test_open_incidents_that_cannot_be_counted_are_not_reported_as_zero(
    aws, scene, context, deploy_as, read_metrics, monkeypatch
):
    aws.create_tables("audit-trail", "history", "status", "runs")
    monkeypatch.setenv("INCIDENTS_TABLE_NAME", "")
    deploy_as("handlers.audit.check.handler")

    check.handler({}, context)

    assert "IncidentsOpen" not in values(read_metrics)
