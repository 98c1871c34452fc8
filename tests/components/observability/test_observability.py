"""What is watched, when it rings, and whom: nothing of the product fails unheard, and each cause pages once."""

import json
import re

import pytest

from components.observability.observability import Observability
from tests.components.samples.everything import EVERYTHING

METRIC, COMPOSITE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"
QUEUE, TOPIC, FUNCTION = "aws:sqs/queue:Queue", "aws:sns/topic:Topic", "aws:lambda/function:Function"
RULE, MACHINE = "aws:cloudwatch/eventRule:EventRule", "aws:sfn/stateMachine:StateMachine"
GROUP, DASHBOARD = "aws:scheduler/scheduleGroup:ScheduleGroup", "aws:cloudwatch/dashboard:Dashboard"
MINUTE, HOUR, DAY = 60, 3600, 86_400
SUBJECTS = {
    "throttled-functions",
    "events-not-delivered",
    "events-not-recorded",
    "audit-not-running",
    "remediation-not-acting",
    "notices-not-delivered",
}


@pytest.fixture(scope="module")
def plain(guard):
    return guard()


@pytest.fixture(scope="module")
def full(guard):
    return guard(**EVERYTHING)


def watched(recording, metric):
    """The values of the dimension of each alarm on this metric."""
    alarms = [resource.inputs for resource in recording.of_type(METRIC) if resource.inputs["metricName"] == metric]
    return [value for alarm in alarms for value in alarm["dimensions"].values()]


def alarm(recording, name):
    return recording.named(METRIC, f"guard-observability-{name}").inputs


def page(recording, subject):
    return recording.named(COMPOSITE, f"guard-observability-{subject}").inputs


def children(inputs):
    """The logical names of the alarms in a rule."""
    names = re.findall(r'(?:ALARM|OK)\("guard-observability-([^"]+)-0a1b2c3"\)', inputs["alarmRule"])
    assert len(names) == inputs["alarmRule"].count('("')
    return names


@pytest.mark.parametrize("size", ["plain", "full"])
def test_every_dead_letter_queue_is_watched(size, request):
    recording = request.getfixturevalue(size)
    dead = [resource.outputs["name"] for resource in recording.of_type(QUEUE) if "dead-letters" in resource.name]

    assert len(dead) == {"plain": 4, "full": 5}[size]
    assert sorted(watched(recording, "ApproximateNumberOfMessagesVisible")) == sorted(dead)


@pytest.mark.parametrize("metric", ["FailedInvocations", "InvocationsFailedToBeSentToDlq"])
def test_every_rule_is_watched_those_of_the_user_too(full, metric):
    rules = [resource.outputs["name"] for resource in full.of_type(RULE)]

    assert any("extra" in name for name in rules)
    assert sorted(watched(full, metric)) == sorted(rules)


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_is_watched_but_those_of_the_demo(full, metric):
    functions = [resource.outputs["name"] for resource in full.of_type(FUNCTION) if "-demo-" not in resource.name]

    assert len(functions) > 10
    assert sorted(watched(full, metric)) == sorted(functions)


def test_topics_the_workflow_and_the_schedule_are_watched(full):
    topics = [resource.outputs["name"] for resource in full.of_type(TOPIC)]
    [machine], [group] = full.of_type(MACHINE), full.of_type(GROUP)

    assert len(topics) == 4
    assert sorted(watched(full, "NumberOfNotificationsFailed")) == sorted(topics)
    for metric in ("ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"):
        assert watched(full, metric) == [machine.arn]
    for metric in ("InvocationDroppedCount", "InvocationsFailedToBeSentToDeadLetterCount"):
        assert watched(full, metric) == [group.outputs["name"]]


def test_metric_alarms_page_nobody_and_each_belongs_to_one_page(full):
    heard = [name for subject in full.of_type(COMPOSITE) for name in children(subject.inputs)]
    metrics = [resource.name.removeprefix("guard-observability-") for resource in full.of_type(METRIC)]

    assert sorted(heard) == sorted(metrics)
    assert all(
        "alarmActions" not in resource.inputs and "okActions" not in resource.inputs
        for resource in full.of_type(METRIC)
    )


