"""What is broken rings: a dead letter or a rule without target is an alarm, and a message on the critical topic."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from local.deploy.deployment import RunningStack
from local.waiting import eventually

PATIENCE_SECONDS = 60


def find_page(stack: RunningStack, metric: str, dimension: str) -> str:
    """The composite alarm that pages for the metric alarm on this metric, of what this dimension names."""
    paginator = stack.client("cloudwatch").get_paginator("describe_alarms")
    [alarm] = [
        alarm["AlarmName"]
        for found in paginator.paginate(AlarmTypes=["MetricAlarm"])
        for alarm in found["MetricAlarms"]
        if alarm.get("MetricName") == metric and dimension in [one["Value"] for one in alarm["Dimensions"]]
    ]
    [page] = [
        page["AlarmName"]
        for found in paginator.paginate(AlarmTypes=["CompositeAlarm"])
        for page in found["CompositeAlarms"]
        if f'"{alarm}"' in page["AlarmRule"]
    ]
    return page


def wait_until_quiet(stack: RunningStack, name: str) -> None:
    """Other stories break things too: what they set off has to be over, and their dead letters with it."""
    for output, url in stack.outputs.items():
        if output.endswith("_dead_letters_url"):
            stack.client("sqs").purge_queue(QueueUrl=url)

    def is_quiet() -> bool:
        answer = stack.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
        return all(alarm["StateValue"] == "OK" for alarm in answer["CompositeAlarms"])

    eventually(is_quiet, "the end of earlier alarms", PATIENCE_SECONDS)
    inbox = {"QueueUrl": stack.inbox["critical"], "MaxNumberOfMessages": 10}
    while messages := stack.client("sqs").receive_message(**inbox).get("Messages"):
        for message in messages:
            _give_back_or_delete(stack, message, name)


def wait_for_page(stack: RunningStack, name: str, state: str) -> dict[str, Any]:
    """What the critical topic says next of this alarm in this state; other messages stay in the inbox."""
    sqs, inbox = stack.client("sqs"), stack.inbox["critical"]

    def look() -> dict[str, Any] | None:
        for message in sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10).get("Messages", []):
            alarm = _read_alarm(message, name)
            if alarm and alarm["NewStateValue"] == state:
                sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
                return alarm
            # Not at once: SQS hands out ten at a time, and what comes back at once hides what is behind it.
            sqs.change_message_visibility(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=2)
        return None

    return eventually(look, f"{state} of {name} on the critical topic", PATIENCE_SECONDS, 0.05)


def _give_back_or_delete(stack: RunningStack, message: dict[str, Any], name: str) -> None:
    sqs, which = stack.client("sqs"), {"QueueUrl": stack.inbox["critical"], "ReceiptHandle": message["ReceiptHandle"]}
    if _read_alarm(message, name):
        sqs.delete_message(**which)
    else:
        sqs.change_message_visibility(**which, VisibilityTimeout=1)


def _read_alarm(message: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The alarm that a message of the critical topic is about; None where it is about something else."""
    try:
        said = json.loads(json.loads(message["Body"])["Message"])
    except ValueError:
        return None
    return said if isinstance(said, dict) and said.get("AlarmName") == name else None


@contextmanager
def break_trail_writer(stack: RunningStack) -> Generator[None]:
    """Take the trail writer's permission on its table away, and the queue's patience, which is hours."""
    functions = stack.client("lambda").get_paginator("list_functions").paginate()
    handlers = {function["Handler"]: function for found in functions for function in found["Functions"]}
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


def test_a_trail_writer_that_cannot_write_pages_by_its_dead_letters_and_their_end_is_told(story, stack):
    dead_letters = stack.outputs["unrecorded_events_dead_letters_url"]
    page = find_page(stack, "ApproximateNumberOfMessagesVisible", dead_letters.rpartition("/")[2])
    wait_until_quiet(stack, page)
    secret = story.secret()

    with break_trail_writer(stack):
        story.put(story.event("rotation-succeeded", secret))
        ringing = wait_for_page(stack, page, "ALARM")
    assert ringing["OldStateValue"] == "OK"
    [letter] = stack.client("sqs").receive_message(QueueUrl=dead_letters, VisibilityTimeout=0)["Messages"]
    assert secret in letter["Body"]
    assert story.rows("audit_trail_table_name", secret) == []

    stack.client("sqs").purge_queue(QueueUrl=dead_letters)
    assert wait_for_page(stack, page, "OK")["OldStateValue"] == "ALARM"


def test_a_rule_whose_target_cannot_be_invoked_pages(story, stack):
    events = stack.client("events")
    event = story.event("rotation-succeeded", story.secret())
    rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "anything-but" in rule.get("EventPattern", "")]
    rule = rules[0]
    page = find_page(stack, "FailedInvocations", rule)
    wait_until_quiet(stack, page)
    # The letters of the target that is there, since the queue lets in those of this rule.
    letters = events.list_targets_by_rule(Rule=rule)["Targets"][0]["DeadLetterConfig"]
    gone = f"arn:aws:sqs:{stack.region}:{stack.account_id}:gone"
    events.put_targets(Rule=rule, Targets=[{"Id": "gone", "Arn": gone, "DeadLetterConfig": letters}])
    try:
        story.put(event)
        ringing = wait_for_page(stack, page, "ALARM")
    finally:
        events.remove_targets(Rule=rule, Ids=["gone"])
        url = stack.client("sqs").get_queue_url(QueueName=letters["Arn"].rpartition(":")[2])["QueueUrl"]
        stack.client("sqs").purge_queue(QueueUrl=url)

    assert ringing["NewStateValue"] == "ALARM"
    # The other target of the rule got the event all the same.
    assert len(story.eventually_rows("audit_trail_table_name", event["detail"]["additionalEventData"]["SecretId"])) == 1
