"""SNS, for those who tell people."""

import json

from ..domain.notices import Notice
from .clients import client

ACTIONS = frozenset({"sns:Publish"})
SMS_LENGTH = 160
"""Characters of one text message (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
MACHINES = ("http", "https", "lambda", "sqs", "firehose")
"""The protocols that programs read (https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html)."""


class Topic:
    """The topic of this ARN."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._sns = client("sns")

    def publish(self, notice: Notice) -> str:
        """Tells its subscribers, each in the form of its protocol, and answers SNS's message id."""
        answer = self._sns.publish(
            TopicArn=self._arn,
            Subject=notice.subject,
            Message=json.dumps(messages(notice)),
            MessageStructure="json",
        )
        return answer["MessageId"]


def messages(notice: Notice) -> dict[str, str]:
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


def _short(notice: Notice) -> str:
    """The subject, and the runbook's heading where there is room for it."""
    line = f"{notice.subject} {notice.facts['links']['runbook']}"
    return line if len(line) <= SMS_LENGTH else notice.subject
