"""Says what waits in a running stack: messages in its inboxes and dead-letter queues, and the alarms that ring."""

from .deploy.deployment import RunningStack

_DEAD_LETTERS = "dead_letters_url"
_OLDER_NAMES = ("audit_dead_letters_url",)
"""Outputs that are another name of a queue, kept for those who read them."""
_GONE = "the queue does not exist"


def count_messages(stack: RunningStack) -> dict[str, int | str]:
    """Return the messages in each inbox and each dead-letter queue, received ones included; by what is in them."""
    return {name: _count(stack, url) for name, url in (_list_inboxes(stack) | list_dead_letter_queues(stack)).items()}


def list_dead_letter_queues(stack: RunningStack) -> dict[str, str]:
    """Return the URL of every dead-letter queue among the outputs, under one name each."""
    urls = {name: url for name, url in stack.outputs.items() if name.endswith(_DEAD_LETTERS) and url}
    newer = {url for name, url in urls.items() if name not in _OLDER_NAMES}
    return {
        name.removesuffix("_url").replace("_", " "): url
        for name, url in urls.items()
        if name not in _OLDER_NAMES or url not in newer
    }


def list_ringing_alarms(stack: RunningStack) -> tuple[dict[str, str], int]:
    """Return the alarms that ring, with what each means, those that page first; and how many alarms there are."""
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate(
        AlarmTypes=["CompositeAlarm", "MetricAlarm"]
    )  # fmt: skip
    composite, metric = [], []
    for page in pages:
        composite += page["CompositeAlarms"]
        metric += page["MetricAlarms"]
    alarms = sorted(composite + metric, key=lambda alarm: not (alarm.get("AlarmActions")))
    ringing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    meanings = {alarm["AlarmName"]: alarm.get("AlarmDescription") or alarm["StateReason"] for alarm in ringing}
    return meanings, len(alarms)


def _list_inboxes(stack: RunningStack) -> dict[str, str]:
    return {f"inbox {topic}": url for topic, url in stack.inbox.items()}


def _count(stack: RunningStack, url: str) -> int | str:
    sqs, kinds = stack.client("sqs"), ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    try:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(kinds))["Attributes"]
    except sqs.exceptions.QueueDoesNotExist:
        return _GONE
    return sum(int(attributes[kind]) for kind in kinds)
