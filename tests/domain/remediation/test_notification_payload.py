"""The machine-readable payload of a notification, and what it never includes."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation_guard.domain.remediation.notification_payload import LISTED_SECRETS, build_payload
from rotation_guard.domain.remediation.notifications import build_notification
from tests.handlers.remediation.transitions import (
    ARN,
    EXECUTION,
    FUNCTION,
    OPENED_AT,
    TRANSITIONS,
    decided,
    incident,
    rate_limited,
    repaired,
    resolved,
)

MARKER = "hunter2"
SMALL = 4
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.binary(max_size=SMALL),
    lambda inner: st.lists(inner, max_size=SMALL) | st.dictionaries(st.text(max_size=SMALL), inner, max_size=SMALL),
    max_leaves=8,
)
NAMES = sorted({*repaired(), "evidence", "notes"})
ROWS = st.dictionaries(st.sampled_from(NAMES), ANYTHING)


def test_the_payload_has_the_fields_of_the_row():
    row = repaired(owner="payments", rotation_function=FUNCTION, rotation_on=True, failed_steps={"setSecret"})

    payload = build_payload("recovered", EXECUTION, row, runbook_url="https://example.com/book")

    assert payload == {
        "schema": "rotation-guard/1",
        "turn": "recovered",
        "severity": "RESOLVED",
        "secret": "orders/db",
        "owner": "payments",
        "account": "123456789012",
        "region": "eu-west-1",
        "secret_arn": ARN,
        "secret_name": "orders/db",
        "opened_at": OPENED_AT,
        "execution": EXECUTION,
        "outcome": "rolled forward",
        "reason": "AWSCURRENT is on the version that this incident moved it to, and a probe proved that it works.",
        "closed_at": "2026-03-01T01:20:00Z",
        "kind": "RotationFailed",
        "occurred_at": "2026-03-01T00:50:20Z",
        "failed_step": "setSecret",
        "failed_steps": ["setSecret"],
        "failures": 5,
        "last_failure_at": "2026-03-01T01:15:00Z",
        "function": FUNCTION,
        "log_group": "/aws/lambda/orders-rotation",
        "is_rotation_enabled": True,
        "unreadable": None,
        "mode": "repair",
        "attempts": 1,
        "error": None,
        "actions": [
            {
                "action": "decide",
                "at": "2026-03-01T01:06:00Z",
                "outcome": None,
                "rule": "retry",
                "reason": "Retry 1 of 3: no probe.",
            },
            {"action": "retry", "at": "2026-03-01T01:06:01Z", "number": 1, "outcome": "asked"},
            {"action": "retry", "at": "2026-03-01T01:06:02Z", "number": 1, "outcome": "reattempted"},
            {"action": "rolled forward", "at": "2026-03-01T01:16:01Z", "from": "v1", "to": "v2", "outcome": "asked"},
            {"action": "rolled forward", "at": "2026-03-01T01:16:02Z", "from": "v1", "to": "v2", "outcome": "done"},
            {"action": "restart", "at": "2026-03-01T01:17:00Z", "target": "ecs:shop/orders", "outcome": "started"},
            {"action": "restart", "at": "2026-03-01T01:19:00Z", "target": "ecs:shop/orders", "outcome": "settled"},
        ],
        "now": {
            "current": "v2",
            "pending": None,
            "previous": "v1",
            "evidence": {"current": "works", "pending": "absent", "previous": "unknown", "notes": []},
        },
        "restarts": [
            {"target": "ecs:shop/orders", "arn": "arn:ecs", "state": "settled", "why": None},
            {"target": "lambda:api", "arn": "arn:lambda", "state": "refused", "why": "It is not among them."},
        ],
        "held": None,
        "links": {
            "execution": payload["links"]["execution"],
            "secret": payload["links"]["secret"],
            "log": payload["links"]["log"],
            "runbook": "https://example.com/book#rolled-forward",
        },
        "next": None,
        "commands": [],
    }
    assert payload["links"]["execution"].endswith(EXECUTION)
    assert "name=orders%2Fdb" in payload["links"]["secret"]


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize("row", [{}, incident(), repaired(), {"secret_arn": ARN, "opened_at": OPENED_AT}])
def test_every_transition_has_the_same_fields(transition, row):
    payload = build_payload(transition, EXECUTION, row)

    assert payload.keys() == build_payload("recovered", EXECUTION, repaired()).keys()
    assert payload["now"].keys() == {"current", "pending", "previous", "evidence"}
    assert payload["links"].keys() == {"execution", "secret", "log", "runbook"}
    assert json.loads(json.dumps(payload)) == payload


@pytest.mark.parametrize(
    ("transition", "outcome", "expected"),
    [
        ("opened", None, None),
        ("retried", None, None),
        ("recovered", "recovered by AWS", "recovered by AWS"),
        ("recovered", "recovered by retry", "recovered by retry"),
        ("recovered", "fallen back", "fallen back"),
        ("recovered", None, None),
        ("recovered", "escalated", None),
        ("restarted", "restarted", "restarted"),
        ("escalated", "restarted", "escalated"),
        ("escalated", None, "escalated"),
        ("held", "held", "held"),
        ("held_burst", None, "held"),
        ("reminder", "escalated", "escalated"),
        ("resolved", "resolved", "resolved"),
        ("missing", None, "escalated"),
        ("unidentified", None, None),
    ],
)
def test_the_outcome_is_that_of_the_transition(transition, outcome, expected):
    assert build_payload(transition, EXECUTION, incident(outcome=outcome))["outcome"] == expected


@pytest.mark.parametrize("transition", ["resolved", "reminder", "escalated", "recovered"])
def test_the_execution_is_that_of_the_incident_whichever_publishes(transition):
    publisher = EXECUTION.replace("RotationFailed-1", "RotationIncidentStalled-2")

    payload = build_payload(transition, publisher, resolved())

    assert payload["execution"] == EXECUTION
    assert payload["links"]["execution"].endswith(EXECUTION)
    # If a step failed for good, it is the execution in which it failed.
    assert build_payload(transition, publisher, resolved(), error="States.Timeout")["execution"] == publisher
    assert build_payload(transition, publisher, {"secret_arn": ARN})["execution"] == publisher


def test_a_reminder_is_about_the_latest_failure():
    failure = {"reminded_at": "2026-03-02T02:00:00Z", "reminded_step": "testSecret"}

    payload = build_payload("reminder", EXECUTION, repaired() | {"outcome": "escalated"} | failure)

    assert (payload["last_failure_at"], payload["failed_step"], payload["failures"]) == (
        failure["reminded_at"],
        "testSecret",
        None,
    )
    assert payload["occurred_at"] == "2026-03-01T00:50:20Z"
    assert payload["failed_steps"] == ["setSecret", "testSecret"]


@pytest.mark.parametrize(
    ("transition", "is_reported"), [("opened", True), ("escalated", True), ("recovered", False), ("resolved", False)]
)
def test_a_new_value_clears_that_the_secret_was_unreadable(transition, is_reported):
    payload = build_payload(transition, EXECUTION, incident(unreadable="It cannot be read."))

    assert payload["unreadable"] == ("It cannot be read." if is_reported else None)


def test_labels_seen_with_the_new_value_are_current():
    versions = {"v2": ["AWSCURRENT"], "v3": ["AWSPENDING"]}
    row = resolved(new_value_versions=versions, evidence={"current": "broken"})

    now = build_payload("resolved", EXECUTION, row)["now"]

    assert now == {"current": "v2", "pending": "v3", "previous": None, "evidence": None}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (FUNCTION, "/aws/lambda/orders-rotation"),
        (f"{FUNCTION}:live", "/aws/lambda/orders-rotation"),
        ("orders-rotation", None),
        (f"{FUNCTION} hunter2", None),
        (None, None),
    ],
)
def test_only_the_arn_of_a_function_is_accepted_as_one(function, expected):
    payload = build_payload("opened", EXECUTION, incident(rotation_function=function))

    assert payload["log_group"] == expected
    assert payload["function"] == (function if expected else None)


def test_account_and_region_are_those_of_the_secret_or_else_of_the_execution():
    payload = build_payload("unidentified", EXECUTION, {})

    assert (payload["account"], payload["region"]) == ("123456789012", "eu-west-1")
    elsewhere = incident(secret_arn=ARN.replace("eu-west-1:123456789012", "us-gov-west-1:999999999999"))
    assert [build_payload("opened", EXECUTION, elsewhere)[name] for name in ("account", "region")] == [
        "999999999999",
        "us-gov-west-1",
    ]


def test_a_digest_can_be_filtered_by_every_secret_and_owner_in_it():
    digest = [{**incident_row, "owner": f"team {number % 2}"} for number, incident_row in enumerate(rate_limited(30))]

    payload = build_payload("held_burst", EXECUTION, {}, digest=digest)

    assert payload["secret"] == [incident_row["secret_name"] for incident_row in digest]
    assert payload["owner"] == ["team 0", "team 1"]
    longest = [
        {**incident_row, "secret_name": f"{number:03}{'n' * 509}"}
        for number, incident_row in enumerate(rate_limited(999))
    ]
    assert len(json.dumps(build_payload("held_burst", EXECUTION, {}, digest=longest)["secret"])) <= 8000


def test_the_signal_replaces_a_row_that_cannot_be_read():
    signal = {"kind": "Rotation Stuck", "occurred_at": "2026-03-01T00:50:20Z", "failed_step": None, "secret_arn": ARN}

    payload = build_payload("opened", EXECUTION, {"secret_arn": ARN, "opened_at": OPENED_AT}, signal=signal)

    assert (payload["kind"], payload["occurred_at"], payload["secret_name"]) == (
        "Rotation Stuck",
        "2026-03-01T00:50:20Z",
        "orders/db",
    )
    assert payload["failures"] is payload["mode"] is None


def test_the_secret_of_the_signal_is_named_without_an_incident():
    assert build_payload("unidentified", EXECUTION, {}, signal={"secret_arn": ARN})["secret_name"] == "orders/db"


def test_a_resolved_incident_has_the_time_and_cause_and_no_former_labels():
    payload = build_payload("resolved", EXECUTION, resolved(evidence={"current": "broken"}))

    assert payload["reason"] == "A new value is in use since 2026-03-01T09:00:00Z (RotationSucceeded)."
    assert payload["now"] == dict.fromkeys(("current", "pending", "previous", "evidence"))
    assert payload["closed_at"] == "2026-03-01T01:20:00Z"


@pytest.mark.parametrize("by", [None, "hunter2"])
def test_an_unknown_cause_of_resolution_is_omitted(by):
    payload = build_payload("resolved", EXECUTION, resolved() | {"resolved_by": by})

    assert payload["reason"] == "A new value is in use since 2026-03-01T09:00:00Z."


def test_of_a_missing_incident_only_the_secret_is_known():
    payload = build_payload("missing", EXECUTION, {"secret_arn": ARN, "opened_at": OPENED_AT}, runbook_url="https://x")

    assert (payload["secret_name"], payload["opened_at"], payload["kind"]) == ("orders/db", OPENED_AT, None)
    assert payload["reason"].startswith("Its row is missing from the Incidents table")
    assert payload["links"]["runbook"] == "https://x#missing"


@pytest.mark.parametrize("outcome", ["recovered by AWS", "recovered by retry"])
def test_labels_from_before_a_new_value_are_not_current(outcome):
    row = incident(outcome=outcome, evidence={"current": "broken"})

    assert set(build_payload("recovered", EXECUTION, row)["now"].values()) == {None}


def test_labels_without_an_unfinished_rotation_are_current():
    row = incident(outcome="recovered by AWS", versions={"v2": ["AWSCURRENT", "AWSPENDING"], "v1": ["AWSPREVIOUS"]})

    now = build_payload("recovered", EXECUTION, row)["now"]

    assert (now["current"], now["pending"], now["previous"]) == ("v2", None, "v1")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, None),
        ("", None),
        ("States.Timeout", "States.Timeout"),
        ("ClientError", "ClientError"),
        ("the password is hunter2", "unknown"),
        ({"Cause": "hunter2"}, "unknown"),
    ],
)
def test_only_the_name_of_an_error_is_included(error, expected):
    assert build_payload("escalated", EXECUTION, incident(), error=error)["error"] == expected


def test_counts_are_integers_although_dynamodb_returns_decimals():
    payload = build_payload("opened", EXECUTION, incident(failures=Decimal("5"), attempts=Decimal("2")))

    assert (payload["failures"], payload["attempts"]) == (5, 2)


@pytest.mark.parametrize("outcome", ["recovered by AWS", "recovered by retry"])
def test_evidence_from_before_a_new_value_is_omitted(outcome):
    before = {"versions": {"v1": ["AWSCURRENT"]}, "evidence": {"current": "broken", "notes": []}}

    payload = build_payload("recovered", EXECUTION, incident(outcome=outcome, **before))

    assert payload["now"] == dict.fromkeys(("current", "pending", "previous", "evidence"))


def test_a_digest_has_its_count_and_names_the_first_secrets():
    digest = rate_limited(200)

    payload = build_payload("held_burst", EXECUTION, {}, digest=digest)

    assert payload["held"] == {"count": 200, "secrets": digest[:LISTED_SECRETS]}
    assert payload["outcome"] == "held"
    assert "maxActionsPerHour" in payload["reason"]
    assert payload["secret_arn"] is payload["opened_at"] is None


def test_the_latest_actions_are_kept_if_there_are_too_many():
    actions = [decided("retry", number=number, reason="r" * 300) for number in range(1000)]

    kept = build_payload("escalated", EXECUTION, incident(actions=actions))["actions"]

    assert [action["number"] for action in kept] == list(range(1000 - len(kept), 1000))
    assert 10 < len(kept) < 30


def plant_markers():
    """A row and a signal with a marker in unexpected fields, and in place of known values."""
    more = {"SecretString": MARKER, MARKER: MARKER, "more": [{"value": MARKER}]}
    words = dict.fromkeys(("event_type", "failed_step", "mode", "occurred_at", "last_failure_at", "closed_at"), MARKER)
    evidence = {"current": MARKER, "pending": "works", "previous": [MARKER], **more}
    row = repaired(
        **more,
        error_message=MARKER,
        full_event={"detail": MARKER},
        moved={"how": MARKER},
        event_ids={MARKER},
    )
    row |= words | {
        "outcome": MARKER,
        "evidence": evidence,
        "versions": {f"{MARKER} v": ["AWSCURRENT"], "v1": [MARKER]},
    }
    row["actions"] = [{**action, "evidence": evidence, "at": MARKER, **more} for action in row["actions"]]
    row["actions"] += [{"action": MARKER, "outcome": MARKER}, {"action": "retry", "number": MARKER, "to": f"{MARKER}!"}]
    row["restarts"] = [{**restart, "state": MARKER, "handle": MARKER, **more} for restart in row["restarts"]]
    signal = {
        "kind": MARKER,
        "source": MARKER,
        "identity": MARKER,
        "occurred_at": MARKER,
        "failed_step": MARKER,
        **more,
    }
    return row, signal


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_no_unexpected_value_is_included(transition):
    row, signal = plant_markers()
    assert MARKER in json.dumps(row, default=str)

    message = build_notification(build_payload(transition, EXECUTION, row, signal=signal, error=f"{MARKER}!"))

    assert MARKER not in json.dumps([message.subject, message.text, message.payload])


@given(row=ROWS, signal=st.none() | ROWS, error=ANYTHING, transition=st.sampled_from(TRANSITIONS))
def test_every_text_is_plain_and_on_one_line_whatever_the_row_holds(row, signal, error, transition):
    payload = build_payload(transition, EXECUTION, row, signal=signal, error=error)

    def walk(value):
        if isinstance(value, str):
            yield value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from walk(inner)

    for text in walk(payload):
        assert (text.isascii() and text.isprintable()) or not text
        assert not {'"', "\\"} & {*text}
    assert json.loads(json.dumps(payload)) == payload
