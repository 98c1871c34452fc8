"""Shared by the tests of alarms and metrics: a topic with an inbox, and a function that prints metrics."""

import io
import json
import time
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

import pytest

from local.aws import Aws
from local.waiting import eventually

FUNCTION = """
import json


def handler(event, context):
    print(json.dumps(event["metrics"]))
    if event.get("fails"):
        raise RuntimeError("failed on request")
"""


@dataclass
class Scene:
    """The alarms of a test, and the queue that receives their notifications."""

    aws: Aws
    name: str
    topic: str
    inbox: str

    def alarm(self, suffix: str = "", **settings: Any) -> str:
        """Put a metric alarm that notifies the topic of ALARM and OK; return its name."""
        name = f"{self.name}{suffix}"
        actions = {"AlarmActions": [self.topic], "OKActions": [self.topic]}
        watched = {"Namespace": "Test", "MetricName": self.name, "Statistic": "Sum", "Period": 60}
        decided = {"EvaluationPeriods": 1, "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold"}
        parameters = {"TreatMissingData": "notBreaching"} | actions | decided | settings
        if "Metrics" not in settings:
            parameters = watched | parameters
        self.aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **parameters)
        return name

    def composite(self, suffix: str, rule: str, **settings: Any) -> str:
        """Put a composite alarm that notifies the topic of ALARM and OK; return its name."""
        name = f"{self.name}{suffix}"
        actions = {"AlarmActions": [self.topic], "OKActions": [self.topic]}
        self.aws.client("cloudwatch").put_composite_alarm(AlarmName=name, AlarmRule=rule, **(actions | settings))
        return name

    def state(self, name: str) -> str:
        types = ["MetricAlarm", "CompositeAlarm"]
        answer = self.aws.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=types)
        [alarm] = answer["MetricAlarms"] + answer["CompositeAlarms"]
        return alarm["StateValue"]

    def wait_for_state(self, name: str, state: str) -> None:
        eventually(lambda: self.state(name) == state, f"{name} in {state}")

    def was_in_alarm(self, name: str) -> bool:
        """Whether an alarm has ever been in ALARM: it may have recovered already."""
        answer = self.aws.client("cloudwatch").describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
        return any(item["HistorySummary"].endswith("to ALARM") for item in answer["AlarmHistoryItems"])

    def wait_for_alarm(self, name: str) -> None:
        eventually(lambda: self.was_in_alarm(name), f"{name} in ALARM")

    def put(self, value: float, **dimensions: str) -> None:
        """Put a value of the metric that is named after the test."""
        datum: dict[str, Any] = {"MetricName": self.name, "Value": value}
        datum["Dimensions"] = [{"Name": key, "Value": text} for key, text in dimensions.items()]
        self.aws.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[datum])

    def messages(self) -> list[tuple[str, str]]:
        """Receive the topic's new messages: alarm and new state."""
        changes, sqs = [], self.aws.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                alarm = json.loads(json.loads(message["Body"])["Message"])
                changes.append((alarm["AlarmName"], alarm["NewStateValue"]))
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return changes

    def metric(self, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> tuple[float, str] | None:
        """Return a metric over the last hour, with its unit; None when there is no data."""
        now = time.time()
        answer = self.aws.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - 3600,
            EndTime=now + 60,
            Period=86_400,
            Statistics=[statistic],
        )
        points = answer["Datapoints"]
        return (sum(point[statistic] for point in points), points[0]["Unit"]) if points else None


@pytest.fixture
def scene(aws: Aws) -> Scene:
    """Alarms for a test, with a topic and its inbox."""
    name = f"scene-{uuid.uuid4().hex[:8]}"
    sqs, sns = aws.client("sqs"), aws.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    inbox = sqs.create_queue(QueueName=f"{name}-inbox")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=read_queue_arn(aws, inbox))
    policy = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": document})
    return Scene(aws, name, topic, inbox)


@pytest.fixture(scope="session")
def function(aws: Aws) -> str:
    """A function that prints the metrics in its event, and fails on request."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName="prints", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("prints.py", FUNCTION)
    settings: dict[str, Any] = {"Runtime": "python3.13", "Handler": "prints.handler", "Timeout": 30}
    created = aws.client("lambda").create_function(
        FunctionName="prints", Role=role, Code={"ZipFile": code.getvalue()}, **settings
    )
    return created["FunctionName"]


def read_queue_arn(aws: Aws, url: str) -> str:
    """Return the ARN of a queue."""
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]
