"""Reads what a running stack is waiting for: messages in its inboxes and dead-letter queues, and firing alarms."""

from .deploy.deployment import RunningStack

_DEAD_LETTERS = "dead_letters_url"
_ALIASES = ("audit_dead_letters_url",)
"""Outputs that are a second, older name of a queue."""
_DELETED = "the queue does not exist"


def count_messages(stack: RunningStack) -> dict[str, int | str]:
    """Count the messages in each inbox and each dead-letter queue, including those in flight."""
    return {name: _count(stack, url) for name, url in (_list_inboxes(stack) | list_dead_letter_queues(stack)).items()}


def list_dead_letter_queues(stack: RunningStack) -> dict[str, str]:
    """Return the URL of each dead-letter queue among the outputs, by name."""
    urls = {name: url for name, url in stack.outputs.items() if name.endswith(_DEAD_LETTERS) and url}
    current = {url for name, url in urls.items() if name not in _ALIASES}
    return {
        name.removesuffix("_url").replace("_", " "): url
        for name, url in urls.items()
        if name not in _ALIASES or url not in current
    }


def list_firing_alarms(stack: RunningStack) -> tuple[dict[str, str], int]:
    """Return the alarms in ALARM with their descriptions, paging ones first, and the number of all alarms."""
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate(
        AlarmTypes=["CompositeAlarm", "MetricAlarm"]
    )  # fmt: skip
    composite, metric = [], []
    for page in pages:
        composite += page["CompositeAlarms"]
        metric += page["MetricAlarms"]
    alarms = sorted(composite + metric, key=lambda alarm: not (alarm.get("AlarmActions")))
    firing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    descriptions = {alarm["AlarmName"]: alarm.get("AlarmDescription") or alarm["StateReason"] for alarm in firing}
    return descriptions, len(alarms)


def _list_inboxes(stack: RunningStack) -> dict[str, str]:
    return {f"inbox {topic}": url for topic, url in stack.inbox.items()}


def _count(stack: RunningStack, url: str) -> int | str:
    sqs, counts = stack.client("sqs"), ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    try:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(counts))["Attributes"]
    except sqs.exceptions.QueueDoesNotExist:
        return _DELETED
    return sum(int(attributes[count]) for count in counts)
