"""The model of Secrets Manager's rotation, which the embedded AWS and the tests of remediation share."""

import pytest

from local.emulator import rotation_model
from local.emulator.rotation_model import CURRENT, PENDING, PREVIOUS, IncompleteRotation, Invoke, Rejection, Send
from rotation_guard.domain.rotation_event import STEPS

STUCK = {CURRENT: "a", PENDING: "b", PREVIOUS: "z"}
COMPLETE = {CURRENT: "b", PENDING: "b", PREVIOUS: "a"}


def run(*results, labels=COMPLETE, enabled=True):
    """The instructions of a rotation to version b whose steps have these results."""
    replies, instructions = iter(results), []
    rotation, reply = rotation_model.rotate("b", lambda: labels, lambda: enabled), None
    while instruction := rotation_model.advance(rotation, reply):
        instructions.append(instruction)
        reply = next(replies) if isinstance(instruction, Invoke) else None
    return instructions


def test_a_rotation_invokes_four_steps_and_succeeds():
    invocations = [Invoke(step) for step in STEPS]
    assert run(True, True, True, True) == [Send("RotationStarted"), *invocations, Send("RotationSucceeded")]


@pytest.mark.parametrize("failed", range(4))
def test_a_rotation_ends_at_the_step_that_fails(failed):
    instructions = run(*[True] * failed, False)
    assert instructions[-2:] == [Invoke(STEPS[failed]), Send("RotationFailed", STEPS[failed])]


def test_a_rotation_whose_steps_do_not_move_current_fails():
    assert run(True, True, True, True, labels=STUCK)[-1] == Send("RotationFailed", "finishSecret")


def test_a_rotation_that_is_turned_off_stops_without_an_event():
    assert run(enabled=False) == [Send("RotationStarted")]


@pytest.mark.parametrize(
    ("labels", "version"),
    [(STUCK, "b"), (COMPLETE, None), ({CURRENT: "a"}, None), ({PENDING: "b"}, "b"), ({}, None)],
)
def test_a_rotation_is_incomplete_while_pending_is_not_current(labels, version):
    assert rotation_model.find_incomplete_version(labels) == version


def test_rotate_secret_is_rejected_as_by_aws():
    allowed = {"is_deleted": False, "has_function": True}
    rotation_model.check_rotation(COMPLETE, **allowed)
    with pytest.raises(IncompleteRotation, match="isn't complete") as incomplete:
        rotation_model.check_rotation(STUCK, **allowed)
    assert incomplete.value.version == "b"
    for change, code in (
        ({"is_deleted": True}, "InvalidRequestException"),
        ({"has_function": False}, "InvalidRequestException"),
        ({"may_invoke": False}, "AccessDeniedException"),
    ):
        with pytest.raises(Rejection) as rejected:
            rotation_model.check_rotation(COMPLETE, **(allowed | change))
        assert rejected.value.code == code


@pytest.mark.parametrize(
    ("to", "away_from", "code"),
    [
        ("b", "a", None),
        ("a", "a", None),
        ("a", None, None),
        ("b", None, "InvalidParameterException"),
        ("b", "z", "InvalidParameterException"),
        ("a", "z", "InvalidParameterException"),
        (None, "a", "InvalidParameterException"),
        ("unknown", "a", "ResourceNotFoundException"),
    ],
)
def test_current_moves_only_from_the_version_that_has_it(to, away_from, code):
    if code is None:
        rotation_model.check_move(STUCK, "abz", CURRENT, to, away_from)
        return
    with pytest.raises(Rejection) as rejected:
        rotation_model.check_move(STUCK, "abz", CURRENT, to, away_from)
    assert rejected.value.code == code


def test_previous_follows_current():
    assert rotation_model.move_label(STUCK, CURRENT, "b") == COMPLETE
    assert rotation_model.move_label(STUCK, "candidate", "b") == {**STUCK, "candidate": "b"}
