"""What an event does to the incidents of its secret."""

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
OF_A_TEST = replace(ESCALATED, event_type="TestRotationFailed")
RESTARTED = Incident(ARN, OPEN.opened_at, "closed", "escalated", closed_at=AFTER)
HELD = replace(CLOSED, outcome="held", closed_at=AFTER)
RESTARTING = replace(OPEN, state="restarting")
UNTRIED_RULES = ("notify", "untouchable", "stopped", "held", "test only", "orphaned")
"""Rules that end an incident before anything was tried (docs/remediation.md, What decides)."""


def failure(event="event-2", rotation="rotation-2", at=AFTER, kind="RotationFailed", pending=None):
    return RotationSignal(kind, "aws.secretsmanager", event, at, ARN, rotation, pending_version_id=pending)


def stuck(pending, at=TOMORROW):
    return failure("rotation-stuck-1", None, at, "Rotation Stuck", pending)


def success(at=AFTER, kind="RotationSucceeded", version=None):
    return RotationSignal(kind, "aws.secretsmanager", "event-9", at, ARN, "rotation-1", current_version_id=version)


@pytest.mark.parametrize(
    ("incident", "latest", "heard", "new_value_at", "effect"),
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
            None, RECOVERED, failure(rotation="rotation-1"), AT, ClaimEffect.OPEN, id="fails though all was well"
        ),
        pytest.param(None, CLOSED, failure(), "", ClaimEffect.OPEN, id="the next rotation fails too"),
        pytest.param(
            None, CLOSED, failure(rotation=None), "", ClaimEffect.OPEN, id="a later failure, rotation unknown"
        ),
        pytest.param(None, CLOSED, failure(), AT, ClaimEffect.OPEN, id="fails after a new value"),
        pytest.param(None, CLOSED, failure(at=BEFORE), AT, ClaimEffect.IGNORE_STALE, id="failed before the new value"),
        pytest.param(None, None, failure(at=BEFORE), AT, ClaimEffect.IGNORE_STALE, id="a success before its failure"),
        pytest.param(None, None, failure(at=AT), AT, ClaimEffect.OPEN, id="in the same second: nothing may be lost"),
        pytest.param(None, CLOSED, failure(at=BEFORE), "", ClaimEffect.IGNORE_STALE, id="older than what was closed"),
        pytest.param(None, CLOSED, failure(at=AT), "", ClaimEffect.OPEN, id="as old as what was closed"),
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
            stuck("v2", at="2026-03-01T23:00:00Z"),
            "",
            ClaimEffect.IGNORE_STALE,
            id="stuck, found by the audit",
        ),
        pytest.param(None, ESCALATED, stuck("v3"), "", ClaimEffect.OPEN, id="another rotation is stuck"),
        pytest.param(None, ESCALATED, stuck(None), "", ClaimEffect.OPEN, id="stuck, of an unknown version"),
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
            id="in the second that it was resolved",
        ),
        pytest.param(None, RESTARTED, failure(at=BEFORE), "", ClaimEffect.OPEN, id="somebody was paged for a restart"),
        pytest.param(None, OF_A_TEST, failure(at=BEFORE), "", ClaimEffect.OPEN, id="somebody was paged for a test"),
        pytest.param(
            None,
            OF_A_TEST,
            failure(at=BEFORE, kind="TestRotationFailed"),
            "",
            ClaimEffect.IGNORE_STALE,
            id="another test before it",
        ),
        pytest.param(None, HELD, failure(rotation="rotation-1"), "", ClaimEffect.OPEN, id="a repeat of what was held"),
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
def test_a_failure_opens_joins_or_is_late(incident, latest, heard, new_value_at, effect):
    claimed = claim_failure(incident, latest, heard, new_value_at, NOW)

    assert claimed.effect is effect
    assert claimed.incident == (
        incident if effect is ClaimEffect.JOIN else latest if effect is ClaimEffect.IGNORE_STALE else None
    )
    assert claimed.outcome is None


