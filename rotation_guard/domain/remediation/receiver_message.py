"""What an event about an incident says to chats and pagers: texts that an input transformer can insert as they are.

An input transformer inserts texts into a template of JSON. It can neither escape nor choose, and a field that is
missing is undocumented: so every field here is a text, none is empty, and none has a character that JSON escapes
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html).
"""

import hashlib
import json
from collections.abc import Mapping

from ..plain_values import read_text
from .notification_payload import ESCALATED, RATE_LIMITED, RECOVERED, RESOLVED, Payload
from .notifications import Notification, assess_impact, write_headline
from .severity import Severity

TRIGGER, RESOLVE = "trigger", "resolve"
"""Actions of PagerDuty's Events API v2. There is no `acknowledge`: an acknowledged incident would not page when it is
escalated (https://developer.pagerduty.com/docs/events-api-v2/trigger-events/)."""
SENTENCES_LENGTH = 1_000
"""Maximum length of a text of several sentences: a text of Slack has 3000 characters, a card of Teams 28 KB."""
LINKS_LENGTH = 2_900
"""Maximum length of all links: a text of Slack has 3000 characters
(https://docs.slack.dev/reference/block-kit/composition-objects/text-object/)."""
UNKNOWN, NO_OWNER, NOTHING = "unknown", "no owner", "-"
_NO_LINK = "https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets.html"
"""For an incident without any link: receivers refuse an empty address."""
_LINK_NAMES: Mapping[str, str] = {
    "runbook": "Runbook",
    "secret": "Secret",
    "log": "Log of the rotation function",
    "execution": "Execution",
}
_SLACK_ESCAPES: Mapping[str, str] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Message = dict[str, str]


def build_message(notification: Notification) -> Message:
    """Build the texts of one transition.

    - `incident`: the same in every event of an incident, 64 hexadecimal digits: the deduplication key of pagers.
    - `pagerduty_action`: `resolve` once the incident is over, else `trigger`. `pagerduty_severity`: `critical` for an
      outage, `error` where somebody has to act, `warning` while remediation is at work, `info` where nothing is wrong.
    - `title`: the subject of the notification, fewer than 100 characters. `summary`: what happened, and its impact.
    - `secret`, `secret_arn`, `account`, `region`, `owner`, `reason`, `next`: `-`, `unknown` or `no owner` where there
      is none.
    - `link`: the console's page about the incident, `runbook`: the runbook's.
    - `slack_title`: the title, escaped for Slack. `slack_links`: all links, as Slack writes them.
    """
    payload = notification.payload
    links = {kind: url for kind, url in payload["links"].items() if url}
    summary = " ".join(part for part in (write_headline(payload), assess_impact(payload)) if part)
    texts = {
        "incident": identify_incident(payload),
        "pagerduty_action": RESOLVE if payload["turn"] in (RECOVERED, RESOLVED) else TRIGGER,
        "pagerduty_severity": _rate_for_pagerduty(payload),
        "title": notification.subject,
        "summary": _shorten(summary),
        "secret": payload["secret_name"] or UNKNOWN,
        "secret_arn": payload["secret_arn"] or UNKNOWN,
        "account": payload["account"] or UNKNOWN,
        "region": payload["region"] or UNKNOWN,
        "owner": payload["owner"] or NO_OWNER,
        "reason": payload["reason"] or NOTHING,
        "next": _shorten(payload["next"] or NOTHING),
        "link": links.get("execution") or links.get("secret") or links.get("runbook") or _NO_LINK,
        "runbook": links.get("runbook") or _NO_LINK,
        "slack_title": escape_for_slack(notification.subject),
        "slack_links": _write_slack_links(links),
    }
    # Most texts are in this form already: here it is a promise.
    return {name: read_text(text, LINKS_LENGTH) or NOTHING for name, text in texts.items()}


def identify_incident(payload: Payload) -> str:
    """The incident's id for other systems, which take at most 255 characters and perhaps not those of a name."""
    return hashlib.sha256(json.dumps([payload["secret_arn"], payload["opened_at"]]).encode()).hexdigest()


def escape_for_slack(text: str) -> str:
    """The text without Slack's control characters: `<!channel>` would notify everybody in a channel.

    (https://docs.slack.dev/messaging/formatting-message-text/#escaping)
    """
    return "".join(_SLACK_ESCAPES.get(character, character) for character in text)


def _rate_for_pagerduty(payload: Payload) -> str:
    """The severity in PagerDuty's words, on which the urgency of an incident can depend."""
    if payload["severity"] == Severity.AT_RISK:
        return "error" if payload["turn"] in (ESCALATED, RATE_LIMITED) else "warning"
    return "critical" if payload["severity"] == Severity.OUTAGE else "info"


def _write_slack_links(links: Mapping[str, str]) -> str:
    """`<url|Runbook> <url|Secret>`, as many as fit; `-` without any."""
    written = ""
    for kind, name in _LINK_NAMES.items():
        # What ends an address in Slack's syntax is never part of one that AWS or a runbook needs.
        url = links.get(kind, "").replace("|", "%7C").replace("<", "%3C").replace(">", "%3E")
        link = f"<{escape_for_slack(url)}|{name}>"
        if url and len(written) + len(link) < LINKS_LENGTH:
            written += f" {link}" if written else link
    return written or NOTHING


def _shorten(text: str) -> str:
    return text if len(text) <= SENTENCES_LENGTH else f"{text[: SENTENCES_LENGTH - 3]}..."
