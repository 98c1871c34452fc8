"""Publishes notifications to SNS topics."""

import json
from collections.abc import Mapping
from typing import Any

from rotation_guard.domain.audit.stored_report import ReportNotice
from rotation_guard.domain.remediation.notifications import Notification

from .clients import client

ACTIONS = frozenset({"sns:Publish"})
SMS_LENGTH = 160
"""Characters of one text message (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""
PROGRAM_PROTOCOLS = ("http", "https", "lambda", "sqs", "firehose")
"""Protocols that deliver to programs (https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html)."""
FILTER_FIELDS = ("severity", "outcome", "owner", "secret")
"""Fields that are also message attributes: plain text, as people receive it, can only be filtered by attributes
(https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html)."""


class Topic:
    """The topic with this ARN."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._sns = client("sns")

    def publish(self, notification: Notification) -> str:
        """Publish to all subscribers, in the form of their protocol, and return the message id."""
        return self._publish(notification.subject, build_messages(notification), build_attributes(notification))

    def publish_report(self, notice: ReportNotice) -> str:
        """Publish the notice about a report in the same forms, and return the message id.

        The attribute `attention` is `yes` or `no`: whether a secret needs attention, or the report is unreliable.
        """
        needs_attention = notice.payload["attention"] or notice.payload["warnings"]
        attributes = {"attention": {"DataType": "String", "StringValue": "yes" if needs_attention else "no"}}
        return self._publish(notice.subject, build_report_messages(notice), attributes)

    def _publish(self, subject: str, messages: Mapping[str, str], attributes: Mapping[str, Any]) -> str:
        response = self._sns.publish(
            TopicArn=self._arn,
            Subject=subject,
            Message=json.dumps(messages),
            MessageStructure="json",
            MessageAttributes=attributes,
        )
        return response["MessageId"]


def build_messages(notification: Notification) -> dict[str, str]:
    """The message for each protocol: programs get the payload with the text, people the text, SMS one line.

    SNS sends the default to protocols that are not named here, such as mobile push and email-json
    (https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html).
    """
    document = json.dumps({**notification.payload, "text": notification.text})
    return _build_messages(notification.text, build_text_message(notification), document)


def build_report_messages(notice: ReportNotice) -> dict[str, str]:
    """The same of a report; SMS gets the subject."""
    return _build_messages(notice.text, notice.subject, json.dumps({**notice.payload, "text": notice.text}))


def _build_messages(text: str, line: str, document: str) -> dict[str, str]:
    return {"default": text, "email": text, "sms": line, **dict.fromkeys(PROGRAM_PROTOCOLS, document)}


def build_attributes(notification: Notification) -> dict[str, dict[str, Any]]:
    """The message attributes that are known, since SNS rejects an empty value.

    A list, as in a digest, is a String.Array; a filter policy matches any of its entries
    (https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html).
    """
    known = {name: notification.payload[name] for name in FILTER_FIELDS if notification.payload[name]}
    return {
        name: {"DataType": "String.Array", "StringValue": json.dumps(value)}
        if isinstance(value, list)
        else {"DataType": "String", "StringValue": value}
        for name, value in known.items()
    }


def build_text_message(notification: Notification) -> str:
    """The subject, and the link to the runbook if it fits."""
    line = f"{notification.subject} {notification.payload['links']['runbook']}".rstrip()
    return line if len(line) <= SMS_LENGTH else notification.subject
