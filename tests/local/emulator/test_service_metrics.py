"""The metrics that AWS's services publish about themselves: Lambda, EventBridge and Step Functions."""

import json
import time
from collections.abc import Callable

import pytest

from local.waiting import eventually
from tests.local.emulator.conftest import read_queue_arn


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
    assert not scene.was_in_alarm(errors)

    # Asynchronously: the first try and two more are an invocation and an error each.
    failing = json.dumps({"metrics": metrics, "fails": True})
    scene.aws.client("lambda").invoke(FunctionName=function, Payload=failing, InvocationType="Event")
    eventually(lambda: scene.metric("AWS/Lambda", "Errors", FunctionName=function)[0] == 3, "three errors")
    assert scene.metric("AWS/Lambda", "Invocations", FunctionName=function)[0] == after + 3
    assert scene.was_in_alarm(errors)


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
    """Sends an event to a rule whose target does not exist, with this dead-letter queue; returns the rule's name."""

    def send(queue_arn: str) -> str:
        events = scene.aws.client("events")
        events.put_rule(Name=scene.name, EventPattern=json.dumps({"source": [scene.name]}))
        gone = f"arn:aws:sqs:{scene.aws.region}:{scene.aws.account_id}:gone"
        target = {"Id": "gone", "Arn": gone, "DeadLetterConfig": {"Arn": queue_arn}}
        events.put_targets(Rule=scene.name, Targets=[target])
        events.put_events(Entries=[{"Source": scene.name, "DetailType": "test", "Detail": "{}"}])
        return scene.name

    return send


def test_a_failed_invocation_of_a_rule_and_its_dead_letter_are_published(scene, broken_rule):
    queue = scene.aws.client("sqs").create_queue(QueueName=f"{scene.name}-letters")["QueueUrl"]
    watched = {"Namespace": "AWS/Events", "Dimensions": [{"Name": "RuleName", "Value": scene.name}]}
    alarm = scene.alarm(MetricName="FailedInvocations", **watched)

    rule = broken_rule(read_queue_arn(scene.aws, queue))

    scene.wait_for_alarm(alarm)
    eventually(lambda: scene.metric("AWS/Events", "InvocationsSentToDlq", RuleName=rule), "a dead letter")
    assert scene.metric("AWS/Events", "InvocationsSentToDlq", RuleName=rule) == (1, "Count")
    assert scene.metric("AWS/Events", "FailedInvocations", RuleName=rule) == (1, "Count")
    assert scene.metric("AWS/Events", "InvocationsFailedToBeSentToDlq", RuleName=rule) is None


def test_a_dead_letter_that_cannot_be_sent_is_published(scene, broken_rule):
    watched = {"Namespace": "AWS/Events", "Dimensions": [{"Name": "RuleName", "Value": scene.name}]}
    alarm = scene.alarm(MetricName="InvocationsFailedToBeSentToDlq", **watched)

    rule = broken_rule(f"arn:aws:sqs:{scene.aws.region}:{scene.aws.account_id}:gone-too")

    scene.wait_for_alarm(alarm)
    assert scene.metric("AWS/Events", "InvocationsSentToDlq", RuleName=rule) is None


def test_the_final_status_of_an_execution_is_published(scene, function):
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
    scene.wait_for_alarm(alarm)
