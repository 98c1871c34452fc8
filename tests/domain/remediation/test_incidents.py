"""The effect of an event on the incidents of its secret."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotation_guard.domain.remediation.incidents import (
    ClaimEffect,
    ClaimResult,
    Incident,
    Outcome,
    claim_failure,
    claim_success,
)
from rotation_guard.domain.rotation_event import RotationSignal
from rotation_guard.domain.timestamps import to_iso

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
EARLY, BEFORE, AT, AFTER = (f"2026-03-01T00:5{minute}:00Z" for minute in range(4))
TOMORROW = "2026-03-02T01:30:00Z"
OPEN = Incident(
    ARN,
    "2026-03-01T00:52:30.000Z",
    last_failure_at=AT,
    alive_until=1_772_330_000,
    failures=1,
    current_version_id="v1",
    pending_version_id="v2",
    event_ids=frozenset({"event-1"}),
    rotation_ids=frozenset({"rotation-1"}),
)
CLOSED = replace(OPEN, state="closed")
RECOVERED = replace(CLOSED, outcome="recovered by AWS")
ESCALATED = replace(CLOSED, outcome="escalated", closed_at=AFTER, notified_at=AFTER)
RESOLVED = replace(ESCALATED, outcome="resolved", resolved_at="2026-03-01T00:55:00Z")
STOPPED = replace(ESCALATED, rule="stopped")
FAILED_TEST = replace(ESCALATED, event_type="TestRotationFailed")
RESTARTED = Incident(ARN, OPEN.opened_at, "closed", "escalated", closed_at=AFTER)
RATE_LIMITED = replace(CLOSED, outcome="held", closed_at=AFTER)
RESTARTING = replace(OPEN, state="restarting")
UNTRIED_RULES = ("notify", "untouchable", "stopped", "held", "test only", "orphaned")
"""Rules that end an incident before anything was attempted (docs/remediation.md, What decides)."""


def failure(event="event-2", rotation="rotation-2", at=AFTER, kind="RotationFailed", pending=None):
    return RotationSignal(kind, "aws.secretsmanager", event, at, ARN, rotation, pending_version_id=pending)


def stuck_rotation(pending, at=TOMORROW):
    return failure("rotation-stuck-1", None, at, "Rotation Stuck", pending)


def success(at=AFTER, kind="RotationSucceeded", version=None):
    return RotationSignal(kind, "aws.secretsmanager", "event-9", at, ARN, "rotation-1", current_version_id=version)


@pytest.mark.parametrize(
    ("incident", "latest", "signal", "new_value_at", "effect"),
    [
        pytest.param(None, None, failure(), "", ClaimEffect.OPEN, id="the first ever"),
        pytest.param(
            None, None, failure(rotation=None), "", ClaimEffect.OPEN, id="the first ever, of an unknown rotation"
        ),
        pytest.param(OPEN, None, failure("event-1", "rotation-1"), "", ClaimEffect.JOIN, id="a copy"),
        pytest.param(OPEN, None, failure(rotation="rotation-1"), "", ClaimEffect.JOIN, id="AWS's own retry"),
        pytest.param(OPEN, None, failure(), "", ClaimEffect.JOIN, id="another rotation"),
        pytest.param(OPEN, None, failure(at=EARLY), AFTER, ClaimEffect.JOIN, id="out of order while it is open"),
        pytest.param(
            None, CLOSED, failure("event-1", None), "", ClaimEffect.IGNORE_STALE, id="a copy once it is closed"
        ),
        pytest.param(
            None, RESTARTING, failure("event-1"), "", ClaimEffect.IGNORE_STALE, id="a copy while dependents restart"
        ),
        pytest.param(
            None, CLOSED, failure(rotation="rotation-1"), "", ClaimEffect.IGNORE_STALE, id="a repeat once it is closed"
        ),
        pytest.param(
            None, RECOVERED, failure("event-1"), AT, ClaimEffect.IGNORE_STALE, id="a copy once it has recovered"
        ),
        pytest.param(
            None, RECOVERED, failure(rotation="rotation-1"), AT, ClaimEffect.OPEN, id="fails after it had recovered"
        ),
        pytest.param(None, CLOSED, failure(), "", ClaimEffect.OPEN, id="the next rotation fails too"),
        pytest.param(
            None, CLOSED, failure(rotation=None), "", ClaimEffect.OPEN, id="a later failure, rotation unknown"
        ),
        pytest.param(None, CLOSED, failure(), AT, ClaimEffect.OPEN, id="fails after a new value"),
        pytest.param(None, CLOSED, failure(at=BEFORE), AT, ClaimEffect.IGNORE_STALE, id="failed before the new value"),
        pytest.param(None, None, failure(at=BEFORE), AT, ClaimEffect.IGNORE_STALE, id="a success before its failure"),
        pytest.param(None, None, failure(at=AT), AT, ClaimEffect.OPEN, id="in the same second: nothing may be lost"),
        pytest.param(
            None, CLOSED, failure(at=BEFORE), "", ClaimEffect.IGNORE_STALE, id="older than the closed incident"
        ),
        pytest.param(None, CLOSED, failure(at=AT), "", ClaimEffect.OPEN, id="as old as the closed incident"),
        pytest.param(
            None,
            ESCALATED,
            failure(at="2026-03-01T00:52:59Z"),
            "",
            ClaimEffect.IGNORE_STALE,
            id="somebody was paged for it",
        ),
        pytest.param(None, ESCALATED, failure(), "", ClaimEffect.OPEN, id="fails after somebody was paged"),
        pytest.param(
            None, ESCALATED, failure(), AT, ClaimEffect.OPEN, id="fails after somebody was paged and it was rotated"
        ),
        pytest.param(
            None,
            ESCALATED,
            failure(rotation="rotation-1"),
            "",
            ClaimEffect.IGNORE_STALE,
            id="the same rotation after a page",
        ),
        pytest.param(
            None,
            ESCALATED,
            stuck_rotation("v2", at="2026-03-01T23:00:00Z"),
            "",
            ClaimEffect.IGNORE_STALE,
            id="stuck, found by the audit",
        ),
        pytest.param(None, ESCALATED, stuck_rotation("v3"), "", ClaimEffect.OPEN, id="another rotation is stuck"),
        pytest.param(None, ESCALATED, stuck_rotation(None), "", ClaimEffect.OPEN, id="stuck, of an unknown version"),
        pytest.param(
            None,
            STOPPED,
            failure(rotation="rotation-1", at=TOMORROW),
            "",
            ClaimEffect.OPEN,
            id="repairs were stopped by hand",
        ),
        pytest.param(
            None, RESOLVED, failure(rotation="rotation-1", at=TOMORROW), "", ClaimEffect.OPEN, id="it was resolved"
        ),
        pytest.param(
            None, RESOLVED, failure("event-1"), "", ClaimEffect.IGNORE_STALE, id="a copy after it was resolved"
        ),
        pytest.param(
            None,
            RESOLVED,
            failure(at="2026-03-01T00:54:59Z"),
            "",
            ClaimEffect.IGNORE_STALE,
            id="failed before it was resolved",
        ),
        pytest.param(
            None,
            RESOLVED,
            failure(at="2026-03-01T00:55:00Z"),
            "",
            ClaimEffect.OPEN,
            id="in the second in which it was resolved",
        ),
        pytest.param(None, RESTARTED, failure(at=BEFORE), "", ClaimEffect.OPEN, id="somebody was paged for a restart"),
        pytest.param(None, FAILED_TEST, failure(at=BEFORE), "", ClaimEffect.OPEN, id="somebody was paged for a test"),
        pytest.param(
            None,
            FAILED_TEST,
            failure(at=BEFORE, kind="TestRotationFailed"),
            "",
            ClaimEffect.IGNORE_STALE,
            id="another test before it",
        ),
        pytest.param(
            None,
            RATE_LIMITED,
            failure(rotation="rotation-1"),
            "",
            ClaimEffect.OPEN,
            id="a repeat of a rate limited failure",
        ),
        pytest.param(
            None,
            CLOSED,
            failure(rotation="rotation-1", at=TOMORROW),
            "",
            ClaimEffect.OPEN,
            id="the same rotation again",
        ),
    ],
)
def test_a_failure_opens_an_incident_joins_one_or_is_stale(incident, latest, signal, new_value_at, effect):
    result = claim_failure(incident, latest, signal, new_value_at, NOW)

    assert result.effect is effect
    assert result.incident == (
        incident if effect is ClaimEffect.JOIN else latest if effect is ClaimEffect.IGNORE_STALE else None
    )
    assert result.outcome is None


@pytest.mark.parametrize("alive_until", [0, 1_772_330_000, 4_000_000_000])
def test_a_failure_joins_an_open_incident_whether_its_execution_is_overdue_or_not(alive_until):
    overdue = replace(OPEN, alive_until=alive_until)

    assert claim_failure(overdue, None, failure(), "", NOW) == ClaimResult(ClaimEffect.JOIN, overdue)


DAY = timedelta(days=1)
PAGED_AT = datetime.fromisoformat(AFTER)
DAY_AFTER_PAGE = to_iso(PAGED_AT + DAY)


@pytest.mark.parametrize(
    ("latest", "signal", "now", "effect"),
    [
        pytest.param(
            ESCALATED,
            failure(rotation="rotation-1", at=DAY_AFTER_PAGE),
            PAGED_AT + DAY,
            ClaimEffect.REMIND,
            id="it fails again",
        ),
        pytest.param(
            ESCALATED,
            stuck_rotation("v2", DAY_AFTER_PAGE),
            PAGED_AT + DAY,
            ClaimEffect.REMIND,
            id="the audit finds it stuck",
        ),
        pytest.param(
            ESCALATED,
            stuck_rotation("v2", to_iso(PAGED_AT + DAY / 2)),
            PAGED_AT + DAY / 2,
            ClaimEffect.IGNORE_STALE,
            id="half a day later",
        ),
        pytest.param(
            replace(ESCALATED, notified_at=to_iso(PAGED_AT + DAY)),
            stuck_rotation("v2", to_iso(PAGED_AT + 1.5 * DAY)),
            PAGED_AT + 1.5 * DAY,
            ClaimEffect.IGNORE_STALE,
            id="half a day after a reminder",
        ),
        pytest.param(
            replace(ESCALATED, notified_at=to_iso(PAGED_AT + DAY)),
            stuck_rotation("v2", to_iso(PAGED_AT + 2 * DAY)),
            PAGED_AT + 2 * DAY,
            ClaimEffect.REMIND,
            id="a day after a reminder",
        ),
        pytest.param(
            replace(ESCALATED, acknowledged_until=to_iso(PAGED_AT + 2 * DAY)),
            stuck_rotation("v2", DAY_AFTER_PAGE),
            PAGED_AT + DAY,
            ClaimEffect.IGNORE_STALE,
            id="somebody works on it",
        ),
        pytest.param(
            replace(ESCALATED, acknowledged_until=to_iso(PAGED_AT + DAY)),
            stuck_rotation("v2", DAY_AFTER_PAGE),
            PAGED_AT + DAY,
            ClaimEffect.REMIND,
            id="the acknowledgement has ended",
        ),
        pytest.param(
            ESCALATED,
            failure("event-2", "rotation-1", at=AT),
            PAGED_AT + 2 * DAY,
            ClaimEffect.IGNORE_STALE,
            id="an old failure, reported late",
        ),
        pytest.param(
            ESCALATED,
            failure(at="2026-03-01T00:52:30Z"),
            PAGED_AT + 2 * DAY,
            ClaimEffect.IGNORE_STALE,
            id="another rotation before",
        ),
        pytest.param(
            RESOLVED,
            stuck_rotation("v2", AT),
            PAGED_AT + 2 * DAY,
            ClaimEffect.IGNORE_STALE,
            id="an old failure of a resolved incident",
        ),
    ],
)
def test_an_escalated_incident_that_still_fails_has_a_reminder_once_a_day(latest, signal, now, effect):
    assert claim_failure(None, latest, signal, "", now) == ClaimResult(effect, latest)


@pytest.mark.parametrize(
    ("incident", "is_failed"),
    [
        (replace(ESCALATED, rule="retries used up"), True),
        (replace(ESCALATED, rule="moved in vain"), True),
        # Without a rule nothing was decided or attempted: a step failed before.
        (replace(ESCALATED, rule=""), False),
        (replace(RESOLVED, rule="nothing works"), True),
        (replace(RESOLVED, rule="notify"), False),
        (replace(RATE_LIMITED, rule="held"), False),
        (RESTARTED, False),
        (RECOVERED, False),
        (OPEN, False),
        *((replace(ESCALATED, rule=rule), False) for rule in UNTRIED_RULES),
    ],
    ids=lambda value: f"{value.outcome or value.state}, {value.rule}" if isinstance(value, Incident) else "",
)
def test_a_failed_repair_was_attempted_and_then_escalated(incident, is_failed):
    assert incident.is_failed_repair is is_failed


@pytest.mark.parametrize(
    ("incident", "signal", "current", "is_resolved"),
    [
        pytest.param(ESCALATED, success(), "v2", True, id="rotated"),
        pytest.param(RATE_LIMITED, success(), "v2", True, id="it was rate limited"),
        pytest.param(ESCALATED, success(kind="Secret Label Updated", version="v0"), "v0", True, id="moved by hand"),
        pytest.param(ESCALATED, success(at=EARLY), "v2", True, id="reported late, but the version has changed"),
        pytest.param(ESCALATED, success(), "v1", False, id="AWSCURRENT is where it was"),
        pytest.param(replace(ESCALATED, move={"to": "v2"}), success(), "v2", False, id="its own move"),
        pytest.param(replace(ESCALATED, move={"to": "v2"}), success(), "v3", True, id="moved on after its own move"),
        pytest.param(ESCALATED, success(version="v2"), None, True, id="only the event says which version"),
        pytest.param(ESCALATED, success(version="v1"), None, False, id="the event says the old version"),
        pytest.param(ESCALATED, success(at="2026-03-01T00:53:01Z"), None, True, id="only a later time"),
        pytest.param(ESCALATED, success(at=AFTER), None, False, id="as old as its end"),
        pytest.param(RESOLVED, success(), "v2", False, id="it was resolved before"),
        pytest.param(RECOVERED, success(), "v2", False, id="it had recovered"),
        pytest.param(OPEN, success(), "v2", False, id="it is open"),
        pytest.param(RESTARTED, success(), "v2", True, id="a restart had failed"),
        pytest.param(replace(RESTARTED, outcome="restarted"), success(), "v2", False, id="a restart had ended well"),
        pytest.param(replace(ESCALATED, state="restarting"), success(), "v2", False, id="dependents restart"),
    ],
)
def test_a_new_version_resolves_an_escalated_incident(incident, signal, current, is_resolved):
    assert incident.is_resolved_by(signal, current) is is_resolved


@pytest.mark.parametrize(
    ("incident", "signal", "is_stuck", "effect"),
    [
        pytest.param(None, success(), False, ClaimEffect.NO_INCIDENT, id="nothing is open"),
        pytest.param(OPEN, success(), False, ClaimEffect.END, id="a later success"),
        pytest.param(OPEN, success(), True, ClaimEffect.END, id="a later success, and the next rotation has begun"),
        pytest.param(
            OPEN, success(kind="Secret Label Updated", version="v2"), False, ClaimEffect.END, id="a moved label"
        ),
        pytest.param(OPEN, success(at=BEFORE), False, ClaimEffect.JOIN, id="a late success of an older rotation"),
        pytest.param(
            OPEN, success(at=AT), False, ClaimEffect.END, id="in the second of the failure, and nothing is stuck"
        ),
        pytest.param(OPEN, success(at=AT), True, ClaimEffect.JOIN, id="in the second of the failure, and it is stuck"),
        pytest.param(replace(OPEN, move={"to": "v2"}), success(), False, ClaimEffect.JOIN, id="its own move"),
    ],
)
def test_a_new_value_ends_an_older_incident(incident, signal, is_stuck, effect):
    result = claim_success(incident, signal, is_stuck)

    assert (result.effect, result.incident) == (effect, incident)
    assert result.outcome == (Outcome.RECOVERED_BY_AWS if effect is ClaimEffect.END else None)


@pytest.mark.parametrize("alive_until", [0, 4_000_000_000])
def test_a_success_during_a_move_joins_the_incident_even_if_its_execution_died(alive_until):
    moving = replace(OPEN, move={"to": "v2"}, alive_until=alive_until)

    assert claim_success(moving, success(), False).effect is ClaimEffect.JOIN


def test_a_new_value_after_a_retry_is_attributed_to_the_retry():
    assert claim_success(replace(OPEN, attempts=1), success(), False).outcome is Outcome.RECOVERED_BY_RETRY


def test_an_incident_is_read_from_its_row():
    row = {
        "secret_arn": ARN,
        "opened_at": OPEN.opened_at,
        "state": "open",
        "execution": "execution-1",
        "last_failure_at": AT,
        "alive_until": 1_772_330_000,
        "attempts": 2,
        "failures": 1,
        "moved": {"to": "v2"},
        "current_version_id": "v1",
        "versions": {"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]},
        "event_ids": {"event-1"},
        "rotation_ids": {"rotation-1"},
        "reason": "another attribute",
    }

    assert Incident.from_row(row) == replace(OPEN, attempts=2, move={"to": "v2"})
    assert Incident.from_row({"secret_arn": ARN, "opened_at": "then"}) == Incident(ARN, "then")


def test_its_versions_are_those_of_the_last_diagnosis():
    row = {"secret_arn": ARN, "opened_at": "then", "current_version_id": "v1", "versions": {"v2": ["AWSCURRENT"]}}

    assert Incident.from_row(row).current_version_id == "v2"
    assert Incident.from_row(row | {"versions": {"v3": ["AWSPENDING"]}}).current_version_id == "v1"


@pytest.mark.parametrize(
    ("transitions", "notified_at"),
    [
        ([], AFTER),
        ([("opened", "2026-03-01T00:53:30Z")], AFTER),
        ([("escalated", "2026-03-01T00:54:00Z")], "2026-03-01T00:54:00Z"),
        ([("escalated", "2026-03-01T00:54:00Z"), ("reminder", TOMORROW)], TOMORROW),
        ([("reminder", TOMORROW), ("resolved", "2026-03-03T00:00:00Z")], TOMORROW),
    ],
)
def test_the_last_notification_is_the_latest_page_or_else_the_end_of_the_incident(transitions, notified_at):
    actions = [{"action": "decide", "at": "2026-03-09T00:00:00Z"}]
    actions += [{"action": "notify", "turn": transition, "at": at} for transition, at in transitions]
    row = {"secret_arn": ARN, "opened_at": "then", "closed_at": AFTER, "actions": actions}

    assert Incident.from_row(row).notified_at == notified_at
