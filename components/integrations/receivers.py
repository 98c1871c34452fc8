"""The receivers of incidents that EventBridge calls itself: what each is sent, where, how fast, and what it is called.

The texts come from the event (`rotation_guard/domain/remediation/receiver_message.py`), and none needs an escape; the
templates here have the form of the receiver. A template has at most 8192 characters and 100 variables
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MESSAGE_PATH = "$.detail.message"
_OTHER_PATHS: Mapping[str, str] = {
    # EventBridge itself writes the sender's account into the envelope: on a hub's bus, nobody can claim another one.
    "sender": "$.account",
    "time": "$.time",
    "severity": "$.detail.severity",
    "transition": "$.detail.turn",
}
"""Variables of templates that are no fields of the message."""
_VARIABLE = re.compile(r"<([a-z_]+)>")


@dataclass(frozen=True)
class Receiver:
    """One kind of receiver."""

    what: str
    """What an endpoint must be, as the end of a sentence."""
    shape: str
    """Regular expression of an endpoint; what is secret in it is never repeated."""
    requests_per_second: int
    """As many as the receiver takes, or fewer."""
    template: Mapping[str, Any] | None = None
    """What is sent, with the variables of an input transformer; the detail of the event unless given."""
    topics: Sequence[str] = ("remediation", "critical")

    @property
    def input_template(self) -> str | None:
        """The template as an input transformer takes it."""
        return json.dumps(self.template) if self.template else None

    @property
    def input_paths(self) -> Mapping[str, str]:
        """Where the variables of the template come from."""
        names = sorted(set(_VARIABLE.findall(self.input_template or "")))
        return {name: _OTHER_PATHS.get(name, f"{MESSAGE_PATH}.{name}") for name in names}


def _plain_text(text: str) -> Mapping[str, Any]:
    """A text of Slack that is shown as it is: neither mentions nor formats are read in it.

    (https://docs.slack.dev/reference/block-kit/composition-objects/text-object/)
    """
    return {"type": "plain_text", "text": text, "emoji": False}


_SLACK: Mapping[str, Any] = {
    # For notifications; Slack reads mentions here, so it is escaped.
    "text": "<slack_title>",
    "blocks": [
        {"type": "header", "text": _plain_text("<title>")},
        {"type": "section", "text": _plain_text("<summary>")},
        {
            "type": "section",
            "fields": [
                _plain_text(field)
                for field in (
                    "Secret: <secret>",
                    "Owner: <owner>",
                    "Account: <sender>",
                    "Region: <region>",
                )
            ],
        },
        {"type": "section", "text": _plain_text("Reason: <reason>")},
        {"type": "section", "text": _plain_text("Next: <next>")},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "<slack_links>"}]},
    ],
}


def _card_line(*texts: str, **style: Any) -> Mapping[str, Any]:
    """A line of a card, without Markdown: a name must not become a link
    (https://adaptivecards.io/explorer/RichTextBlock.html). The last text of several is not bold."""
    bold = [{"type": "TextRun", "text": text, "weight": "Bolder"} for text in texts[:-1]]
    return {"type": "RichTextBlock", "inlines": [*bold, {"type": "TextRun", "text": texts[-1], **style}]}


_TEAMS: Mapping[str, Any] = {
    "type": "message",
    "attachments": [
        {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": [
                    _card_line("<title>", size="Medium", weight="Bolder"),
                    _card_line("<summary>"),
                    _card_line("Secret: ", "<secret>"),
                    _card_line("Owner: ", "<owner>"),
                    _card_line("Account: ", "<sender>"),
                    _card_line("Region: ", "<region>"),
                    _card_line("Reason: ", "<reason>"),
                    _card_line("Next: ", "<next>"),
                ],
                "actions": [
                    {"type": "Action.OpenUrl", "title": "Details", "url": "<link>"},
                    {"type": "Action.OpenUrl", "title": "Runbook", "url": "<runbook>"},
                ],
            },
        }
    ],
}
_PAGERDUTY: Mapping[str, Any] = {
    # The connection adds routing_key.
    "event_action": "<pagerduty_action>",
    "dedup_key": "<incident>",
    "client": "rotation-guard",
    "client_url": "<link>",
    "links": [{"href": "<runbook>", "text": "Runbook"}, {"href": "<link>", "text": "Details"}],
    "payload": {
        "summary": "<title>",
        "severity": "<pagerduty_severity>",
        "source": "<secret_arn>",
        "timestamp": "<time>",
        "component": "<secret>",
        "group": "<owner>",
        "class": "<transition>",
        "custom_details": {
            "summary": "<summary>",
            "severity": "<severity>",
            "owner": "<owner>",
            "account": "<sender>",
            "region": "<region>",
            "reason": "<reason>",
            "next": "<next>",
        },
    },
}
PAGERDUTY_URLS: Mapping[str, str] = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}
"""Service region of a PagerDuty account -> its Events API v2
(https://support.pagerduty.com/main/docs/service-regions)."""
_URL = r"https://[A-Za-z0-9.-]+(?::\d{1,5})?(?:[/?](?:%[0-9A-Fa-f]{2}|[-()_.!~*';/?:@&=+$,A-Za-z0-9])*)?"
"""The addresses that an API destination takes, with the name of a host
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateApiDestination.html)."""

RECEIVERS: Mapping[str, Receiver] = {
    "slack": Receiver(
        "the URL of an incoming webhook, such as https://hooks.slack.com/services/T000/B000/XXXX",
        r"https://hooks\.slack(?:-gov)?\.com/services/\w+/\w+/\w+",
        # (https://docs.slack.dev/apis/web-api/rate-limits/)
        1,
        _SLACK,
    ),
    "teams": Receiver(
        "the URL of a webhook of the Workflows app, which begins with https:// (not of an Office 365 connector, which "
        "Microsoft has retired)",
        rf"(?!https://(?:[\w-]+\.webhook\.office\.com|outlook\.office(?:365)?\.com)[/:]){_URL}",
        # (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using)
        4,
        _TEAMS,
    ),
    "pagerduty": Receiver(
        "the integration key of an Events API v2 integration, 32 letters and digits",
        r"[A-Za-z0-9]{32}",
        # 120 in a minute (https://developer.pagerduty.com/docs/events-api-v2-overview).
        2,
        _PAGERDUTY,
        topics=("critical",),
    ),
    "webhook": Receiver("a URL that begins with https://", _URL, 10),
}
"""Protocols of subscriptions that SNS does not speak."""
SECRET_FIELDS = ("endpoint", "headers")
"""Fields of their subscriptions that are secret wherever they come from."""
MOST_URL_CHARACTERS = 2048
MOST_PARAMETERS, MOST_VALUE_CHARACTERS = 100, 512
"""Of a connection, for each of headers and query
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateConnection.html)."""


def is_endpoint(protocol: str, endpoint: Any) -> bool:
    """Whether a receiver of this protocol can have this endpoint."""
    return (
        isinstance(endpoint, str)
        and len(endpoint) <= MOST_URL_CHARACTERS
        and bool(re.fullmatch(RECEIVERS[protocol].shape, endpoint, re.ASCII))
    )
