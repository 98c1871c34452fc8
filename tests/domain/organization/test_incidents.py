"""The hub's row and notification of an incident are made of the last transition, and of nothing that is unexpected."""

import copy
import itertools
import json

import pytest

from rotation_guard.domain.event_parser import MalformedEvent
from rotation_guard.domain.organization.deliveries import Delivery, UntrustedEvent, read_delivery
from rotation_guard.domain.organization.incidents import read_transition
from tests.handlers.remediation.transitions import (
    ARN,
    NOT_LISTED,
    OPENED_AT,
    incident,
    notification,
    repaired,
    resolved,
)
from tests.organization_events import MEMBER, OTHER, ROWS, transition_event, wrap

CASES = {
    **{name: (name, row) for name, row in ROWS.items()},
    "opened, unsupported": ("opened", incident(untouchable="The secret is owned by a service of AWS.")),
    "opened, unreadable": ("opened", incident(unreadable="It could not be described.", versions=None)),
    "a second retry": ("retried", incident(attempts=2, failures=3, failed_steps={"createSecret", "setSecret"})),
    "recovered by AWS": (
        "recovered",
        incident(outcome="recovered by AWS", new_value_versions={"v3": ["AWSCURRENT"], "v1": ["AWSPREVIOUS"]}),
    ),
    "an outage": (
        "escalated",
        incident(
            outcome="escalated",
            owner="team-orders",
            evidence={"current": "broken", "pending": "works", "notes": ["Login refused."]},
            rotation_function="arn:aws:lambda:eu-west-1:123456789012:function:orders-rotation",
            rotation_on=True,
        ),
    ),
    "a restart that failed": ("escalated", {**repaired(), "outcome": "escalated", "restarts": [NOT_LISTED]}),
    "resolved with labels": ("resolved", {**resolved(), "new_value_versions": {"v3": ["AWSCURRENT"]}}),
}
ORDER = ["opened", "retried", "escalated", "resolved"]


def read(event, runbook=""):
    return read_transition(read_delivery(event), runbook)


@pytest.mark.parametrize("case", CASES)
def test_people_read_the_same_text_from_the_hub_as_from_the_member(case):
    name, row = CASES[case]
    member = notification(name, row)

    hub = read(transition_event(name, row)).build_notification()

    assert (hub.subject, hub.text) == (member.subject, member.text)
    assert json.loads(json.dumps(hub.payload)) == json.loads(json.dumps(member.payload))


def test_the_error_of_a_failed_step_reaches_the_hub():
    row = ROWS["escalated"]
    member = notification("escalated", row, error="States.Timeout")

    hub = read(transition_event("escalated", row, error="States.Timeout")).build_notification()

    assert "A step of the workflow failed for good: States.Timeout." in hub.text
    assert hub.text == member.text


def test_links_lead_to_the_hubs_runbook_and_to_no_address_of_a_member():
    event = transition_event("escalated")
    event["detail"]["links"] = dict.fromkeys(event["detail"]["links"], "https://evil.example")
    event["detail"]["commands"], event["detail"]["next"] = ["curl evil"], "Run it."

    hub = read(event, "https://example.com/hub").build_notification()

    assert "evil" not in json.dumps(hub.payload)
    assert hub.payload["links"]["runbook"].startswith("https://example.com/hub")


@pytest.mark.parametrize("name", ROWS)
def test_the_row_has_the_attributes_of_the_members_row_and_says_where_it_is_from(name):
    row = read(transition_event(name)).build_row()

    assert (row["secret_arn"], row["opened_at"]) == (ARN, OPENED_AT)
    assert (row["account"], row["region"]) == (MEMBER, "eu-west-1")
    assert row["state"] == ("open" if name in ("opened", "retried") else "closed")
    shared = {"secret_name", "occurred_at", "failures", "attempts", "event_type", "failed_step", "last_failure_at"}
    assert {key: row[key] for key in shared} == {key: ROWS[name][key] for key in shared}


def test_transitions_sort_as_they_happen_whatever_their_order_of_arrival():
    transitions = [read(transition_event(name)) for name in ORDER]

    for arrived in itertools.permutations(transitions):
        assert [transition.name for transition in sorted(arrived, key=lambda each: each.position)] == ORDER


def test_retries_sort_by_their_number_even_if_an_earlier_one_is_published_again():
    first = read(transition_event("retried", incident(attempts=1), time="2026-03-01T02:00:00Z"))
    second = read(transition_event("retried", incident(attempts=2), time="2026-03-01T01:00:00Z"))

    assert first.position < second.position


def test_of_two_ends_the_later_one_counts():
    recovered = read(transition_event("recovered", time="2026-03-01T01:20:01Z"))
    escalated = read(
        transition_event("escalated", incident(outcome="escalated", attempts=1), time="2026-03-01T01:50:01Z")
    )

    assert recovered.position < escalated.position


def test_copies_of_an_event_are_one_transition():
    event = transition_event("opened")
    copy_of_it = {**event, "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718"}

    assert read(event) == read(copy_of_it) == read(wrap(event))


def test_a_member_cannot_report_an_incident_of_another_account():
    event = {**transition_event("escalated"), "account": OTHER}

    with pytest.raises(UntrustedEvent, match=f"account {OTHER} sent an event about a secret of account {MEMBER}"):
        read(event)
    with pytest.raises(UntrustedEvent):
        read(wrap(event, account=OTHER))


@pytest.mark.parametrize("field", ["secret_arn", "opened_at"])
@pytest.mark.parametrize("value", [None, "", 5, "x" * 3000, "2026-03-01", ["a"], {"a": 1}])
def test_an_incident_without_its_key_is_malformed(field, value):
    event = transition_event("opened")
    event["detail"][field] = value

    with pytest.raises(MalformedEvent):
        read(event)


@pytest.mark.parametrize("detail", [None, [], "text", {}])
def test_an_event_without_facts_is_malformed(detail):
    with pytest.raises(MalformedEvent):
        read({**transition_event("opened"), "detail": detail})


def test_another_detail_type_is_no_transition():
    with pytest.raises(MalformedEvent, match="not that of a transition"):
        read({**transition_event("opened"), "detail-type": "Rotation Incident Stalled"})


NONSENSE = [
    None,
    5,
    -1.5,
    1e300,
    "",
    "\x1b[31m",
    "x" * 5000,
    [],
    [1, "a", None],
    {},
    {"a": {"b": 1}},
    True,
    float("nan"),
]


def test_no_value_of_a_member_breaks_the_row_or_the_text():
    event = transition_event("escalated", CASES["an outage"][1])
    fields = [name for name in event["detail"] if name not in ("secret_arn", "opened_at")]
    assert len(fields) > 30

    for field, value in itertools.product(fields, NONSENSE):
        changed = copy.deepcopy(event)
        changed["detail"][field] = value
        transition = read_transition(Delivery(MEMBER, changed), "")
        notice = transition.build_notification()
        assert notice.subject.isprintable()
        assert "\x1b" not in notice.text + json.dumps(transition.build_row(), default=list)
