"""The embedded AWS evaluates alarms over what happens in it, and a change of state is a message on their topic."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore.loaders
import botocore.session
import pytest
from botocore.exceptions import ClientError

from local.aws import Aws
from local.waiting import eventually

FUNCTION = """
import json


def handler(event, context):
    print(json.dumps(event["metrics"]))
    if event.get("fails"):
        raise RuntimeError("told to")
"""


@dataclass
class Scene:
    """Alarms of one test, and the queue that hears of them."""

    aws: Aws
    name: str
    topic: str
    inbox: str

    def alarm(self, suffix: str = "", **settings: Any) -> str:
        """Put a metric alarm that tells the topic of ALARM and OK; its name."""
        name = f"{self.name}{suffix}"
        actions = {"AlarmActions": [self.topic], "OKActions": [self.topic]}
        watched = {"Namespace": "Test", "MetricName": self.name, "Statistic": "Sum", "Period": 60}
        decided = {"EvaluationPeriods": 1, "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold"}
        given = {"TreatMissingData": "notBreaching"} | actions | decided | settings
        if "Metrics" not in settings:
            given = watched | given
        self.aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **given)
        return name

    def composite(self, suffix: str, rule: str, **settings: Any) -> str:
        """Put a composite alarm that tells the topic of ALARM and OK; its name."""
        name = f"{self.name}{suffix}"
        actions = {"AlarmActions": [self.topic], "OKActions": [self.topic]}
        self.aws.client("cloudwatch").put_composite_alarm(AlarmName=name, AlarmRule=rule, **(actions | settings))
        return name

    def state(self, name: str) -> str:
        types = ["MetricAlarm", "CompositeAlarm"]
        answer = self.aws.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=types)
        [alarm] = answer["MetricAlarms"] + answer["CompositeAlarms"]
        return alarm["StateValue"]

    def becomes(self, name: str, state: str) -> None:
        eventually(lambda: self.state(name) == state, f"{name} in {state}")

    def has_rung(self, name: str) -> bool:
        """Whether an alarm was ever in ALARM: it may be over by the time it is asked for."""
        answer = self.aws.client("cloudwatch").describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
        return any(item["HistorySummary"].endswith("to ALARM") for item in answer["AlarmHistoryItems"])

    def rings(self, name: str) -> None:
        eventually(lambda: self.has_rung(name), f"{name} in ALARM")

    def put(self, value: float, **dimensions: str) -> None:
        """Put a value of the metric that is named after the test."""
        datum: dict[str, Any] = {"MetricName": self.name, "Value": value}
        datum["Dimensions"] = [{"Name": key, "Value": text} for key, text in dimensions.items()]
        self.aws.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[datum])

    def messages(self) -> list[tuple[str, str]]:
        """What the topic said since it was last asked: alarm and new state."""
        changes, sqs = [], self.aws.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                alarm = json.loads(json.loads(message["Body"])["Message"])
                changes.append((alarm["AlarmName"], alarm["NewStateValue"]))
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return changes

    def metric(self, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> tuple[float, str] | None:
        """One metric over the last hour, with its unit; None where there is none."""
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
    name = f"scene-{uuid.uuid4().hex[:8]}"
    sqs, sns = aws.client("sqs"), aws.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    inbox = sqs.create_queue(QueueName=f"{name}-inbox")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=_queue_arn(aws, inbox))
    policy = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": document})
    return Scene(aws, name, topic, inbox)


@pytest.fixture(scope="session")
def function(aws: Aws) -> str:
    """A function that prints what it is told to, and fails when it is told to."""
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


def _queue_arn(aws: Aws, url: str) -> str:
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def test_an_alarm_watches_the_metric_with_exactly_its_dimensions(scene):
    alarm = scene.alarm(Dimensions=[{"Name": "function_name", "Value": "ours"}])

    scene.put(1, function_name="theirs")
    scene.put(1, function_name="ours", version="1")
    scene.put(1)
    assert not scene.has_rung(alarm)

    scene.put(1, function_name="ours")
    assert scene.has_rung(alarm)


def test_an_alarm_rings_again_only_after_it_was_in_another_state(scene):
    alarm = scene.alarm(Statistic="Minimum", TreatMissingData="ignore")

    for _ in range(3):
        scene.put(1)
    assert scene.messages() == [(alarm, "ALARM")]

    scene.put(0)
    assert scene.messages() == [(alarm, "OK")]


@pytest.mark.parametrize(
    ("treatment", "state"),
    [
        ("breaching", "ALARM"),
        ("notBreaching", "OK"),
        ("missing", "INSUFFICIENT_DATA"),
        ("ignore", "INSUFFICIENT_DATA"),
    ],
)
def test_an_alarm_on_a_metric_without_data_starts_as_it_treats_missing_data(scene, treatment, state):
    assert scene.state(scene.alarm(TreatMissingData=treatment)) == state


def test_an_alarm_that_ignores_missing_data_keeps_ringing_once_it_has_seen_a_value(scene):
    kept = scene.alarm("-kept", TreatMissingData="ignore")
    passing = scene.alarm("-passing", Period=10)

    scene.put(1)

    scene.becomes(passing, "OK")
    assert scene.state(kept) == "ALARM"


def test_two_data_points_of_three_periods_have_to_breach(scene):
    alarm = scene.alarm(EvaluationPeriods=3, DatapointsToAlarm=2)
    scene.put(1)
    assert not scene.has_rung(alarm)

    eventually(lambda: (scene.put(1), scene.has_rung(alarm))[1], "an alarm of two data points", 30)


def test_an_alarm_whose_actions_are_off_rings_without_a_message(scene):
    alarm = scene.alarm(ActionsEnabled=False)

    scene.put(1)

    assert scene.has_rung(alarm)
    assert scene.messages() == []


def test_a_composite_alarm_tells_of_its_children_once(scene):
    one, other = (scene.alarm(suffix, AlarmActions=[], OKActions=[], Period=10) for suffix in ("-one", "-other"))
    composite = scene.composite("-both", f'ALARM("{one}") OR ALARM("{other}")')
    assert scene.messages() == [(composite, "OK")]

    scene.put(1)
    scene.becomes(composite, "OK")

    assert scene.messages() == [(composite, "ALARM"), (composite, "OK")]


def test_a_suppressor_that_rings_holds_back_the_actions_of_a_composite_alarm(scene):
    child = scene.alarm("-child", AlarmActions=[], OKActions=[], TreatMissingData="ignore")
    suppressor = scene.alarm("-suppressor", AlarmActions=[], OKActions=[], MetricName="never")
    periods = {"ActionsSuppressorWaitPeriod": 10, "ActionsSuppressorExtensionPeriod": 10}
    composite = scene.composite("-composite", f'ALARM("{child}")', ActionsSuppressor=suppressor, **periods)
    eventually(scene.messages, "the message of the first state")
    cloudwatch = scene.aws.client("cloudwatch")

    # Set by hand it would be evaluated away within the minute: a metric holds it.
    scene.alarm("-suppressor", AlarmActions=[], OKActions=[], TreatMissingData="breaching", MetricName="never")
    scene.put(1)
    assert (scene.state(suppressor), scene.state(composite)) == ("ALARM", "ALARM")
    scene.becomes(scene.alarm("-clock", Period=10, TreatMissingData="notBreaching", OKActions=[]), "OK")
    assert (f"{composite}", "ALARM") not in scene.messages()

    scene.alarm("-suppressor", AlarmActions=[], OKActions=[], MetricName="never")
    eventually(lambda: (composite, "ALARM") in scene.messages(), "the message after the extension")
    described = cloudwatch.describe_alarms(AlarmNames=[composite], AlarmTypes=["CompositeAlarm"])
    assert described["CompositeAlarms"][0]["ActionsSuppressor"] == suppressor


def test_an_alarm_watches_an_expression_over_several_metrics(scene):
    def stat(identifier: str, side: str) -> dict[str, Any]:
        dimensions = [{"Name": "side", "Value": side}]
        metric = {"Namespace": "Test", "MetricName": scene.name, "Dimensions": dimensions}
        measured = {"Metric": metric, "Period": 60, "Stat": "Sum"}
        return {"Id": identifier, "MetricStat": measured, "ReturnData": False}

    difference = {"Id": "difference", "Expression": "FILL(left, 0) - FILL(right, 0)", "Label": "left over"}
    alarm = scene.alarm(Metrics=[stat("left", "left"), stat("right", "right"), difference])

    scene.put(2, side="right")
    assert not scene.has_rung(alarm)
    scene.put(5, side="left")
    assert scene.has_rung(alarm)


def test_an_alarm_that_cannot_be_evaluated_is_refused_and_not_silent(scene):
    query = {"Id": "found", "Expression": 'SELECT SUM(Errors) FROM SCHEMA("AWS/Lambda")', "Period": 60}
    with pytest.raises(ClientError, match="is not evaluated"):
        scene.alarm(Metrics=[query])
    with pytest.raises(ClientError, match="ComparisonOperator"):
        scene.alarm(ComparisonOperator="GreaterThanUpperThreshold")
    with pytest.raises(ClientError, match="statistic"):
        scene.alarm(ExtendedStatistic="tm90")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TreatMissingData": "notbreaching"}, "TreatMissingData must be one of missing, ignore, breaching"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 3}, "DatapointsToAlarm must be at most EvaluationPeriods, 2"),
        ({"Period": 45}, "Period must be 10, 20, 30 or a multiple of 60 seconds, got 45"),
        ({"Period": 1800, "EvaluationPeriods": 49}, "at most 86400, got 88200"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "at most 604800, got 608400"),
    ],
)
def test_an_alarm_that_aws_refuses_is_refused(scene, given, said):
    # docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    with pytest.raises(ClientError, match=said):
        scene.alarm(**given)


def test_an_alarm_that_is_put_by_the_query_protocol_is_evaluated_too(scene):
    session = botocore.session.get_session()
    session.set_credentials(scene.aws.access_key_id, scene.aws.secret_access_key)
    # A loader of its own: all other sessions share one.
    loader = botocore.loaders.create_loader()
    session.register_component("data_loader", loader)
    load = loader.load_service_model

    def load_by_query(service: str, kind: str, api_version: str | None = None) -> dict[str, Any]:
        model = load(service, kind, api_version)
        if kind == "service-2":
            model = model | {"metadata": model["metadata"] | {"protocol": "query", "protocols": ["query"]}}
        return model

    loader.load_service_model = load_by_query
    client = session.create_client("cloudwatch", scene.aws.region, endpoint_url=scene.aws.endpoint_url)
    client.put_metric_alarm(
        AlarmName=scene.name,
        Namespace="Test",
        MetricName=scene.name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )

    scene.put(1)

    assert scene.has_rung(scene.name)


def test_a_message_in_a_queue_rings_and_its_end_is_told_too(scene):
    sqs = scene.aws.client("sqs")
    queue = sqs.create_queue(QueueName=f"{scene.name}-letters")["QueueUrl"]
    dimensions = [{"Name": "QueueName", "Value": f"{scene.name}-letters"}]
    watched = {"Namespace": "AWS/SQS", "Dimensions": dimensions, "Statistic": "Maximum", "Period": 60}
    letters = scene.alarm("-letters", MetricName="ApproximateNumberOfMessagesVisible", **watched)
    # A quarter of an hour, which is compressed.
    late = scene.alarm("-late", MetricName="ApproximateAgeOfOldestMessage", **(watched | {"Threshold": 100}))

    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    for alarm in (letters, late):
        scene.becomes(alarm, "ALARM")
    assert {(letters, "ALARM"), (late, "ALARM")} <= set(scene.messages())
    _, unit = scene.metric("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", QueueName=f"{scene.name}-letters")
    assert unit == "Seconds"

    sqs.purge_queue(QueueUrl=queue)
    eventually(lambda: scene.state(letters) == "OK", "the end of the dead letters", seconds=30)


def test_a_message_that_was_received_too_often_has_no_age(scene):
    """(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html)"""
    sqs, name = scene.aws.client("sqs"), f"{scene.name}-letters"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="{}")

    def samples(metric: str) -> float:
        return (scene.metric("AWS/SQS", metric, "SampleCount", QueueName=name) or (0, ""))[0]

    def after_minutes(number: int) -> None:
        """Wait until as many samples were taken."""
        until = samples("ApproximateNumberOfMessagesVisible") + number
        eventually(lambda: samples("ApproximateNumberOfMessagesVisible") >= until, "a sample", 30)

    eventually(lambda: samples("ApproximateAgeOfOldestMessage"), "the age of a message")
    for _ in range(4):
        assert sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"]
    after_minutes(1)
    known = samples("ApproximateAgeOfOldestMessage")
    after_minutes(2)

    assert samples("ApproximateAgeOfOldestMessage") == known


def test_a_functions_invocations_errors_and_embedded_metrics_are_published(scene, function):
    metrics = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {"Namespace": "Test", "Dimensions": [["test"]], "Metrics": [{"Name": "Found", "Unit": "Count"}]}
            ],
        },
        "test": scene.name,
        "Found": [3, 4],
    }
    errors = scene.alarm(
        Namespace="AWS/Lambda", MetricName="Errors", Dimensions=[{"Name": "FunctionName", "Value": function}]
    )
    payload = json.dumps({"metrics": metrics})
    before = scene.metric("AWS/Lambda", "Invocations", FunctionName=function) or (0, "")

    scene.aws.client("lambda").invoke(FunctionName=function, Payload=payload)

    after, unit = scene.metric("AWS/Lambda", "Invocations", FunctionName=function)
    assert (after - before[0], unit) == (1, "Count")
    assert scene.metric("Test", "Found", test=scene.name) == (7, "Count")
    assert not scene.has_rung(errors)

    # Asynchronously: the first try and two more are an invocation and an error each.
    failing = json.dumps({"metrics": metrics, "fails": True})
    scene.aws.client("lambda").invoke(FunctionName=function, Payload=failing, InvocationType="Event")
    eventually(lambda: scene.metric("AWS/Lambda", "Errors", FunctionName=function)[0] == 3, "three errors")
    assert scene.metric("AWS/Lambda", "Invocations", FunctionName=function)[0] == after + 3
    assert scene.has_rung(errors)


def test_a_throttled_call_is_a_throttle_and_no_invocation(scene, function):
    client = scene.aws.client("lambda")
    before = scene.metric("AWS/Lambda", "Invocations", FunctionName=function)
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    try:
        with pytest.raises(client.exceptions.TooManyRequestsException) as refused:
            client.invoke(FunctionName=function, Payload=b"{}")
    finally:
        client.delete_function_concurrency(FunctionName=function)

    calls = 1 + refused.value.response["ResponseMetadata"]["RetryAttempts"]
    assert scene.metric("AWS/Lambda", "Throttles", FunctionName=function) == (calls, "Count")
    assert scene.metric("AWS/Lambda", "Invocations", FunctionName=function) == before


@pytest.fixture
def broken_rule(scene) -> Callable[[str], str]:
    """Sends an event through a rule whose target does not exist, with this dead-letter queue; the rule's name."""

    def send(queue_arn: str) -> str:
        events = scene.aws.client("events")
        events.put_rule(Name=scene.name, EventPattern=json.dumps({"source": [scene.name]}))
        gone = f"arn:aws:sqs:{scene.aws.region}:{scene.aws.account_id}:gone"
        target = {"Id": "gone", "Arn": gone, "DeadLetterConfig": {"Arn": queue_arn}}
        events.put_targets(Rule=scene.name, Targets=[target])
        events.put_events(Entries=[{"Source": scene.name, "DetailType": "test", "Detail": "{}"}])
        return scene.name

    return send


