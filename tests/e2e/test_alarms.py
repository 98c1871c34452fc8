"""Alarms: a dead letter or a broken rule fires an alarm, which notifies the critical topic."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from local.deploy.deployment import RunningStack
from local.waiting import eventually

TIMEOUT_SECONDS = 60


def find_composite_alarm(stack: RunningStack, metric: str, dimension: str) -> str:
    """Return the composite alarm over the metric alarm on this metric with this dimension value."""
    paginator = stack.client("cloudwatch").get_paginator("describe_alarms")
    [alarm] = [
        alarm["AlarmName"]
        for page in paginator.paginate(AlarmTypes=["MetricAlarm"])
        for alarm in page["MetricAlarms"]
        if alarm.get("MetricName") == metric and dimension in [pair["Value"] for pair in alarm["Dimensions"]]
    ]
    [composite] = [
        composite["AlarmName"]
        for page in paginator.paginate(AlarmTypes=["CompositeAlarm"])
        for composite in page["CompositeAlarms"]
        if f'"{alarm}"' in composite["AlarmRule"]
    ]
    return composite


def wait_until_ok(stack: RunningStack, name: str) -> None:
    """Wait until alarms and dead letters of other scenarios are gone."""
    for output, url in stack.outputs.items():
        if output.endswith("_dead_letters_url"):
            stack.client("sqs").purge_queue(QueueUrl=url)

    def is_ok() -> bool:
        answer = stack.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
        return all(alarm["StateValue"] == "OK" for alarm in answer["CompositeAlarms"])

    eventually(is_ok, "the end of earlier alarms", TIMEOUT_SECONDS)
    inbox = {"QueueUrl": stack.inbox["critical"], "MaxNumberOfMessages": 10}
    while messages := stack.client("sqs").receive_message(**inbox).get("Messages"):
        for message in messages:
            _return_or_delete(stack, message, name)


def wait_for_alarm(stack: RunningStack, name: str, state: str) -> dict[str, Any]:
    """Return the next message on the critical topic about this alarm in this state; leave the others in the inbox."""
    sqs, inbox = stack.client("sqs"), stack.inbox["critical"]

    def find_message() -> dict[str, Any] | None:
        for message in sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10).get("Messages", []):
            alarm = _read_alarm(message, name)
            if alarm and alarm["NewStateValue"] == state:
                sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
                return alarm
            # Not immediately: SQS returns ten messages at a time, and visible ones would hide those behind.
            sqs.change_message_visibility(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=2)
        return None

    return eventually(find_message, f"{state} of {name} on the critical topic", TIMEOUT_SECONDS, 0.05)


def _return_or_delete(stack: RunningStack, message: dict[str, Any], name: str) -> None:
    sqs, which = stack.client("sqs"), {"QueueUrl": stack.inbox["critical"], "ReceiptHandle": message["ReceiptHandle"]}
    if _read_alarm(message, name):
        sqs.delete_message(**which)
    else:
        sqs.change_message_visibility(**which, VisibilityTimeout=1)


def _read_alarm(message: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return the alarm in a message of the critical topic; None when the message is about something else."""
    try:
        alarm = json.loads(json.loads(message["Body"])["Message"])
    except ValueError:
        return None
    return alarm if isinstance(alarm, dict) and alarm.get("AlarmName") == name else None


@contextmanager
def break_trail_writer(stack: RunningStack) -> Generator[None]:
    """Deny the trail writer its table, and let the queue redrive at once instead of after hours."""
    functions = stack.client("lambda").get_paginator("list_functions").paginate()
    handlers = {function["Handler"]: function for page in functions for function in page["Functions"]}
    role = handlers["handlers.trail.writer.handler"]["Role"].rpartition("/")[2]
    denied = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    sqs, queue = stack.client("sqs"), stack.outputs["audit_queue_url"]
    changed = ["VisibilityTimeout", "RedrivePolicy"]
    before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=changed)["Attributes"]
    redrive = json.loads(before["RedrivePolicy"]) | {"maxReceiveCount": 1}
    stack.client("iam").put_role_policy(RoleName=role, PolicyName="broken", PolicyDocument=document)
    sqs.set_queue_attributes(
        QueueUrl=queue, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(redrive)}
    )
    try:
        yield
    finally:
        stack.client("iam").delete_role_policy(RoleName=role, PolicyName="broken")
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=before)


def test_a_trail_writer_that_cannot_write_fires_an_alarm_which_recovers_without_dead_letters(scenario, stack):
    dead_letters = stack.outputs["unrecorded_events_dead_letters_url"]
    alarm = find_composite_alarm(stack, "ApproximateNumberOfMessagesVisible", dead_letters.rpartition("/")[2])
    wait_until_ok(stack, alarm)
    secret = scenario.create_arn()

    with break_trail_writer(stack):
        scenario.put_events(scenario.build_event("rotation-succeeded", secret))
        message = wait_for_alarm(stack, alarm, "ALARM")
    assert message["OldStateValue"] == "OK"
    [letter] = stack.client("sqs").receive_message(QueueUrl=dead_letters, VisibilityTimeout=0)["Messages"]
    assert secret in letter["Body"]
    assert scenario.read_rows("audit_trail_table_name", secret) == []

    stack.client("sqs").purge_queue(QueueUrl=dead_letters)
    assert wait_for_alarm(stack, alarm, "OK")["OldStateValue"] == "ALARM"


def test_a_rule_whose_target_cannot_be_invoked_fires_an_alarm(scenario, stack):
    events = stack.client("events")
    event = scenario.build_event("rotation-succeeded", scenario.create_arn())
    rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "anything-but" in rule.get("EventPattern", "")]
    rule = rules[0]
    alarm = find_composite_alarm(stack, "FailedInvocations", rule)
    wait_until_ok(stack, alarm)
    # The dead-letter queue of the existing target, since its policy allows this rule.
    letters = events.list_targets_by_rule(Rule=rule)["Targets"][0]["DeadLetterConfig"]
    gone = f"arn:aws:sqs:{stack.region}:{stack.account_id}:gone"
    events.put_targets(Rule=rule, Targets=[{"Id": "gone", "Arn": gone, "DeadLetterConfig": letters}])
    try:
        scenario.put_events(event)
        message = wait_for_alarm(stack, alarm, "ALARM")
    finally:
        events.remove_targets(Rule=rule, Ids=["gone"])
        url = stack.client("sqs").get_queue_url(QueueName=letters["Arn"].rpartition(":")[2])["QueueUrl"]
        stack.client("sqs").purge_queue(QueueUrl=url)

    assert message["NewStateValue"] == "ALARM"
    # The rule's other target received the event nevertheless.
    assert (
        len(scenario.wait_for_rows("audit_trail_table_name", event["detail"]["additionalEventData"]["SecretId"])) == 1
    )
