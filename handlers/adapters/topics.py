"""SNS, for those who notify people."""

import json
from typing import Any

from rotation_guard.domain.remediation.notifications import Notification

from .clients import client

ACTIONS = frozenset({"sns:Publish"})
SMS_LENGTH = 160
"""Characters of one text message (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
MACHINES = ("http", "https", "lambda", "sqs", "firehose")
"""The protocols that programs read (https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html)."""
FILTERED = ("severity", "outcome", "owner", "secret")
"""Fields that are message attributes too, for subscriptions that filter by those: text that is no JSON, as people get
it, cannot be filtered by its body (https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html)."""


class Topic:
    """The topic of this ARN."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._sns = client("sns")

    def publish(self, notice: Notification) -> str:
        """Publishes to its subscribers, to each in the form of its protocol, and answers SNS's message id."""
        answer = self._sns.publish(
            TopicArn=self._arn,
            Subject=notice.subject,
            Message=json.dumps(messages(notice)),
            MessageStructure="json",
            MessageAttributes=attributes(notice),
        )
        return answer["MessageId"]


def messages(notice: Notification) -> dict[str, str]:
    """What goes to each protocol: to programs the facts, with the text in them; to people the text, or a line.

    SNS takes a text for each, and gives those that are not named here, such as a phone's notices and email-json, the
    default (https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html).
    """
    twin = json.dumps({**notice.facts, "text": notice.text})
    return {
        "default": notice.text,
        "email": notice.text,
        "sms": _short(notice),
        **dict.fromkeys(MACHINES, twin),
    }


def attributes(notice: Notification) -> dict[str, dict[str, Any]]:
    """The message attributes, as Publish takes them: those that are known, since SNS refuses an empty value.

    A list, as in a burst, is a String.Array, of which a filter policy matches any entry
    (https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html).
    """
    known = {name: notice.facts[name] for name in FILTERED if notice.facts[name]}
    return {
        name: {"DataType": "String.Array", "StringValue": json.dumps(value)}
        if isinstance(value, list)
        else {"DataType": "String", "StringValue": value}
        for name, value in known.items()
    }


def _short(notice: Notification) -> str:
    """The subject, and the runbook's heading where there is room for it."""
    line = f"{notice.subject} {notice.facts['links']['runbook']}".rstrip()
    return line if len(line) <= SMS_LENGTH else notice.subject
