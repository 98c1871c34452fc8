"""What an event does to the incidents of its secret."""

from dataclasses import replace

import pytest

from handlers.domain.incidents import Claimed, Does, Incident, Outcome, claim_failure, claim_success
from handlers.domain.rotation import Heard

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
NOW = 1_772_330_000
EARLY, BEFORE, AT, AFTER = (f"2026-03-01T00:5{minute}:00Z" for minute in range(4))
TOMORROW = "2026-03-02T01:30:00Z"
OPEN = Incident(
    ARN,
    "2026-03-01T00:52:30.000Z",
    last_failure_at=AT,
    alive_until=NOW,
    current_version_id="v1",
    event_ids=frozenset({"event-1"}),
    rotation_ids=frozenset({"rotation-1"}),
)
CLOSED = replace(OPEN, state="closed")
RECOVERED = replace(CLOSED, outcome="recovered by AWS")
ESCALATED = replace(CLOSED, outcome="escalated", closed_at=AFTER)
OF_A_TEST = replace(ESCALATED, event_type="TestRotationFailed")
RESTARTED = Incident(ARN, OPEN.opened_at, "closed", "escalated", closed_at=AFTER)
HELD = replace(CLOSED, outcome="held", closed_at=AFTER)
RESTARTING = replace(OPEN, state="restarting")


def failure(event="event-2", rotation="rotation-2", at=AFTER, kind="RotationFailed"):
    return Heard(kind, "aws.secretsmanager", event, at, ARN, rotation)


def success(at=AFTER, kind="RotationSucceeded", version=None):
    return Heard(kind, "aws.secretsmanager", "event-9", at, ARN, "rotation-1", current_version_id=version)


@pytest.mark.parametrize(
    ("incident", "latest", "heard", "new_value_at", "does"),
    [
        pytest.param(None, None, failure(), "", Does.OPENS, id="the first ever"),
        pytest.param(None, None, failure(rotation=None), "", Does.OPENS, id="the first ever, of an unknown rotation"),
        pytest.param(OPEN, None, failure("event-1", "rotation-1"), "", Does.JOINS, id="a copy"),
        pytest.param(OPEN, None, failure(rotation="rotation-1"), "", Does.JOINS, id="AWS's own retry"),
        pytest.param(OPEN, None, failure(), "", Does.JOINS, id="another rotation"),
        pytest.param(OPEN, None, failure(at=EARLY), AFTER, Does.JOINS, id="out of order while it is open"),
        pytest.param(None, CLOSED, failure("event-1", None), "", Does.IS_LATE, id="a copy once it is closed"),
        pytest.param(None, RESTARTING, failure("event-1"), "", Does.IS_LATE, id="a copy while dependents restart"),
        pytest.param(None, CLOSED, failure(rotation="rotation-1"), "", Does.IS_LATE, id="a repeat once it is closed"),
        pytest.param(None, RECOVERED, failure("event-1"), AT, Does.IS_LATE, id="a copy once it has recovered"),
        pytest.param(None, RECOVERED, failure(rotation="rotation-1"), AT, Does.OPENS, id="fails though all was well"),
        pytest.param(None, CLOSED, failure(), "", Does.OPENS, id="the next rotation fails too"),
        pytest.param(None, CLOSED, failure(rotation=None), "", Does.OPENS, id="a later failure, rotation unknown"),
        pytest.param(None, CLOSED, failure(), AT, Does.OPENS, id="fails after a new value"),
        pytest.param(None, CLOSED, failure(at=BEFORE), AT, Does.IS_LATE, id="failed before the new value"),
        pytest.param(None, None, failure(at=BEFORE), AT, Does.IS_LATE, id="a success before its failure"),
        pytest.param(None, None, failure(at=AT), AT, Does.OPENS, id="in the same second: nothing may be lost"),
        pytest.param(None, CLOSED, failure(at=BEFORE), "", Does.IS_LATE, id="older than what was closed"),
        pytest.param(None, CLOSED, failure(at=AT), "", Does.OPENS, id="as old as what was closed"),
        pytest.param(
            None, ESCALATED, failure(at="2026-03-01T00:52:59Z"), "", Does.IS_LATE, id="somebody was paged for it"
        ),
        pytest.param(None, ESCALATED, failure(), "", Does.OPENS, id="fails after somebody was paged"),
        pytest.param(None, RESTARTED, failure(at=BEFORE), "", Does.OPENS, id="somebody was paged for a restart"),
        pytest.param(None, OF_A_TEST, failure(at=BEFORE), "", Does.OPENS, id="somebody was paged for a test"),
        pytest.param(
            None,
            OF_A_TEST,
            failure(at=BEFORE, kind="TestRotationFailed"),
            "",
            Does.IS_LATE,
            id="another test before it",
        ),
        pytest.param(None, HELD, failure(rotation="rotation-1"), "", Does.OPENS, id="a repeat of what was held"),
        pytest.param(
            None, CLOSED, failure(rotation="rotation-1", at=TOMORROW), "", Does.OPENS, id="the same rotation again"
        ),
    ],
)
def test_a_failure_opens_joins_or_is_late(incident, latest, heard, new_value_at, does):
    claimed = claim_failure(incident, latest, heard, new_value_at, NOW)

    assert claimed.does is does
    assert claimed.incident == (incident if does is Does.JOINS else latest if does is Does.IS_LATE else None)
    assert claimed.outcome is None


