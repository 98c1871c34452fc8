"""Secrets Manager, and the databases whose passwords it rotates, as section 2 of docs/aws-facts.md says they behave.

A database knows one password for each user, so that whether a version works is a fact here, which a probe may or may
not tell. A rotation is carried out by AWS when the test says so, and not when it is asked for.
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
from tests.remediation.clock import Clock
from tests.remediation.refusals import refused

CREATE, SET, TEST, FINISH = STEPS

Tell = Callable[..., None]
"""Takes what happened to a secret: its ARN, the kind, and what else the event of it says."""


@dataclass
class Version:
    """One version; it may be there before its value is."""

    created: datetime
    user: str = ""
    password: str = ""

    @property
    def has_value(self) -> bool:
        return bool(self.password)


@dataclass
class Fault:
    """Why a rotation fails: at this step, before or after the step has done what it does, so many times."""

    step: str
    after: bool
    times: int
    is_named: bool = True
    """Whether AWS says at which step; of a time-out it does not."""


@dataclass
class Secret:
    """One secret with its database."""

    arn: str
    tags: dict[str, str]
    users: str = "single"
    more: dict[str, Any] = field(default_factory=dict)
    """What else DescribeSecret says, such as OwningService."""
    rotation_on: bool = True
    has_function: bool = True
    versions: dict[str, Version] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """Label -> the one version that it is on."""
    live: dict[str, str] = field(default_factory=dict)
    """User -> the password that the database takes."""
    last_rotated_at: datetime | None = None
    deleted_at: datetime | None = None
    is_gone: bool = False
    denies_description: bool = False
    """Whether its own policy denies DescribeSecret."""
    rotation: str = ""
    """The version that a rotation which is not over is making."""
    known_as: str = ""
    """What the events of that rotation share: the version's id, until it is given up and begun once more."""
    is_asked: bool = False
    """Whether somebody has asked AWS to go on with it."""
    fault: Fault | None = None
    moved_at: list[datetime] = field(default_factory=list)
    """When AWSCURRENT moved, whoever did it."""
    verified_at: list[datetime] = field(default_factory=list)
    """When a new value came into use that the database takes, whoever moved the label, and when AWS completed a
    rotation: what a repair may at most be told to have achieved."""

    @property
    def name(self) -> str:
        return self.arn.partition(":secret:")[2][:-7]

    @property
    def is_stuck(self) -> bool:
        """Whether AWSPENDING is on a version that is not the current one."""
        return rotation_model.find_incomplete_version(self.labels) is not None

    def works(self, version: str) -> bool:
        """Whether the database lets the version's user in."""
        value = self.versions[version]
        return value.has_value and self.live.get(value.user) == value.password

    def labels_of(self, version: str) -> list[str]:
        return [label for label, holder in self.labels.items() if holder == version]


