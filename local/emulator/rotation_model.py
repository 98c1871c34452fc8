"""Models how Secrets Manager rotates a secret: staging labels, errors, steps and events. Pure.

The embedded AWS and the tests of remediation share this model; section 2 of docs/aws-facts.md has its sources.
"""

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass

from rotation_guard.domain.rotation_event import STEPS

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
STARTED, FAILED, SUCCEEDED = "RotationStarted", "RotationFailed", "RotationSucceeded"

NO_FUNCTION = "No Lambda rotation function ARN is associated with this secret."
NO_PERMISSION = (
    "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the "
    "principal secretsmanager.amazonaws.com."
)
INCOMPLETE = "A previous rotation isn't complete. That rotation will be reattempted."
MARKED_FOR_DELETION = "You can't perform this operation on the secret because it was marked for deletion."

Labels = Mapping[str, str]
"""Staging label -> the version that it is attached to."""


class Rejection(Exception):
    """A call that AWS rejects."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class IncompleteRotation(Rejection):
    """A RotateSecret call that is rejected, and makes AWS retry the rotation of this version."""

    def __init__(self, version: str) -> None:
        super().__init__("InvalidRequestException", INCOMPLETE)
        self.version = version


def find_incomplete_version(labels: Labels) -> str | None:
    """Return the version of a running or failed rotation: it has AWSPENDING but not AWSCURRENT."""
    pending = labels.get(PENDING)
    return None if pending == labels.get(CURRENT) else pending


def check_deletion(is_deleted: bool) -> None:
    """Raise Rejection for a change of a secret that is marked for deletion."""
    if is_deleted:
        raise Rejection("InvalidRequestException", MARKED_FOR_DELETION)


def check_rotation(labels: Labels, *, is_deleted: bool, has_function: bool, may_invoke: bool = True) -> None:
    """Raise Rejection when RotateSecret is rejected, IncompleteRotation when it also retries a rotation."""
    check_deletion(is_deleted)
    if not has_function:
        raise Rejection("InvalidRequestException", NO_FUNCTION)
    if not may_invoke:
        raise Rejection("AccessDeniedException", NO_PERMISSION)
    if version := find_incomplete_version(labels):
        raise IncompleteRotation(version)


def check_move(labels: Labels, versions: Collection[str], label: str, to: str | None, away_from: str | None) -> None:
    """Raise Rejection when UpdateSecretVersionStage is rejected: the version with the label must be named.

    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html; the messages are
    from public reports of rejected calls.)
    """
    holder, invalid = labels.get(label), "InvalidParameterException"
    if label == CURRENT and not to:
        raise Rejection(
            invalid,
            f"You can only move staging label {label} to a different secret version. It can't be completely removed.",
        )
    for version in (to, away_from):
        if version and version not in versions:
            raise Rejection(
                "ResourceNotFoundException", f"Secrets Manager can't find the specified secret version: {version}."
            )
    if away_from == holder or (to == holder and not away_from):
        return
    if not away_from:
        raise Rejection(
            invalid,
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
            f"{holder}, so you must explicitly reference that version in RemoveFromVersionId.",
        )
    raise Rejection(
        invalid,
        f"When you move staging label {label}, if you specify RemoveFromVersionId, it must be set to the version that "
        f"currently has the staging label {label}.",
    )


def move_label(labels: Labels, label: str, to: str) -> dict[str, str]:
    """Return the labels after a move: AWSPREVIOUS goes to the version that AWSCURRENT leaves."""
    moved = {**labels, label: to}
    if label == CURRENT and CURRENT in labels:
        moved[PREVIOUS] = labels[CURRENT]
    return moved


@dataclass(frozen=True)
class Invoke:
    """An instruction to invoke the rotation function for a step; the reply is whether it succeeded."""

    step: str


@dataclass(frozen=True)
class Send:
    """An instruction to send an event of the rotation."""

    event: str
    failed_step: str | None = None


Rotation = Generator[Invoke | Send, bool | None, None]
"""The instructions of a rotation, in order; `advance` reads them."""


def rotate(version: str, read_labels: Callable[[], Labels], is_enabled: Callable[[], bool]) -> Rotation:
    """Yield the instructions of the rotation to this version.

    It stops without an event when rotation is turned off, and fails when the steps did not move AWSCURRENT.
    """
    yield Send(STARTED)
    for step in STEPS:
        if not is_enabled():
            return
        if not (yield Invoke(step)):
            yield Send(FAILED, step)
            return
    is_finished = read_labels().get(CURRENT) == version
    yield Send(SUCCEEDED) if is_finished else Send(FAILED, STEPS[-1])


def advance(rotation: Rotation, succeeded: bool | None = None) -> Invoke | Send | None:
    """Return the next instruction, or None at the end; `succeeded` is the result of the last invocation, if any."""
    try:
        return rotation.send(succeeded)
    except StopIteration:
        return None