@pytest.mark.parametrize("alive_until", [0, 1_772_330_000, 4_000_000_000])
def test_a_failure_joins_an_open_incident_whether_its_execution_is_overdue_or_not(alive_until):
    overdue = replace(OPEN, alive_until=alive_until)

    assert claim_failure(overdue, None, failure(), "", NOW) == ClaimResult(ClaimEffect.JOIN, overdue)


DAY = timedelta(days=1)
PAGED = datetime.fromisoformat(AFTER)
AGAIN = to_iso(PAGED + DAY)


@pytest.mark.parametrize(
    ("latest", "heard", "now", "effect"),
    [
        pytest.param(
            ESCALATED, failure(rotation="rotation-1", at=AGAIN), PAGED + DAY, ClaimEffect.REMIND, id="it fails again"
        ),
        pytest.param(ESCALATED, stuck("v2", AGAIN), PAGED + DAY, ClaimEffect.REMIND, id="the audit finds it stuck"),
        pytest.param(
            ESCALATED,
            stuck("v2", to_iso(PAGED + DAY / 2)),
            PAGED + DAY / 2,
            ClaimEffect.IGNORE_STALE,
            id="half a day later",
        ),
        pytest.param(
            replace(ESCALATED, notified_at=to_iso(PAGED + DAY)),
            stuck("v2", to_iso(PAGED + 1.5 * DAY)),
            PAGED + 1.5 * DAY,
            ClaimEffect.IGNORE_STALE,
            id="half a day after a reminder",
        ),
        pytest.param(
            replace(ESCALATED, notified_at=to_iso(PAGED + DAY)),
            stuck("v2", to_iso(PAGED + 2 * DAY)),
            PAGED + 2 * DAY,
            ClaimEffect.REMIND,
            id="a day after a reminder",
        ),
        pytest.param(
            ESCALATED,
            failure("event-2", "rotation-1", at=AT),
            PAGED + 2 * DAY,
            ClaimEffect.IGNORE_STALE,
            id="old news, told late",
        ),
        pytest.param(
            ESCALATED,
            failure(at="2026-03-01T00:52:30Z"),
            PAGED + 2 * DAY,
            ClaimEffect.IGNORE_STALE,
            id="another rotation before",
        ),
        pytest.param(
            RESOLVED, stuck("v2", AT), PAGED + 2 * DAY, ClaimEffect.IGNORE_STALE, id="old news of what was resolved"
        ),
    ],
)
def test_what_was_escalated_and_still_fails_is_reminded_of_once_a_day(latest, heard, now, effect):
    assert claim_failure(None, latest, heard, "", now) == ClaimResult(effect, latest)


@pytest.mark.parametrize(
    ("incident", "is_failed"),
    [
        (replace(ESCALATED, rule="retries used up"), True),
        (replace(ESCALATED, rule="moved in vain"), True),
        # Without a rule nothing was decided, and so nothing tried: a step failed before.
        (replace(ESCALATED, rule=""), False),
        (replace(RESOLVED, rule="nothing works"), True),
        (replace(RESOLVED, rule="notify"), False),
        (replace(HELD, rule="held"), False),
        (RESTARTED, False),
        (RECOVERED, False),
        (OPEN, False),
        *((replace(ESCALATED, rule=rule), False) for rule in UNTRIED_RULES),
    ],
    ids=lambda value: f"{value.outcome or value.state}, {value.rule}" if isinstance(value, Incident) else "",
)
def test_a_failed_repair_is_one_that_was_tried_and_ended_with_people(incident, is_failed):
    assert incident.is_failed_repair is is_failed


