"""A report on a schedule in the local deployment: its files in the bucket, and its headline on the topic."""

import csv
import io
import json

import pytest

from local.deploy import deployment
from local.waiting import eventually

SCHEDULED = b'{"scheduled_time": "2026-11-30T06:00:00Z"}'
KEY = "reports/2026/11/2026-11-30T06-00-00Z"


@pytest.fixture(scope="module")
def reporting(tmp_path_factory):
    """The dev stack with a schedule of reports."""
    directory = tmp_path_factory.mktemp("reports") / ".local"
    config = {"rotation-guard:reportSchedule": "rate(1 day)", "rotation-guard:reportObjectLockDays": "1"}
    with deployment.deploy_temporarily(directory, config=config) as stack:
        yield stack


@pytest.fixture(scope="module")
def invoke(reporting):
    def invoke(function, payload):
        response = reporting.client("lambda").invoke(FunctionName=function, Payload=payload)
        assert "FunctionError" not in response, response["Payload"].read()
        return json.loads(response["Payload"].read())

    return invoke


def test_the_function_stores_html_and_csv_once_and_sends_the_headline(reporting, invoke):
    invoke(reporting.outputs["function_name"], b"{}")

    stored = invoke(reporting.outputs["function_names"]["report"], SCHEDULED)
    again = invoke(reporting.outputs["function_names"]["report"], SCHEDULED)

    s3, bucket = reporting.client("s3"), reporting.outputs["reports_bucket_name"]
    page, table = (
        s3.get_object(Bucket=bucket, Key=f"{KEY}.{extension}")["Body"].read().decode() for extension in ("html", "csv")
    )
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert stored["keys"] == again["keys"] == [f"{KEY}.html", f"{KEY}.csv"]
    assert stored["headline"].startswith("0 of 2 secrets are over their limit")
    assert {row["secret_name"] for row in rows} >= {reporting.outputs["fresh_secret_name"]}
    assert all(row["secret_name"] in page for row in rows)
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert sorted(version["Key"] for version in versions) == [f"{KEY}.csv", f"{KEY}.html"]
    queue = {"QueueUrl": reporting.inbox["reports"]}
    message = eventually(
        lambda: reporting.client("sqs").receive_message(**queue, MaxNumberOfMessages=1).get("Messages"), "a notice"
    )[0]
    assert stored["headline"] in json.loads(message["Body"])["Message"]


def test_the_schedule_starts_the_function(reporting):
    groups = reporting.client("scheduler").list_schedules()["Schedules"]

    [schedule] = [one for one in groups if one["Name"] == reporting.outputs["report_schedule_name"]]
    assert schedule["State"] == "ENABLED"