def test_each_subject_pages_and_says_when_it_is_over(plain, full):
    critical = plain.named(TOPIC, "guard-critical").arn

    assert {resource.name.removeprefix("guard-observability-") for resource in plain.of_type(COMPOSITE)} == SUBJECTS
    for resource in plain.of_type(COMPOSITE):
        assert resource.inputs["alarmActions"] == resource.inputs["okActions"] == [critical]
    assert len(full.of_type(COMPOSITE)) == len(SUBJECTS) + 1


def test_a_writer_that_is_broken_pages_once(plain):
    """Whatever shows of it: errors, age of the oldest event, events that are not recorded, dead letters."""
    shown = {"writer-errors", "oldest-event", "events-unrecorded", "unrecorded-events"}

    assert shown <= set(children(page(plain, "events-not-recorded")))


def test_throttling_shows_in_many_subjects_and_pages_once(plain):
    cause = page(plain, "throttled-functions")

    assert {name.rpartition("-")[2] for name in children(cause)} == {"throttles"}
    for subject in ("events-not-recorded", "audit-not-running", "remediation-not-acting"):
        assert page(plain, subject)["actionsSuppressor"]["alarm"] == cause["alarmName"]
        assert not any("throttles" in name for name in children(page(plain, subject)))
    for subject in ("throttled-functions", "events-not-delivered", "notices-not-delivered"):
        assert "actionsSuppressor" not in page(plain, subject)


def test_what_a_retry_has_repaired_pages_nobody(plain):
    """Lambda calls asynchronously three times, Step Functions six times, and the queue hands a message out again."""
    thresholds = {
        resource.name.removeprefix("guard-observability-").removesuffix("-errors"): resource.inputs["threshold"]
        for resource in plain.of_type(METRIC)
        if resource.inputs["metricName"] == "Errors"
    }

    steps = {"claim", "diagnose", "decide", "end", "notify"}
    assert thresholds == {"writer": 3, "check": 3, "start": 3, **dict.fromkeys(steps, 6)}
    assert alarm(plain, "events-unrecorded")["evaluationPeriods"] == 2


def test_the_age_of_the_oldest_event_rings_before_sqs_leaves_it_out(plain):
    """SQS leaves out what was received more than three times: at most after three visibility timeouts."""
    visibility = plain.named(QUEUE, "guard-trail-events").inputs["visibilityTimeoutSeconds"]
    oldest = alarm(plain, "oldest-event")

    assert oldest["dimensions"] == {"QueueName": plain.named(QUEUE, "guard-trail-events").outputs["name"]}
    # Later than after one retry, so that what that repairs rings nobody.
    assert visibility < oldest["threshold"] < 3 * visibility


@pytest.mark.parametrize(
    ("expression", "period", "count"),
    [
        ("rate(1 minute)", MINUTE, 3),
        ("rate(1 hour)", HOUR, 3),
        ("rate(1 day)", DAY, 3),
        ("rate(30 hours)", DAY, 4),
        ("rate(2 days)", DAY, 6),
        ("rate(56 hours)", DAY, 7),
        ("cron(*/40 * * * ? *)", 40 * MINUTE, 3),
        # At night it rests: three times fourteen hours, and not three hours, after which it would ring every evening.
        ("cron(0 8-18 * * ? *)", 14 * HOUR, 3),
        ("cron(0 6 ? * MON,WED,FRI,SUN *)", DAY, 6),
    ],
)
def test_no_complete_audit_rings_after_three_periods_and_looks_back_no_more_than_aws_allows(
    observed, expression, period, count
):
    recording = observed(schedule_expression=expression)

    for name in ("no-complete-audit", "no-audit-yet"):
        inputs = recording.named(METRIC, f"seen-{name}").inputs
        assert (inputs["period"], inputs["evaluationPeriods"]) == (period, count)
    assert period * count <= (7 * DAY if period >= HOUR else DAY)