def test_a_rule_that_cannot_invoke_its_target_publishes_that_and_the_dead_letter(scene, broken_rule):
    queue = scene.aws.client("sqs").create_queue(QueueName=f"{scene.name}-letters")["QueueUrl"]
    watched = {"Namespace": "AWS/Events", "Dimensions": [{"Name": "RuleName", "Value": scene.name}]}
    alarm = scene.alarm(MetricName="FailedInvocations", **watched)

    rule = broken_rule(_queue_arn(scene.aws, queue))

    scene.rings(alarm)
    eventually(lambda: scene.metric("AWS/Events", "InvocationsSentToDlq", RuleName=rule), "a dead letter")
    assert scene.metric("AWS/Events", "InvocationsSentToDlq", RuleName=rule) == (1, "Count")
    assert scene.metric("AWS/Events", "FailedInvocations", RuleName=rule) == (1, "Count")
    assert scene.metric("AWS/Events", "InvocationsFailedToBeSentToDlq", RuleName=rule) is None


def test_a_dead_letter_that_cannot_be_sent_is_published(scene, broken_rule):
    watched = {"Namespace": "AWS/Events", "Dimensions": [{"Name": "RuleName", "Value": scene.name}]}
    alarm = scene.alarm(MetricName="InvocationsFailedToBeSentToDlq", **watched)

    rule = broken_rule(f"arn:aws:sqs:{scene.aws.region}:{scene.aws.account_id}:gone-too")

    scene.rings(alarm)
    assert scene.metric("AWS/Events", "InvocationsSentToDlq", RuleName=rule) is None


