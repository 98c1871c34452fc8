"""What Slack, Teams and PagerDuty document of the messages that they accept; a complaint for each rule that is broken.

- https://docs.slack.dev/reference/block-kit/blocks/ and .../composition-objects/text-object/
- https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using and
  https://adaptivecards.io/explorer/
- https://developer.pagerduty.com/api-reference/368ae3d938c9e-send-an-event-to-pager-duty
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

SLACK_TEXT, SLACK_HEADER, SLACK_FIELD, SLACK_FIELDS, SLACK_BLOCKS = 3000, 150, 2000, 10, 50
TEAMS_BYTES, PAGERDUTY_BYTES, PAGERDUTY_SUMMARY, PAGERDUTY_KEY = 28 * 1024, 512 * 1024, 1024, 255
_MENTION = re.compile(r"<(?:!|@|#)")
_SLACK_LINKS = re.compile(r"-|(?:<https://[^|<>]+\|[^|<>]+>(?: |$))+")
_ELEMENTS = ("TextBlock", "RichTextBlock", "FactSet", "ColumnSet", "Container")


def complain_about_slack(body: Mapping[str, Any], size: int) -> Iterator[str]:
    """An incoming webhook of Slack."""
    if not isinstance(body.get("text"), str) or not body["text"]:
        yield "no_text"
    elif _MENTION.search(body["text"]):
        yield "the text notifies somebody"
    blocks = body.get("blocks", [])
    if len(blocks) > SLACK_BLOCKS:
        yield "invalid_blocks"
    for block in blocks:
        match block["type"]:
            case "header":
                yield from _slack_text(block["text"], SLACK_HEADER, ("plain_text",))
            case "section":
                fields = block.get("fields", [])
                if len(fields) > SLACK_FIELDS or ("text" not in block and not fields):
                    yield "invalid_blocks"
                for text, most in [(block.get("text"), SLACK_TEXT), *((field, SLACK_FIELD) for field in fields)]:
                    yield from _slack_text(text, most, ("plain_text", "mrkdwn")) if text else ()
            case "context":
                for element in block["elements"]:
                    yield from _slack_text(element, SLACK_TEXT, ("plain_text", "mrkdwn"))
            case _:
                yield "invalid_blocks"


def _slack_text(text: Mapping[str, Any], most: int, types: tuple[str, ...]) -> Iterator[str]:
    if text["type"] not in types or not isinstance(text["text"], str) or not 1 <= len(text["text"]) <= most:
        yield f"invalid_blocks: {text}"
    elif text["type"] == "mrkdwn" and not _SLACK_LINKS.fullmatch(text["text"]):
        yield f"text that Slack would interpret: {text['text']}"


def complain_about_teams(body: Mapping[str, Any], size: int) -> Iterator[str]:
    """A webhook of the Workflows app."""
    if size > TEAMS_BYTES:
        yield "the message has more than 28 KB"
    if body.get("type") != "message" or len(body.get("attachments", [])) != 1:
        yield "not a message with one attachment"
        return
    [attachment] = body["attachments"]
    card = attachment["content"]
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        yield "not an Adaptive Card"
    if card["type"] != "AdaptiveCard" or card["version"] not in ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5"):
        yield "not a version that Teams shows"
    for element in card["body"]:
        if element["type"] not in _ELEMENTS:
            yield f"an element that is none: {element['type']}"
        for run in element.get("inlines", []):
            if run["type"] != "TextRun" or not run["text"]:
                yield f"not a TextRun with a text: {run}"
    for action in card["actions"]:
        if action["type"] != "Action.OpenUrl" or not action["url"].startswith("https://"):
            yield f"not an address: {action}"


def complain_about_pagerduty(body: Mapping[str, Any], size: int) -> Iterator[str]:
    """The Events API v2 of PagerDuty."""
    if size > PAGERDUTY_BYTES:
        yield "the event has more than 512 KB"
    if not re.fullmatch(r"[A-Za-z0-9]{32}", body.get("routing_key") or ""):
        yield "Length of 'routing_key' is incorrect (should be 32 characters)"
    if body.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        yield "'event_action' is invalid"
    if not 1 <= len(body.get("dedup_key") or "") <= PAGERDUTY_KEY:
        yield "'dedup_key' is invalid"
    payload = body.get("payload") or {}
    if not 1 <= len(payload.get("summary") or "") <= PAGERDUTY_SUMMARY:
        yield "'payload.summary' is missing or blank"
    if payload.get("severity") not in ("critical", "error", "warning", "info"):
        yield "'payload.severity' is invalid"
    if not payload.get("source"):
        yield "'payload.source' is missing or blank"
    datetime.fromisoformat(payload["timestamp"])
    if not all(link["href"].startswith("https://") for link in body.get("links", [])):
        yield "'links' is invalid"


def complain_about_webhook(body: Mapping[str, Any], size: int) -> Iterator[str]:
    """Our own format."""
    if body.get("schema") != "rotation-guard/1":
        yield "an unknown schema"


RULES: Mapping[str, Callable[[Mapping[str, Any], int], Iterator[str]]] = {
    "slack": complain_about_slack,
    "teams": complain_about_teams,
    "pagerduty": complain_about_pagerduty,
    "webhook": complain_about_webhook,
}


def complain(receiver: str, document: str) -> list[str]:
    """What a receiver would refuse of the body of a request."""
    try:
        body = json.loads(document)
    except ValueError:
        return ["invalid_payload"]
    try:
        return list(RULES[receiver](body, len(document.encode())))
    except (KeyError, TypeError, ValueError) as error:
        return [f"invalid_payload: {error!r}"]
