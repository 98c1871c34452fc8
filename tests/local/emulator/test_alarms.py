"""The embedded AWS evaluates alarms over its own metrics; state changes notify their topics."""

from typing import Any

import botocore.loaders
import botocore.session
import pytest
from botocore.exceptions import ClientError

from local.waiting import eventually


def test_an_alarm_watches_the_metric_with_exactly_its_dimensions(scene):
    alarm = scene.alarm(Dimensions=[{"Name": "function_name", "Value": "ours"}])

    scene.put(1, function_name="theirs")
    scene.put(1, function_name="ours", version="1")
    scene.put(1)
    assert not scene.was_in_alarm(alarm)

    scene.put(1, function_name="ours")
    assert scene.was_in_alarm(alarm)


def test_an_alarm_fires_again_only_after_it_was_in_another_state(scene):
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


def test_an_alarm_that_ignores_missing_data_keeps_its_state_after_a_value(scene):
    ignoring = scene.alarm("-kept", TreatMissingData="ignore")
    passing = scene.alarm("-passing", Period=10)

    scene.put(1)

    scene.wait_for_state(passing, "OK")
    assert scene.state(ignoring) == "ALARM"


def test_two_data_points_of_three_periods_have_to_breach(scene):
    alarm = scene.alarm(EvaluationPeriods=3, DatapointsToAlarm=2)
    scene.put(1)
    assert not scene.was_in_alarm(alarm)

    eventually(lambda: (scene.put(1), scene.was_in_alarm(alarm))[1], "an alarm of two data points", 30)


def test_an_alarm_whose_actions_are_off_fires_without_a_message(scene):
    alarm = scene.alarm(ActionsEnabled=False)

    scene.put(1)

    assert scene.was_in_alarm(alarm)
    assert scene.messages() == []


def test_a_composite_alarm_notifies_once_for_its_children(scene):
    first, second = (scene.alarm(suffix, AlarmActions=[], OKActions=[], Period=10) for suffix in ("-one", "-other"))
    composite = scene.composite("-both", f'ALARM("{first}") OR ALARM("{second}")')
    assert scene.messages() == [(composite, "OK")]

    scene.put(1)
    scene.wait_for_state(composite, "OK")

    assert scene.messages() == [(composite, "ALARM"), (composite, "OK")]


def test_a_suppressor_in_alarm_delays_the_actions_of_a_composite_alarm(scene):
    child = scene.alarm("-child", AlarmActions=[], OKActions=[], TreatMissingData="ignore")
    suppressor = scene.alarm("-suppressor", AlarmActions=[], OKActions=[], MetricName="never")
    periods = {"ActionsSuppressorWaitPeriod": 10, "ActionsSuppressorExtensionPeriod": 10}
    composite = scene.composite("-composite", f'ALARM("{child}")', ActionsSuppressor=suppressor, **periods)
    eventually(scene.messages, "the message of the first state")
    cloudwatch = scene.aws.client("cloudwatch")

    # A metric keeps the state: a manual one would be overwritten within a minute.
    scene.alarm("-suppressor", AlarmActions=[], OKActions=[], TreatMissingData="breaching", MetricName="never")
    scene.put(1)
    assert (scene.state(suppressor), scene.state(composite)) == ("ALARM", "ALARM")
    scene.wait_for_state(scene.alarm("-clock", Period=10, TreatMissingData="notBreaching", OKActions=[]), "OK")
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
    assert not scene.was_in_alarm(alarm)
    scene.put(5, side="left")
    assert scene.was_in_alarm(alarm)


def test_an_alarm_that_cannot_be_evaluated_is_rejected(scene):
    query = {"Id": "found", "Expression": 'SELECT SUM(Errors) FROM SCHEMA("AWS/Lambda")', "Period": 60}
    with pytest.raises(ClientError, match="is not evaluated"):
        scene.alarm(Metrics=[query])
    with pytest.raises(ClientError, match="ComparisonOperator"):
        scene.alarm(ComparisonOperator="GreaterThanUpperThreshold")
    with pytest.raises(ClientError, match="statistic"):
        scene.alarm(ExtendedStatistic="tm90")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"TreatMissingData": "notbreaching"}, "TreatMissingData must be one of missing, ignore, breaching"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 3}, "DatapointsToAlarm must be at most EvaluationPeriods, 2"),
        ({"Period": 45}, "Period must be 10, 20, 30 or a multiple of 60 seconds, got 45"),
        ({"Period": 1800, "EvaluationPeriods": 49}, "at most 86400, got 88200"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "at most 604800, got 608400"),
    ],
)
def test_an_alarm_that_aws_rejects_is_rejected(scene, parameters, message):
    # docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    with pytest.raises(ClientError, match=message):
        scene.alarm(**parameters)


def test_an_alarm_that_is_put_by_the_query_protocol_is_evaluated_too(scene):
    session = botocore.session.get_session()
    session.set_credentials(scene.aws.access_key_id, scene.aws.secret_access_key)
    # A separate loader: all other sessions share one.
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

    assert scene.was_in_alarm(scene.name)


def test_a_message_in_a_queue_fires_an_alarm_which_recovers_without_it(scene):
    sqs = scene.aws.client("sqs")
    queue = sqs.create_queue(QueueName=f"{scene.name}-letters")["QueueUrl"]
    dimensions = [{"Name": "QueueName", "Value": f"{scene.name}-letters"}]
    watched = {"Namespace": "AWS/SQS", "Dimensions": dimensions, "Statistic": "Maximum", "Period": 60}
    letters = scene.alarm("-letters", MetricName="ApproximateNumberOfMessagesVisible", **watched)
    # A quarter of an hour, which is compressed.
    age_alarm = scene.alarm("-late", MetricName="ApproximateAgeOfOldestMessage", **(watched | {"Threshold": 100}))

    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    for alarm in (letters, age_alarm):
        scene.wait_for_state(alarm, "ALARM")
    assert {(letters, "ALARM"), (age_alarm, "ALARM")} <= set(scene.messages())
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
    count = samples("ApproximateAgeOfOldestMessage")
    after_minutes(2)

    assert samples("ApproximateAgeOfOldestMessage") == count
