"""The resource table: what it creates, and the inputs that it rejects."""

import io
import json
import re
import zipfile
from typing import Any

import pulumi
import pytest
from botocore.awsrequest import AWSResponse

from local.aws import Aws
from local.deploy.resources import TABLE, Resource, find_entry
from local.deploy.resources.archive import build_zip
from local.errors import LocalError

QUEUE = "aws:sqs/queue:Queue"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"


def test_a_type_that_the_table_lacks_is_an_error_that_names_it():
    with pytest.raises(LocalError, match=r"aws:ec2/vpc:Vpc"):
        find_entry("aws:ec2/vpc:Vpc")


def test_an_input_that_an_entry_does_not_know_is_an_error_that_names_both():
    with pytest.raises(LocalError, match=r"aws:sqs/queue:Queue.*deduplicationScope"):
        find_entry(QUEUE).reject_unknown_inputs({"name": "orders", "deduplicationScope": "queue"})


def test_an_unknown_key_inside_an_object_is_named_with_its_path():
    inputs = {"rule": "r", "arn": "a", "retryPolicy": {"maximumRetryAttempts": 2, "jitter": True}}
    with pytest.raises(LocalError, match=r"retryPolicy\.jitter"):
        find_entry(TARGET).reject_unknown_inputs(inputs)


def test_an_unknown_key_inside_a_list_of_objects_is_named():
    with pytest.raises(LocalError, match=r"attributes\.colour"):
        find_entry("aws:dynamodb/table:Table").reject_unknown_inputs({"attributes": [{"name": "id", "colour": "red"}]})


def test_an_omitted_input_is_not_unknown():
    find_entry(QUEUE).reject_unknown_inputs({"name": "orders", "deduplicationScope": None, "tags": {"any": "thing"}})


def test_a_name_is_generated_as_the_engine_does_unless_the_program_gives_one():
    entry = find_entry(QUEUE)
    assert re.fullmatch(r"orders-[0-9a-f]{7}", entry.with_name("orders", {})["name"])
    assert entry.with_name("orders", {"name": "mine"})["name"] == "mine"


def test_a_created_resource_is_listed_until_it_is_deleted(aws):
    entry = find_entry(QUEUE)
    created = entry.create(aws, {"name": "listed", "messageRetentionSeconds": 60, "sqsManagedSseEnabled": True})
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=created.id, AttributeNames=["All"])["Attributes"]
    assert attributes["MessageRetentionPeriod"] == "60"
    assert attributes["QueueArn"] == created.outputs["arn"]
    assert created.id in set(entry.list_names(aws))

    Resource(QUEUE, "listed", created.id, created.outputs).delete(aws)
    assert created.id not in set(entry.list_names(aws))


@pytest.mark.parametrize(
    ("token", "service", "operation", "key", "items"),
    [
        (QUEUE, "sqs", "ListQueues", "QueueUrls", ["a", "b"]),
        ("aws:cloudwatch/eventRule:EventRule", "events", "ListRules", "Rules", [{"Arn": "a"}, {"Arn": "b"}]),
        ("aws:scheduler/schedule:Schedule", "scheduler", "ListSchedules", "Schedules", [{"Arn": "a"}, {"Arn": "b"}]),
        (
            "aws:scheduler/scheduleGroup:ScheduleGroup",
            "scheduler",
            "ListScheduleGroups",
            "ScheduleGroups",
            [{"Arn": "a", "Name": "a"}, {"Arn": "b", "Name": "b"}],
        ),
    ],
)
def test_all_pages_of_a_listing_are_read(token, service, operation, key, items):
    aws, requests = Aws("http://127.0.0.1:1", "eu-west-1", "111122223333", "a", "b"), []

    def answer(params, **more):
        requests.append(f"{params['url']} {params['body']}")
        # SQS returns no token without a page size
        # (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html).
        has_more = len(requests) == 1 and (operation != "ListQueues" or "MaxResults" in requests[0])
        return AWSResponse("", 200, {}, None), {
            key: items[len(requests) - 1 :][:1],
            **({"NextToken": "t"} if has_more else {}),
        }

    aws.client(service).meta.events.register(f"before-call.*.{operation}", answer)

    assert list(find_entry(token).list_names(aws)) == ["a", "b"]


def test_a_permission_of_an_alias_is_added_and_removed_with_its_qualifier():
    calls = []

    class Recorder:
        def client(self, _):
            return self

        def add_permission(self, **inputs):
            calls.append(inputs)

        def remove_permission(self, **inputs):
            calls.append(inputs)

    entry = find_entry("aws:lambda/permission:Permission")
    inputs = {"function": "pager", "qualifier": "live", "action": "lambda:InvokeFunction", "principal": "sns"}
    entry.reject_unknown_inputs(inputs)
    aws: Any = Recorder()
    created = entry.create(aws, {**inputs, "statementId": "pager"})
    Resource(entry.token, "pager", created.id, created.outputs).delete(aws)

    assert [(call["FunctionName"], call["Qualifier"], call["StatementId"]) for call in calls] == [
        ("pager", "live", "pager"),
        ("pager", "live", "pager"),
    ]


