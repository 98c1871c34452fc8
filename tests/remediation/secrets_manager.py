"""Secrets Manager, and the databases whose passwords it rotates, as section 2 of docs/aws-facts.md says they behave.

A database accepts one password for each user, so the model knows whether a version works; a probe may say otherwise.
AWS carries out a rotation when the test says so, and not when it is requested.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.emulator import rotation_model
from local.emulator.rotation_model import (
    CURRENT,
    PENDING,
    PREVIOUS,
    STARTED,
    SUCCEEDED,
    IncompleteRotation,
    Invoke,
    Rejection,
)
from rotation_guard.domain.rotation_event import STEPS
from tests.remediation.client_errors import client_error
from tests.remediation.clock import Clock

CREATE, SET, TEST, FINISH = STEPS

Emit = Callable[..., None]
"""Receives an event of a secret: its ARN, its kind, and further fields of the event."""


@dataclass
class Version:
    """One version, which may exist before it has a value."""

    created: datetime
    user: str = ""
    password: str = ""

    @property
    def has_value(self) -> bool:
        return bool(self.password)


@dataclass
class Fault:
    """Makes a rotation fail at this step, before or after the step has taken effect, this many times."""

    step: str
    after: bool
    times: int
    is_named: bool = True
    """Whether the event names the step; after a time-out it does not."""


@dataclass
class Secret:
    """One secret with its database."""

    arn: str
    tags: dict[str, str]
    rotation_strategy: str = "single"
    """`single` or `alternating` users."""
    more: dict[str, Any] = field(default_factory=dict)
    """Further fields of DescribeSecret, such as OwningService."""
    rotation_on: bool = True
    has_function: bool = True
    versions: dict[str, Version] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """Label -> version id."""
    live: dict[str, str] = field(default_factory=dict)
    """User -> the password that the database accepts."""
    last_rotated_at: datetime | None = None
    deleted_at: datetime | None = None
    is_gone: bool = False
    denies_description: bool = False
    """Whether its own policy denies DescribeSecret."""
    rotation: str = ""
    """The version that an unfinished rotation is creating."""
    rotation_id: str = ""
    """The id in the events of that rotation: the version id, unless the rotation was abandoned and restarted."""
    is_requested: bool = False
    """Whether AWS was asked to start or continue it."""
    fault: Fault | None = None
    moved_at: list[datetime] = field(default_factory=list)
    """When AWSCURRENT moved, whoever moved it."""
    verified_at: list[datetime] = field(default_factory=list)
    """When AWSCURRENT moved to a version that works, whoever moved it, and when AWS completed a rotation: the only
    verified successes."""

    @property
    def name(self) -> str:
        return self.arn.partition(":secret:")[2][:-7]

    @property
    def is_stuck(self) -> bool:
        """Whether AWSPENDING is on a version that is not the current one."""
        return rotation_model.find_incomplete_version(self.labels) is not None

    def works(self, version: str) -> bool:
        """Whether the database accepts the version's password."""
        value = self.versions[version]
        return value.has_value and self.live.get(value.user) == value.password

    def labels_of(self, version: str) -> list[str]:
        return [label for label, holder in self.labels.items() if holder == version]


