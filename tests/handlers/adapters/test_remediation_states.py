"""What is stored about a secret between its incidents."""

import pytest

from handlers.adapters.remediation_states import RemediationStates
from rotation_guard.domain.remediation.remediation_state import RemediationState
from tests.handlers.scene import run_before

ARN, OTHER = (f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-Ab12Cd" for name in ("orders", "others"))
EARLY, AT, LATE = (f"2026-03-01T0{hour}:00:00Z" for hour in (1, 2, 3))


@pytest.fixture
def states(aws):
    aws.create_tables("incidents")
    return RemediationStates("incidents")


@pytest.fixture
def release(aws):
    """Releases the secret, as an operator does."""

    def write(at, **attributes):
        aws.put("incidents", {"secret_arn": f"secret#{ARN}", "opened_at": "standing", "released_at": at, **attributes})

    return write


def test_a_secret_without_a_row_has_the_default_state(states):
    state = states.read(ARN)

    assert state == RemediationState(ARN)
    assert state.is_suspended is False


@pytest.mark.parametrize("success_times", [(EARLY, AT, LATE), (LATE, AT, EARLY), (AT, LATE, AT), (LATE, LATE)])
def test_the_latest_success_is_kept_in_any_order_of_arrival(states, success_times):
    for at in success_times:
        states.record_success(ARN, at, is_verified=False)

    assert states.read(ARN) == RemediationState(ARN, succeeded_at=LATE)
    assert states.read(OTHER) == RemediationState(OTHER)


def test_an_older_success_that_arrives_concurrently_is_not_stored(aws, states):
    run_before(aws, "UpdateItem", lambda: states.record_success(ARN, LATE, is_verified=True))

    states.record_success(ARN, AT, is_verified=True)

    assert states.read(ARN) == RemediationState(ARN, succeeded_at=LATE, verified_at=LATE)


@pytest.mark.parametrize("success_times", [(EARLY, LATE), (LATE, EARLY)])
def test_an_unverified_success_keeps_the_latest_verified_one(states, success_times):
    for at in success_times:
        states.record_success(ARN, at, is_verified=at == EARLY)

    assert states.read(ARN) == RemediationState(ARN, succeeded_at=LATE, verified_at=EARLY)


@pytest.mark.parametrize("success_times", [(EARLY, AT, LATE), (LATE, AT, EARLY), (AT, LATE, AT)])
def test_the_latest_verified_success_is_kept_in_any_order_of_arrival(states, success_times):
    for at in success_times:
        states.record_success(ARN, at, is_verified=True)

    assert states.read(ARN) == RemediationState(ARN, succeeded_at=LATE, verified_at=LATE)


def test_a_suspended_secret_stays_suspended_after_a_success(states):
    states.record_success(ARN, EARLY, is_verified=True)
    states.suspend(ARN, AT)
    states.record_success(ARN, LATE, is_verified=True)

    assert states.read(ARN) == RemediationState(ARN, succeeded_at=LATE, verified_at=LATE, suspended_at=AT)
    assert states.read(ARN).is_suspended


@pytest.mark.parametrize(("released_at", "is_suspended"), [(EARLY, True), (AT, False), (LATE, False)])
def test_a_secret_is_suspended_until_it_is_released(states, release, released_at, is_suspended):
    release(released_at, orphaned_at=AT)

    assert states.read(ARN).is_suspended is is_suspended


def test_a_released_secret_can_be_suspended_again(states, release):
    release(AT, orphaned_at=EARLY)
    states.suspend(ARN, LATE)

    assert states.read(ARN).is_suspended
