"""Texts of events and templates of receivers, together: every receiver accepts what EventBridge makes of them."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ministack.services import eventbridge

from components.integrations.receivers import RECEIVERS
from rotation_guard.domain.remediation.receiver_message import build_message
from rotation_guard.domain.remediation.transition_events import DETAIL_TYPES
from tests.handlers.remediation.transitions import RUNBOOK, incident, notification, repaired, resolved
from tests.receivers.rules import complain

KEY = "0123456789abcdef0123456789abcdef"
TEMPLATED = [protocol for protocol, receiver in RECEIVERS.items() if receiver.template]
WILD = [
    "<!channel> <!here> <@U024BE7LH> @here",
    '"}], "routing_key": "x',
    "a\\",
    "line\nbreak\r\u2028",
    "<script>alert(1)</script>",
    '=HYPERLINK("https://evil.example")',
    "[link](https://evil.example) **bold**",
    "名前 Müller \U0001f4a9 \ud800",
    "<title> <aws.events.event.json>",
    "\x1b[31m\x00",
    "x" * 5000,
]
ROWS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("secret_name", "owner", "reason", "untouchable", "unreadable"), st.sampled_from(WILD))
)


def render(protocol, transition, row):
    """What EventBridge sends to a receiver, by the embedded AWS's transformer."""
    told = notification(transition, row, runbook_url=RUNBOOK)
    event = {
        "EventId": "17793124-05d4-b198-2fde-7ededc63b103",
        "Source": "rotation-guard",
        "DetailType": DETAIL_TYPES[transition],
        "Detail": json.dumps({**told.payload, "message": build_message(told)}),
        "Resources": [],
        "Time": 1_772_326_260,
        "Account": "123456789012",
        "Region": "eu-west-1",
    }
    transformer = {
        "InputPathsMap": RECEIVERS[protocol].input_paths,
        "InputTemplate": RECEIVERS[protocol].input_template,
    }
    text = eventbridge._apply_input_transformer(transformer, {}, eventbridge._pattern_event_view(event))
    if protocol == "pagerduty":
        text = eventbridge._merge_body_parameters(text, {"routing_key": KEY})
    return text


@pytest.mark.parametrize("protocol", TEMPLATED)
@pytest.mark.parametrize("transition", DETAIL_TYPES)
def test_a_receiver_accepts_each_transition(protocol, transition):
    text = render(protocol, transition, repaired())

    assert complain(protocol, text) == []
    assert "orders/db" in text


@pytest.mark.parametrize("protocol", TEMPLATED)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(row=ROWS, transition=st.sampled_from(sorted(DETAIL_TYPES)))
def test_a_receiver_accepts_whatever_a_row_contains(protocol, row, transition):
    assert complain(protocol, render(protocol, transition, incident(**row))) == []


def test_pagerduty_gets_one_incident_from_trigger_to_resolve():
    trigger, resolve = (
        json.loads(render("pagerduty", *arguments))
        for arguments in (("escalated", incident(owner="payments")), ("resolved", resolved(owner="payments")))
    )

    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert trigger["payload"]["severity"] == "error"
    assert trigger["payload"]["group"] == "payments"
    assert trigger["payload"]["custom_details"]["account"] == "123456789012"


def test_every_variable_of_a_template_is_a_field_of_the_event():
    fields = {f"$.detail.message.{field}" for field in build_message(notification("opened"))}
    known = fields | {"$.account", "$.time", "$.detail.severity", "$.detail.turn"}

    for protocol in TEMPLATED:
        assert set(RECEIVERS[protocol].input_paths.values()) <= known