class SecretsManager:
    """The secrets of an account: the calls that the product makes, and what AWS does by itself."""

    def __init__(self, clock: Clock, emit: Emit) -> None:
        self._clock, self._emit = clock, emit
        self._last_number = 0
        self.secrets: dict[str, Secret] = {}

    def add(self, secret: Secret) -> Secret:
        """Adds a secret that has an AWSPREVIOUS, whose password no longer works, as after a rotation."""
        users = ["app", "app"] if secret.rotation_strategy == "single" else ["app", "app_clone"]
        for label, user in zip((PREVIOUS, CURRENT), users, strict=True):
            version = self._new_version(secret)
            secret.versions[version] = Version(self._clock.now, user, self._new_password())
            secret.labels[label] = version
            secret.live[user] = secret.versions[version].password
        self.secrets[secret.arn] = secret
        return secret

    # --- the product's calls ---

    def describe_secret(self, request: dict[str, Any]) -> dict[str, Any]:
        secret = self._get_secret(request)
        if secret.denies_description:
            raise client_error("AccessDeniedException", "with an explicit deny in a resource-based policy")
        description: dict[str, Any] = {
            "ARN": secret.arn,
            "Name": secret.name,
            "RotationEnabled": secret.rotation_on,
            "LastRotatedDate": secret.last_rotated_at,
            "DeletedDate": secret.deleted_at,
            "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()],
            "VersionIdsToStages": {
                version: secret.labels_of(version) for version in secret.versions if secret.labels_of(version)
            },
            "RotationLambdaARN": _function_of(secret) if secret.has_function else None,
            **secret.more,
        }
        return {name: value for name, value in description.items() if value is not None}

    def list_secret_version_ids(self, request: dict[str, Any]) -> dict[str, Any]:
        secret = self._get_secret(request)
        versions = [
            {"VersionId": version, "VersionStages": secret.labels_of(version), "CreatedDate": value.created}
            for version, value in secret.versions.items()
            if secret.labels_of(version)
        ]
        return {"ARN": secret.arn, "Name": secret.name, "Versions": versions}

    def rotate_secret(self, request: dict[str, Any]) -> dict[str, Any]:
        secret = self._get_secret(request)
        try:
            rotation_model.check_rotation(
                secret.labels, is_deleted=secret.deleted_at is not None, has_function=secret.has_function
            )
        except Rejection as rejection:
            secret.is_requested |= isinstance(rejection, IncompleteRotation)
            raise client_error(rejection.code, rejection.message) from None
        secret.is_requested = True
        secret.rotation_on = True
        self._start_rotation(secret)
        return {"ARN": secret.arn, "Name": secret.name, "VersionId": secret.rotation}

    def update_secret_version_stage(self, request: dict[str, Any]) -> dict[str, Any]:
        secret, label = self._get_secret(request), request["VersionStage"]
        to, away_from = request.get("MoveToVersionId"), request.get("RemoveFromVersionId")
        try:
            rotation_model.check_deletion(secret.deleted_at is not None)
            rotation_model.check_move(secret.labels, secret.versions, label, to, away_from)
        except Rejection as rejection:
            raise client_error(rejection.code, rejection.message) from None
        assert to is not None
        self._move(secret, label, to)
        return {"ARN": secret.arn, "Name": secret.name}

    # --- AWS and operators ---

    def start_rotation(self, arn: str) -> None:
        """The schedule or an operator starts a rotation, or requests that a stuck one continues."""
        secret = self.secrets[arn]
        if secret.deleted_at or secret.is_gone:
            return
        secret.is_requested = True
        if not secret.is_stuck:
            self._start_rotation(secret)

    def continue_rotation(self, arn: str) -> None:
        """AWS invokes the rotation function for its four steps: on request, or by itself."""
        secret = self.secrets[arn]
        secret.is_requested = False
        if secret.rotation not in (secret.labels.get(PENDING), secret.labels[CURRENT]):
            secret.rotation = ""  # AWSPENDING was removed, and somebody has moved AWSCURRENT away from the new version.
        if not secret.rotation or secret.deleted_at or secret.is_gone:
            return
        rotation = rotation_model.rotate(secret.rotation, lambda: secret.labels, lambda: True)
        succeeded = None
        while instruction := rotation_model.advance(rotation, succeeded):
            succeeded = None
            if isinstance(instruction, Invoke):
                succeeded = self._run_step(secret, instruction.step)
            elif instruction.event == SUCCEEDED:
                secret.rotation = ""
                secret.last_rotated_at = self._clock.now
                secret.verified_at.append(self._clock.now)
                self._emit(arn, SUCCEEDED, rotation=secret.rotation_id)
            elif instruction.event != STARTED:
                named = secret.fault is None or secret.fault.is_named
                step = instruction.failed_step if named else None
                self._emit(arn, instruction.event, rotation=secret.rotation_id, step=step)

    def abandon(self, arn: str) -> None:
        """AWS abandons a rotation, and leaves the labels as they are."""
        secret = self.secrets[arn]
        if secret.rotation and secret.is_stuck:
            secret.is_requested = False
            self._emit(arn, "RotationAbandoned", rotation=secret.rotation_id)
            secret.rotation_id = self._new_version(secret)

    def move_by_hand(self, arn: str, to: str) -> None:
        """An operator moves AWSCURRENT in the console."""
        secret = self.secrets[arn]
        if to != secret.labels[CURRENT] and not secret.deleted_at and not secret.is_gone:
            self._move(secret, CURRENT, to)

    def _run_step(self, secret: Secret, step: str) -> bool:
        """Run a step as AWS's own rotation functions do; return whether it succeeded."""
        run = dict(zip(STEPS, (self._create, self._set, self._test, self._finish), strict=True))[step]
        fault = secret.fault if secret.fault and secret.fault.step == step and secret.fault.times > 0 else None
        if fault:
            fault.times -= 1
        if fault and not fault.after:
            return False
        return run(secret) and fault is None

    def _create(self, secret: Secret) -> bool:
        pending, current = secret.versions[secret.rotation], secret.versions[secret.labels[CURRENT]]
        if not pending.has_value:
            is_alternating = secret.rotation_strategy == "alternating"
            pending.user = ("app_clone" if current.user == "app" else "app") if is_alternating else current.user
            pending.password = self._new_password()
        return True

    def _set(self, secret: Secret) -> bool:
        """Sets the new password with a login that works: the single user's own, or else an administrator's."""
        pending = secret.versions[secret.rotation]
        if secret.labels[CURRENT] == secret.rotation or secret.works(secret.rotation):
            return True
        if secret.rotation_strategy == "single" and not any(
            secret.works(secret.labels[label]) for label in (CURRENT, PREVIOUS)
        ):
            return False
        secret.live[pending.user] = pending.password
        return True

    def _test(self, secret: Secret) -> bool:
        return secret.works(secret.rotation)

    def _finish(self, secret: Secret) -> bool:
        if secret.labels[CURRENT] != secret.rotation:
            self._move(secret, CURRENT, secret.rotation)
        if secret.labels.get(PENDING) == secret.rotation:
            del secret.labels[PENDING]
        return True

    def _start_rotation(self, secret: Secret) -> None:
        secret.rotation = secret.rotation_id = self._new_version(secret)
        secret.versions[secret.rotation] = Version(self._clock.now)
        secret.labels[PENDING] = secret.rotation

    def _move(self, secret: Secret, label: str, to: str) -> None:
        is_first = label not in secret.labels
        secret.labels = rotation_model.move_label(secret.labels, label, to)
        if label == CURRENT and not is_first:
            secret.moved_at.append(self._clock.now)
            if secret.works(to):
                secret.verified_at.append(self._clock.now)
            self._emit(secret.arn, "Secret Label Updated", version=to)

    def _get_secret(self, request: dict[str, Any]) -> Secret:
        secret = self.secrets.get(request["SecretId"])
        if secret is None or secret.is_gone:
            raise client_error("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return secret

    def _new_version(self, secret: Secret) -> str:
        self._last_number += 1
        return f"{self._last_number:08x}-0000-4000-8000-{abs(hash_of(secret.arn)):012x}"

    def _new_password(self) -> str:
        self._last_number += 1
        return f"CANARY-password-{self._last_number}"


def hash_of(text: str) -> int:
    """A hash of a text that is the same in every run."""
    return sum(ord(letter) * 131**index for index, letter in enumerate(text)) % 16**12


def _function_of(secret: Secret) -> str:
    kind = "SingleUser" if secret.rotation_strategy == "single" else "MultiUser"
    return f"arn:aws:lambda:eu-west-1:123456789012:function:SecretsManagerRotation{kind}"
