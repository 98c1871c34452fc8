"""What is remembered of a secret between its incidents."""

import pytest

from handlers.adapters.remediation_states import RemediationStates
from rotation_guard.domain.remediation.remediation_state import RemediationState
from tests.handlers.scene import once

ARN, OTHER = (f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-Ab12Cd" for name in ("orders", "others"))
EARLY, AT, LATE = (f"2026-03-01T0{hour}:00:00Z" for hour in (1, 2, 3))


@pytest.fixture
def standings(aws):
    aws.create_tables("incidents")
    return RemediationStates("incidents")


@pytest.fixture
def release(aws):
    """Somebody releases the secret."""

    def write(at, **rest):
        aws.put("incidents", {"secret_arn": f"secret#{ARN}", "opened_at": "standing", "released_at": at, **rest})

    return write


def test_of_a_secret_that_nothing_has_happened_to_nothing_is_known(standings):
    standing = standings.read(ARN)

    assert standing == RemediationState(ARN)
    assert standing.is_suspended is False


@pytest.mark.parametrize("told", [(EARLY, AT, LATE), (LATE, AT, EARLY), (AT, LATE, AT), (LATE, LATE)])
def test_the_latest_success_is_known_whatever_order_they_are_told_in(standings, told):
    for at in told:
        standings.record_success(ARN, at, is_verified=False)

    assert standings.read(ARN) == RemediationState(ARN, succeeded_at=LATE)
    assert standings.read(OTHER) == RemediationState(OTHER)


def test_an_older_success_that_is_told_at_once_is_not_remembered(aws, standings):
    once(aws, "UpdateItem", lambda: standings.record_success(ARN, LATE, is_verified=True))

    standings.record_success(ARN, AT, is_verified=True)

    assert standings.read(ARN) == RemediationState(ARN, succeeded_at=LATE, verified_at=LATE)


@pytest.mark.parametrize("told", [(EARLY, LATE), (LATE, EARLY)])
def test_a_success_that_nobody_verified_leaves_the_latest_one_that_was(standings, told):
    for at in told:
        standings.record_success(ARN, at, is_verified=at == EARLY)

    assert standings.read(ARN) == RemediationState(ARN, succeeded_at=LATE, verified_at=EARLY)


@pytest.mark.parametrize("told", [(EARLY, AT, LATE), (LATE, AT, EARLY), (AT, LATE, AT)])
def test_the_latest_verified_success_is_known_whatever_order_they_are_told_in(standings, told):
    for at in told:
        standings.record_success(ARN, at, is_verified=True)

    assert standings.read(ARN) == RemediationState(ARN, succeeded_at=LATE, verified_at=LATE)


def test_a_secret_that_is_left_alone_is_so_whatever_succeeds(standings):
    standings.record_success(ARN, EARLY, is_verified=True)
    standings.suspend(ARN, AT)
    standings.record_success(ARN, LATE, is_verified=True)

    assert standings.read(ARN) == RemediationState(ARN, succeeded_at=LATE, verified_at=LATE, suspended_at=AT)
    assert standings.read(ARN).is_suspended


@pytest.mark.parametrize(("released_at", "is_orphaned"), [(EARLY, True), (AT, False), (LATE, False)])
def test_it_is_so_until_it_is_released(standings, release, released_at, is_orphaned):
    release(released_at, orphaned_at=AT)

    assert standings.read(ARN).is_suspended is is_orphaned


def test_what_was_released_may_be_left_alone_again(standings, release):
    release(AT, orphaned_at=EARLY)
    standings.suspend(ARN, LATE)

    assert standings.read(ARN).is_suspended