@pytest.mark.parametrize(
    ("incident", "heard", "current", "is_resolved"),
    [
        pytest.param(ESCALATED, success(), "v2", True, id="rotated"),
        pytest.param(HELD, success(), "v2", True, id="it was held"),
        pytest.param(ESCALATED, success(kind="Secret Label Updated", version="v0"), "v0", True, id="moved by hand"),
        pytest.param(ESCALATED, success(at=EARLY), "v2", True, id="the news is late, and it is so"),
        pytest.param(ESCALATED, success(), "v1", False, id="AWSCURRENT is where it was"),
        pytest.param(replace(ESCALATED, move={"to": "v2"}), success(), "v2", False, id="its own move"),
        pytest.param(replace(ESCALATED, move={"to": "v2"}), success(), "v3", True, id="moved on after its own move"),
        pytest.param(ESCALATED, success(version="v2"), None, True, id="only the event says which version"),
        pytest.param(ESCALATED, success(version="v1"), None, False, id="the event says the old version"),
        pytest.param(ESCALATED, success(at="2026-03-01T00:53:01Z"), None, True, id="nothing but a later time"),
        pytest.param(ESCALATED, success(at=AFTER), None, False, id="as old as its end"),
        pytest.param(RESOLVED, success(), "v2", False, id="it was before"),
        pytest.param(RECOVERED, success(), "v2", False, id="it had recovered"),
        pytest.param(OPEN, success(), "v2", False, id="it is open"),
        pytest.param(RESTARTED, success(), "v2", True, id="a restart had failed"),
        pytest.param(replace(RESTARTED, outcome="restarted"), success(), "v2", False, id="a restart had ended well"),
        pytest.param(replace(ESCALATED, state="restarting"), success(), "v2", False, id="dependents restart"),
    ],
)
def test_a_version_that_the_incident_never_saw_resolves_it(incident, heard, current, is_resolved):
    assert incident.is_resolved_by(heard, current) is is_resolved


@pytest.mark.parametrize(
    ("incident", "heard", "is_stuck", "effect"),
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
        pytest.param(replace(OPEN, move={"to": "v2"}), success(), False, ClaimEffect.JOIN, id="our own move is heard"),
    ],
)
def test_a_new_value_ends_what_is_older(incident, heard, is_stuck, effect):
    claimed = claim_success(incident, heard, is_stuck)

    assert (claimed.effect, claimed.incident) == (effect, incident)
    assert claimed.outcome == (Outcome.RECOVERED_BY_AWS if effect is ClaimEffect.END else None)


@pytest.mark.parametrize("alive_until", [0, 4_000_000_000])
def test_a_move_whose_execution_has_died_is_proven_by_whoever_takes_over(alive_until):
    moving = replace(OPEN, move={"to": "v2"}, alive_until=alive_until)

    assert claim_success(moving, success(), False).effect is ClaimEffect.JOIN


def test_a_new_value_after_a_retry_is_the_retrys():
    assert claim_success(replace(OPEN, attempts=1), success(), False).outcome is Outcome.RECOVERED_BY_RETRY


def test_an_incident_is_read_out_of_its_row():
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


def test_its_versions_are_those_that_were_looked_at_last():
    row = {"secret_arn": ARN, "opened_at": "then", "current_version_id": "v1", "versions": {"v2": ["AWSCURRENT"]}}

    assert Incident.from_row(row).current_version_id == "v2"
    assert Incident.from_row(row | {"versions": {"v3": ["AWSPENDING"]}}).current_version_id == "v1"


@pytest.mark.parametrize(
    ("turns", "notified_at"),
    [
        ([], AFTER),
        ([("opened", "2026-03-01T00:53:30Z")], AFTER),
        ([("escalated", "2026-03-01T00:54:00Z")], "2026-03-01T00:54:00Z"),
        ([("escalated", "2026-03-01T00:54:00Z"), ("reminder", TOMORROW)], TOMORROW),
        ([("reminder", TOMORROW), ("resolved", "2026-03-03T00:00:00Z")], TOMORROW),
    ],
)
def test_people_were_told_last_by_the_latest_page_or_else_when_it_was_closed(turns, notified_at):
    actions = [{"action": "decide", "at": "2026-03-09T00:00:00Z"}]
    actions += [{"action": "notify", "turn": turn, "at": at} for turn, at in turns]
    row = {"secret_arn": ARN, "opened_at": "then", "closed_at": AFTER, "actions": actions}

    assert Incident.from_row(row).notified_at == notified_at