class SecretsManager:
    """The secrets of an account: the calls that we make, and what AWS does by itself."""

    def __init__(self, clock: Clock, tell: Tell) -> None:
        self._clock, self._tell = clock, tell
        self._made = 0
        self.secrets: dict[str, Secret] = {}

    def add(self, secret: Secret) -> Secret:
        """A secret whose value was rotated twice before, so that AWSPREVIOUS is there and dead, as it is in life."""
        users = ["app", "app"] if secret.users == "single" else ["app", "app_clone"]
        for label, user in zip((PREVIOUS, CURRENT), users, strict=True):
            version = self._new_version(secret)
            secret.versions[version] = Version(self._clock.now, user, self._new_password())
            secret.labels[label] = version
            secret.live[user] = secret.versions[version].password
        self.secrets[secret.arn] = secret
        return secret

    # --- what we call ---

    def describe_secret(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked)
        if secret.denies_description:
            raise refused("AccessDeniedException", "with an explicit deny in a resource-based policy")
        known: dict[str, Any] = {
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
        return {name: value for name, value in known.items() if value is not None}

    def list_secret_version_ids(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked)
        versions = [
            {"VersionId": version, "VersionStages": secret.labels_of(version), "CreatedDate": value.created}
            for version, value in secret.versions.items()
            if secret.labels_of(version)
        ]
        return {"ARN": secret.arn, "Name": secret.name, "Versions": versions}

    def rotate_secret(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked)
        try:
            rotation_model.check_rotation(
                secret.labels, is_deleted=secret.deleted_at is not None, has_function=secret.has_function
            )
        except Rejection as rejection:
            secret.is_asked |= isinstance(rejection, IncompleteRotation)
            raise refused(rejection.code, rejection.message) from None
        secret.is_asked = True
        secret.rotation_on = True
        self._begin(secret)
        return {"ARN": secret.arn, "Name": secret.name, "VersionId": secret.rotation}

    def update_secret_version_stage(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret, label = self._found(asked), asked["VersionStage"]
        to, away_from = asked.get("MoveToVersionId"), asked.get("RemoveFromVersionId")
        try:
            rotation_model.check_deletion(secret.deleted_at is not None)
            rotation_model.check_move(secret.labels, secret.versions, label, to, away_from)
        except Rejection as rejection:
            raise refused(rejection.code, rejection.message) from None
        assert to is not None
        self._move(secret, label, to)
        return {"ARN": secret.arn, "Name": secret.name}

    # --- what AWS and people do ---

    def start_rotation(self, arn: str) -> None:
        """The schedule, or somebody, begins a rotation, or goes on with one that is stuck."""
        secret = self.secrets[arn]
        if secret.deleted_at or secret.is_gone:
            return
        secret.is_asked = True
        if not secret.is_stuck:
            self._begin(secret)

    def go_on(self, arn: str) -> None:
        """AWS calls the rotation function for its four steps: because it was asked to, or by itself."""
        secret = self.secrets[arn]
        secret.is_asked = False
        if secret.rotation not in (secret.labels.get(PENDING), secret.labels[CURRENT]):
            secret.rotation = ""  # Its label has gone, and another hand has moved on what it had finished.
        if not secret.rotation or secret.deleted_at or secret.is_gone:
            return
        rotation = rotation_model.rotate(secret.rotation, lambda: secret.labels, lambda: True)
        succeeded = None
        while instruction := rotation_model.advance(rotation, succeeded):
            succeeded = None
            if isinstance(instruction, Invoke):
                succeeded = self._runs(secret, instruction.step)
            elif instruction.event == SUCCEEDED:
                secret.rotation = ""
                secret.last_rotated_at = self._clock.now
                secret.verified_at.append(self._clock.now)
                self._tell(arn, SUCCEEDED, rotation=secret.known_as)
            elif instruction.event != STARTED:
                named = secret.fault is None or secret.fault.is_named
                step = instruction.failed_step if named else None
                self._tell(arn, instruction.event, rotation=secret.known_as, step=step)

    def abandon(self, arn: str) -> None:
        """AWS gives a rotation up, and leaves everything as it is."""
        secret = self.secrets[arn]
        if secret.rotation and secret.is_stuck:
            secret.is_asked = False
            self._tell(arn, "RotationAbandoned", rotation=secret.known_as)
            secret.known_as = self._new_version(secret)

    def move_by_hand(self, arn: str, to: str) -> None:
        """Somebody moves AWSCURRENT, in the console."""
        secret = self.secrets[arn]
        if to != secret.labels[CURRENT] and not secret.deleted_at and not secret.is_gone:
            self._move(secret, CURRENT, to)

    def _runs(self, secret: Secret, step: str) -> bool:
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
            takes_turns = secret.users == "alternating"
            pending.user = ("app_clone" if current.user == "app" else "app") if takes_turns else current.user
            pending.password = self._new_password()
        return True

    def _set(self, secret: Secret) -> bool:
        """The next password is set with whatever login works: a single user's own, or else an administrator's."""
        pending = secret.versions[secret.rotation]
        if secret.labels[CURRENT] == secret.rotation or secret.works(secret.rotation):
            return True
        if secret.users == "single" and not any(secret.works(secret.labels[label]) for label in (CURRENT, PREVIOUS)):
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

    def _begin(self, secret: Secret) -> None:
        secret.rotation = secret.known_as = self._new_version(secret)
        secret.versions[secret.rotation] = Version(self._clock.now)
        secret.labels[PENDING] = secret.rotation

    def _move(self, secret: Secret, label: str, to: str) -> None:
        is_first = label not in secret.labels
        secret.labels = rotation_model.move_label(secret.labels, label, to)
        if label == CURRENT and not is_first:
            secret.moved_at.append(self._clock.now)
            if secret.works(to):
                secret.verified_at.append(self._clock.now)
            self._tell(secret.arn, "Secret Label Updated", version=to)

    def _found(self, asked: dict[str, Any]) -> Secret:
        secret = self.secrets.get(asked["SecretId"])
        if secret is None or secret.is_gone:
            raise refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return secret

    def _new_version(self, secret: Secret) -> str:
        self._made += 1
        return f"{self._made:08x}-0000-4000-8000-{abs(hash_of(secret.arn)):012x}"

    def _new_password(self) -> str:
        self._made += 1
        return f"CANARY-password-{self._made}"


def hash_of(text: str) -> int:
    """A number for a text, the same in every run."""
    return sum(ord(letter) * 131**index for index, letter in enumerate(text)) % 16**12


def _function_of(secret: Secret) -> str:
    kind = "SingleUser" if secret.users == "single" else "MultiUser"
    return f"arn:aws:lambda:eu-west-1:123456789012:function:SecretsManagerRotation{kind}"