def test_every_entry_has_its_own_token_and_supports_inputs():
    assert TABLE
    for token, entry in TABLE.items():
        assert token == entry.token
        assert entry.supported_inputs


def test_the_zip_of_an_archive_is_the_same_bytes_for_the_same_contents(tmp_path):
    (tmp_path / "a.py").write_text("A = 1")
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        "pkg/a.py": pulumi.FileAsset(str(tmp_path / "a.py")),
        "b.py": pulumi.StringAsset("B = 2"),
    }
    first = build_zip(pulumi.AssetArchive(assets))
    assert first == build_zip(pulumi.AssetArchive(dict(reversed(assets.items()))))
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == ["b.py", "pkg/a.py"]


def test_an_archive_from_elsewhere_is_refused():
    with pytest.raises(LocalError, match="RemoteArchive"):
        build_zip(pulumi.RemoteArchive("https://example.com/code.zip"))


def test_a_name_begins_with_the_prefix_that_the_program_gives():
    entry = find_entry("aws:cloudwatch/logGroup:LogGroup")
    prefix = "/aws/vendedlogs/states/rotation-guard-"
    assert re.fullmatch(re.escape(prefix) + "[0-9a-f]{26}", entry.with_name("group", {"namePrefix": prefix})["name"])
    assert entry.with_name("group", {"name": "/aws/lambda/orders"})["name"] == "/aws/lambda/orders"


def test_alarms_log_groups_and_a_dashboard_are_created_as_given_and_deleted_again(aws):
    created: list[Resource] = []

    def create(token: str, logical_name: str, **inputs: object) -> dict:
        entry = find_entry(token)
        entry.reject_unknown_inputs(inputs)
        named_inputs = entry.with_name(logical_name, inputs)
        resource = entry.create(aws, named_inputs)
        created.append(Resource(token, logical_name, resource.id, resource.outputs))
        return named_inputs | resource.outputs

    metric = {"namespace": "AWS/SQS", "metricName": "NumberOfMessagesSent", "period": 60, "stat": "Sum"}
    queries = [
        {"id": "m1", "metric": metric | {"dimensions": {"QueueName": "orders"}}, "returnData": False},
        {"id": "e1", "expression": "FILL(m1, 0)", "label": "sent", "returnData": True},
    ]
    decided = {"comparisonOperator": "GreaterThanThreshold", "threshold": 1, "evaluationPeriods": 3}
    child = create(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "sent",
        metricQueries=queries,
        datapointsToAlarm=2,
        actionsEnabled=False,
        insufficientDataActions=[],
        tags={"owner": "orders"},
        **decided,
    )
    slow = create(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "slow",
        namespace="AWS/Lambda",
        metricName="Duration",
        extendedStatistic="p99",
        period=60,
        **decided,
    )
    parent = create(
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        "either",
        alarmName="either",
        alarmDescription="Either of them.",
        alarmRule=f'ALARM("{child["name"]}") OR ALARM("{slow["name"]}")',
        alarmActions=[],
        okActions=[],
        actionsEnabled=True,
        actionsSuppressor={"alarm": slow["name"], "waitPeriod": 60, "extensionPeriod": 120},
        tags={"owner": "orders"},
    )
    body = json.dumps({"widgets": []})
    dashboard = create("aws:cloudwatch/dashboard:Dashboard", "on-call", dashboardName="on-call", dashboardBody=body)
    group = create("aws:cloudwatch/logGroup:LogGroup", "group", name="/aws/lambda/orders", retentionInDays=14)

    cloudwatch = aws.client("cloudwatch")
    answer = cloudwatch.describe_alarms(
        AlarmNames=[child["name"], slow["name"], "either"], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    sent, percentile_alarm = answer["MetricAlarms"]
    assert (sent["Metrics"][0]["MetricStat"]["Metric"]["MetricName"], sent["DatapointsToAlarm"]) == (
        "NumberOfMessagesSent",
        2,
    )
    assert (sent["Metrics"][1]["Expression"], sent["ActionsEnabled"]) == ("FILL(m1, 0)", False)
    assert percentile_alarm["ExtendedStatistic"] == "p99"
    [either] = answer["CompositeAlarms"]
    assert either["AlarmArn"] == parent["arn"]
    assert (either["ActionsSuppressor"], either["ActionsSuppressorWaitPeriod"]) == (slow["name"], 60)
    assert cloudwatch.get_dashboard(DashboardName="on-call")["DashboardArn"] == dashboard["dashboardArn"]
    assert group["arn"].endswith(":log-group:/aws/lambda/orders")

    left = {resource.id for resource in created}
    assert left <= {name for entry in TABLE.values() for name in entry.list_names(aws)}
    for resource in reversed(created):
        resource.delete(aws)
    assert not left & {name for entry in TABLE.values() for name in entry.list_names(aws)}


def test_a_dashboard_whose_body_is_no_json_is_refused(aws):
    entry = find_entry("aws:cloudwatch/dashboard:Dashboard")
    with pytest.raises(LocalError, match=r"dashboard on-call: dashboardBody is not JSON"):
        entry.create(aws, {"dashboardName": "on-call", "dashboardBody": "{"})
