"""The texts of an incident's events that chats and pagers insert into their own formats."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation_guard.domain.remediation.notification_payload import build_payload
from rotation_guard.domain.remediation.notifications import build_notification
from rotation_guard.domain.remediation.receiver_message import build_message, escape_for_slack
from rotation_guard.domain.remediation.transition_events import DETAIL_TYPES
from tests.handlers.remediation.transitions import ARN, EXECUTION, RUNBOOK, incident, notification, repaired, resolved

BROKEN = {"current": "broken", "pending": "absent", "previous": "unknown", "notes": []}
ANY_TEXT = st.text() | st.sampled_from(
    ["<!channel> @here", '"}],"x":"', "a\\", "line\nbreak", "<script>", "=1+1", "名"]
)
TEXTS = dict.fromkeys(
    ("secret_name", "owner", "reason", "untouchable", "unreadable", "failed_step", "outcome", "execution"), ANY_TEXT
)


@pytest.mark.parametrize("transition", DETAIL_TYPES)
def test_every_text_of_a_transition_is_there(transition):
    message = build_message(notification(transition, repaired()))

    assert all(isinstance(text, str) and text for text in message.values())
    assert len(message["title"]) < 100
    assert (message["secret"], message["secret_arn"], message["region"]) == ("orders/db", ARN, "eu-west-1")


@given(row=st.fixed_dictionaries({}, optional=TEXTS), transition=st.sampled_from(sorted(DETAIL_TYPES)))
def test_no_text_needs_an_escape_in_json_whatever_the_row_contains(row, transition):
    message = build_message(notification(transition, {**incident(), **row}, runbook_url=RUNBOOK))

    for text in message.values():
        assert text, message
        assert json.loads(f'"{text}"') == text
        assert text.isascii()


@pytest.mark.parametrize("transition", ["opened", "escalated", "held", "retried"])
def test_an_incident_that_is_not_over_triggers_the_pager(transition):
    assert build_message(notification(transition))["pagerduty_action"] == "trigger"


@pytest.mark.parametrize("transition", ["recovered", "resolved"])
def test_an_incident_that_is_over_resolves_the_pager(transition):
    assert build_message(notification(transition, resolved()))["pagerduty_action"] == "resolve"


@pytest.mark.parametrize(
    ("transition", "row", "severity"),
    [
        ("escalated", incident(evidence=BROKEN), "critical"),
        ("escalated", incident(), "error"),
        ("held", incident(), "error"),
        ("opened", incident(), "warning"),
        ("retried", incident(), "warning"),
        ("escalated", incident(event_type="TestRotationFailed"), "info"),
        ("resolved", resolved(), "info"),
    ],
)
def test_the_severity_is_one_of_pagerdutys(transition, row, severity):
    assert build_message(notification(transition, row))["pagerduty_severity"] == severity


def test_all_events_of_an_incident_have_one_deduplication_key():
    keys = {build_message(notification(transition))["incident"] for transition in DETAIL_TYPES}
    another = build_message(notification("opened", incident(opened_at="2026-03-02T00:51:00.000Z")))["incident"]

    assert len(keys) == 1
    assert another not in keys
    assert re.fullmatch(r"[0-9a-f]{64}", another)


def test_a_mention_in_a_name_notifies_nobody_in_slack():
    message = build_message(notification("escalated", incident(secret_name="<!channel> & <@U1>")))

    assert "<" not in message["slack_title"]
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in message["slack_title"]
    assert escape_for_slack("a&<b>") == "a&amp;&lt;b&gt;"


def test_links_are_written_as_slack_writes_them_and_none_is_empty():
    links = build_message(notification("escalated", incident(), runbook_url=f"{RUNBOOK}?a=1&b=x|y"))["slack_links"]

    assert links.startswith(f"<{RUNBOOK}?a=1&amp;b=x%7Cy#escalated|Runbook> <https://eu-west-1.console.aws.amazon.com/")
    assert links.count("<") == links.count("|") == links.count(">")


def test_an_incident_without_links_still_has_an_address():
    payload = build_payload("escalated", "", {"secret_arn": "arn:x:secretsmanager:::secret:a"})

    message = build_message(build_notification(payload))

    assert message["slack_links"] == "-"
    assert message["link"].startswith("https://")
    assert EXECUTION not in message["link"]


def test_the_longest_texts_fit_into_every_receiver():
    row = incident(secret_name="n" * 512, reason="r" * 5000, owner="o" * 5000)

    message = build_message(notification("escalated", row, runbook_url=f"https://example.com/{'x' * 2000}"))

    assert len(message["slack_title"]) <= 150
    assert len(message["slack_links"]) <= 3000
    assert len(message["summary"]) <= 1000
    assert len(json.dumps(message)) < 20_000