def test_how_an_execution_ends_is_published(scene, function):
    client = scene.aws.client("stepfunctions")
    waits = {"Type": "Wait", "Seconds": 3600, "Next": "Done"}
    states = {
        "Choose": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.end", "StringEquals": "fail", "Next": "Fail"},
                {"Variable": "$.end", "StringEquals": "wait", "Next": "Wait"},
            ],
            "Default": "Done",
        },
        "Fail": {"Type": "Fail", "Error": "Broken"},
        "Wait": waits,
        "Done": {"Type": "Succeed"},
    }
    role = f"arn:aws:iam::{scene.aws.account_id}:role/prints"
    definition = json.dumps({"StartAt": "Choose", "States": states})
    created = client.create_state_machine(name=scene.name, definition=definition, roleArn=role)
    machine = created["stateMachineArn"]
    watched = {"Namespace": "AWS/States", "Dimensions": [{"Name": "StateMachineArn", "Value": machine}]}
    alarm = scene.alarm(MetricName="ExecutionsFailed", **watched)

    ends = {"fail": "ExecutionsFailed", "succeed": "ExecutionsSucceeded", "wait": "ExecutionsAborted"}
    for end in ends:
        started = client.start_execution(stateMachineArn=machine, input=json.dumps({"end": end}))
        if end == "wait":
            client.stop_execution(executionArn=started["executionArn"])

    for metric in ends.values():
        published = eventually(lambda name=metric: scene.metric("AWS/States", name, StateMachineArn=machine), metric)
        assert published == (1, "Count")
    assert scene.metric("AWS/States", "ExecutionsStarted", StateMachineArn=machine) == (3, "Count")
    scene.rings(alarm)