@pytest.mark.parametrize("expression", ["rate(57 hours)", "rate(3 days)", "cron(0 6 ? * MON *)"])
def test_an_audit_of_which_three_periods_are_more_than_a_week_rings_by_its_other_alarms(observed, expression):
    recording = observed(schedule_expression=expression, max_overdue=3)

    names = {resource.name for resource in recording.of_type(METRIC)}
    assert {"seen-no-complete-audit", "seen-no-audit-yet"}.isdisjoint(names)
    assert {"seen-failed-audits", "seen-check-errors", "seen-schedule-dropped"} <= names
    overdue = recording.named(METRIC, "seen-overdue-secrets").inputs
    assert (overdue["period"], overdue["evaluationPeriods"]) == (DAY, 1)


def test_a_stack_whose_audits_fall_silent_rings_and_a_new_one_that_awaits_its_first_does_not(plain):
    """What CloudWatch's own table of missing data says of three periods: all missing is ALARM with `breaching`, and
    with `ignore` whatever it was before; one good value and two missing is OK with either.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    silent, awaited = alarm(plain, "no-complete-audit"), alarm(plain, "no-audit-yet")

    for inputs in (silent, awaited):
        assert (inputs["metricName"], inputs["statistic"]) == ("AuditRunsComplete", "Sum")
        assert inputs["comparisonOperator"] == "LessThanThreshold"
    assert (silent["threshold"], silent["treatMissingData"]) == (1, "breaching")
    # No sum of zeros and ones is below 0: any audit that has ended is a good value, be it complete or not.
    assert (awaited["threshold"], awaited["treatMissingData"]) == (0, "ignore")
    rule = page(plain, "audit-not-running")["alarmRule"]
    names = {name: f"guard-observability-{name}-0a1b2c3" for name in ("no-complete-audit", "no-audit-yet")}
    assert f'(ALARM("{names["no-complete-audit"]}") AND OK("{names["no-audit-yet"]}"))' in rule
    assert rule.count("no-complete-audit") == rule.count("no-audit-yet") == 1


def test_what_aws_counts_only_when_there_is_something_to_count_is_good_when_it_is_missing(full):
    ours = {"AuditRunsComplete", "SecretsFlagged"}
    others = [resource.inputs for resource in full.of_type(METRIC) if resource.inputs["metricName"] not in ours]

    assert len(others) > 50
    assert {one["treatMissingData"] for one in others} == {"notBreaching"}


@pytest.mark.parametrize(("limit", "rings"), [(0, True), (7, True), (499_999, True), (500_000, False), (None, False)])
def test_secrets_over_their_limit_ring_above_max_overdue(observed, limit, rings):
    recording = observed(**({} if limit is None else {"max_overdue": limit}))

    overdue = [
        resource.inputs for resource in recording.of_type(METRIC) if resource.inputs["metricName"] == "SecretsFlagged"
    ]
    pages = [resource.name for resource in recording.of_type(COMPOSITE)]
    assert ("seen-too-many-overdue" in pages) == rings == bool(overdue)
    for inputs in overdue:
        assert (inputs["comparisonOperator"], inputs["threshold"]) == ("GreaterThanThreshold", limit)
        # Nothing is known between two audits: it neither rings again nor is it over.
        assert (inputs["statistic"], inputs["treatMissingData"]) == ("Maximum", "ignore")


def test_it_can_be_used_alone_and_says_where_its_dashboard_is(observed):
    recording = observed()
    [made] = recording.of_type(DASHBOARD)

    assert recording.outputs["dashboard_url"] == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        f"#dashboards/dashboard/{made.inputs['dashboardName']}"
    )
    assert len({resource.inputs["alarmName"] for resource in recording.of_type(COMPOSITE)}) == len(SUBJECTS)


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_dashboards_url_is_in_its_own_partition(observed, partition, region, host):
    machine = f"arn:{partition}:states:{region}:111122223333:stateMachine:mend"

    url = observed(state_machine_arn=machine).outputs["dashboard_url"]

    assert url.startswith(f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/")


def test_the_runbook_that_is_configured_is_the_one_that_alarms_lead_to(full):
    alarms = [*full.of_type(METRIC), *full.of_type(COMPOSITE)]

    assert alarms
    for alarm in alarms:
        assert re.search(r"\S\. https://example\.com/runbook#[a-z-]+$", alarm.inputs["alarmDescription"])


def test_an_event_without_a_secret_is_not_said_to_be_unheard_of(plain):
    # It reaches the failures topic, the audit trail and, if a rotation failed, a notice on the remediation topic.
    description = alarm(plain, "events-without-secret")["alarmDescription"]

    assert description.startswith(
        "An event of Secrets Manager names no secret: remediation and the audit cannot use it."
    )


def test_the_dashboard_shows_all_alarms_and_what_the_on_call_asks_for(full):
    [made] = full.of_type(DASHBOARD)
    widgets = json.loads(made.inputs["dashboardBody"])["widgets"]
    [alarms] = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    shown = {
        metric[1] for widget in widgets if widget["type"] == "metric" for metric in widget["properties"]["metrics"]
    }

    assert set(alarms) == {resource.arn for resource in full.of_type(COMPOSITE)}
    assert shown == {
        "IncidentsOpen",
        "IncidentsOpened",
        "IncidentsRecoveredByAws",
        "IncidentsRecoveredByRetry",
        "IncidentsRolledForward",
        "IncidentsFallenBack",
        "IncidentsEscalated",
        "IncidentsHeld",
        "IncidentsResolved",
        "SecondsToRecovery",
        "RotationsFailed",
        "RotationsSucceeded",
        "SecretsFlagged",
        "SecretsUnknown",
        "AuditRunsComplete",
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
    }


def test_the_dashboards_body_is_as_cloudwatch_takes_it(full):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html."""
    [made] = full.of_type(DASHBOARD)
    body = json.loads(made.inputs["dashboardBody"])

    assert body.keys() == {"widgets"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", made.inputs["dashboardName"])
    taken = set()
    for widget in body["widgets"]:
        assert widget.keys() == {"type", "x", "y", "width", "height", "properties"}
        assert 0 <= widget["x"] <= widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert taken.isdisjoint(cells)
        taken |= cells
        properties = widget["properties"]
        match widget["type"]:
            case "text":
                assert properties.keys() == {"markdown"}
            case "alarm":
                assert 1 <= len(properties["alarms"]) <= 100
                assert all(arn.startswith("arn:aws:cloudwatch:") for arn in properties["alarms"])
            case "metric":
                assert properties["view"] in ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")
                assert properties["stat"] in ("Sum", "Average", "Maximum", "Minimum", "SampleCount")
                assert properties["region"] == "eu-west-1"
                assert properties["period"] % 60 == 0
                for namespace, name, *dimensions, options in properties["metrics"]:
                    assert isinstance(namespace, str)
                    assert isinstance(name, str)
                    assert len(dimensions) in (2, 4)
                    assert all(isinstance(part, str) for part in dimensions)
                    assert options.keys() == {"label"}
            case other:
                pytest.fail(f"CloudWatch knows no widget {other}")


@pytest.fixture(scope="module")
def observed(deploy):
    """Deploys Observability alone, over resources of another program."""
    functions = {name: {"function_name": f"f-{name}", "service": f"s-{name}"} for name in ("start", "claim", "end")}
    args = {
        "alarms_topic_arn": "arn:aws:sns:eu-west-1:111122223333:critical",
        "rule_names": {"failed": "r-failed"},
        "undelivered_events_queue_name": "q-undelivered",
        "audit_queue_name": "q-events",
        "unrecorded_events_queue_name": "q-unrecorded",
        "writer": {"function_name": "f-writer", "service": "s-writer"},
        "check": {"function_name": "f-check", "service": "s-check"},
        "schedule_group_name": "g",
        "failed_audits_queue_name": "q-failed",
        "steps": functions,
        "state_machine_arn": "arn:aws:states:eu-west-1:111122223333:stateMachine:mend",
        "unstarted_remediations_queue_name": "q-unstarted",
        "topic_names": {"critical": "t-critical"},
    }
    return lambda **more: deploy(Observability, "seen", {**args, **more})