@pytest.mark.parametrize(("now", "does"), [(NOW - 1, Does.JOINS), (NOW, Does.JOINS), (NOW + 1, Does.REPLACES)])
def test_an_incident_whose_workflow_is_overdue_is_replaced(now, does):
    assert claim_failure(OPEN, None, failure(), "", now) == Claimed(does, OPEN)


@pytest.mark.parametrize(
    ("incident", "heard", "is_stuck", "does"),
    [
        pytest.param(None, success(), False, Does.PASSES, id="nothing is open"),
        pytest.param(OPEN, success(), False, Does.ENDS, id="a later success"),
        pytest.param(OPEN, success(), True, Does.ENDS, id="a later success, and the next rotation has begun"),
        pytest.param(OPEN, success(kind="Secret Label Updated", version="v2"), False, Does.ENDS, id="a moved label"),
        pytest.param(OPEN, success(at=BEFORE), False, Does.JOINS, id="a late success of an older rotation"),
        pytest.param(OPEN, success(at=AT), False, Does.ENDS, id="in the second of the failure, and nothing is stuck"),
        pytest.param(OPEN, success(at=AT), True, Does.JOINS, id="in the second of the failure, and it is stuck"),
        pytest.param(replace(OPEN, moved={"to": "v2"}), success(), False, Does.JOINS, id="our own move is heard"),
    ],
)
def test_a_new_value_ends_what_is_older(incident, heard, is_stuck, does):
    claimed = claim_success(incident, heard, is_stuck, NOW)

    assert (claimed.does, claimed.incident) == (does, incident)
    assert claimed.outcome == (Outcome.RECOVERED_BY_AWS if does is Does.ENDS else None)


def test_a_move_whose_workflow_has_died_is_ended_by_the_value_that_it_gave():
    moving = replace(OPEN, moved={"to": "v2"})

    assert claim_success(moving, success(), False, NOW).does is Does.JOINS
    assert claim_success(moving, success(), False, NOW + 1).does is Does.ENDS


def test_a_new_value_after_a_retry_is_the_retrys():
    assert claim_success(replace(OPEN, attempts=1), success(), False, NOW).outcome is Outcome.RECOVERED_BY_RETRY


def test_an_incident_is_read_out_of_its_row():
    row = {
        "secret_arn": ARN,
        "opened_at": OPEN.opened_at,
        "state": "open",
        "execution": "execution-1",
        "last_failure_at": AT,
        "alive_until": NOW,
        "attempts": 2,
        "moved": {"to": "v2"},
        "current_version_id": "v1",
        "event_ids": {"event-1"},
        "rotation_ids": {"rotation-1"},
        "reason": "another attribute",
    }

    assert Incident.of(row) == replace(OPEN, attempts=2, moved={"to": "v2"})
    assert Incident.of({"secret_arn": ARN, "opened_at": "then"}) == Incident(ARN, "then")
