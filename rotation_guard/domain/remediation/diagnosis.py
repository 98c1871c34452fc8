"""What is true of a secret whose rotation failed: labels, dates and tags, and never a value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from ..ownership import describe_owner, is_replica
from ..rotation_event import TEST_ROTATION_FAILED, secret_name_of
from ..secret import ListedSecret
from ..timestamps import to_iso
from .decisions import Mode

MODE_TAG = "rotation-guard:remediation"
PROBE_TAG = "rotation-guard:probe"
FALLBACK_TAG = "rotation-guard:fallback"
RESTART_TAG = "rotation-guard:restart"
RESTART_ON_TAG = "rotation-guard:restart-on"
USERS_TAG = "rotation-guard:users"
_MODES = tuple(Mode)
_USERS = {"singleuser": "single", "multiuser": "alternating", "alternating": "alternating"}
"""How the names of AWS's own rotation functions tell the strategy
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_available-rotation-templates.html)."""

UNKNOWN_SECRET = "Secrets Manager does not know it: it is gone."  # noqa: S105 - a sentence
"""ResourceNotFoundException of DescribeSecret."""
MARKED_FOR_DELETION = "It is marked for deletion."
REPLICA = "It is a replica:"
"""How the sentence about a replica begins."""
UNREADABLE_SECRET = "It may not be looked at: access denied, perhaps by its own policy."  # noqa: S105 - a sentence
"""AccessDeniedException of DescribeSecret."""


@dataclass(frozen=True)
class DescribedSecret:
    """A secret as DescribeSecret answers, with every labelled version."""

    secret: ListedSecret
    versions: Mapping[str, tuple[str, ...]]
    """Version id -> its labels."""
    rotation_function: str | None = None


@dataclass(frozen=True)
class UnreadableSecret:
    """A secret that cannot be looked at."""

    reason: str
    """Why, in a sentence."""


@dataclass(frozen=True)
class Diagnosis:
    """What the decision rests on, but for what a probe says. Versions are ids."""

    secret_arn: str
    name: str
    versions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    current: str | None = None
    pending: str | None = None
    """The version that holds AWSPENDING and not AWSCURRENT: a rotation that is under way, or stuck."""
    previous: str | None = None
    created: Mapping[str, str] = field(default_factory=dict)
    """Version -> when it was made, ISO 8601."""
    pending_has_value: str = "unknown"
    """`yes` or `unknown`: no metadata says that a version is empty."""
    users: str = "unknown"
    """`single`, `alternating` or `unknown`."""
    failed_step: str | None = None
    rotation_on: bool = False
    rotation_function: str | None = None
    last_rotated_at: str | None = None
    """When AWS last completed a rotation, ISO 8601, where it says."""
    untouchable: str = ""
    """Why the secret is not to be touched, whatever it opts in to."""
    mode: str = Mode.NOTIFY
    mode_note: str = ""
    """Why it is no more than that."""
    probe: str = ""
    """The function that can tell which version works."""
    probe_note: str = ""
    """Why there is none."""
    fallback: bool = False
    test_only: bool = False
    """Whether only the test of a rotation failed, so that nothing was rotated."""
    restart_on_rotation: bool = False
    restarts: Sequence[Mapping[str, str]] = ()
    """Which dependents its tag names, as `restarts.plan` writes them."""

    def as_dict(self) -> dict[str, Any]:
        """As it goes from step to step."""
        return asdict(self)

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Self:
        """The diagnosis that `as_dict` has written, perhaps by another version of the product."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in written.items() if name in known})


def unreadable_diagnosis(secret_arn: str, why: UnreadableSecret) -> Diagnosis:
    """What can be said of a secret that cannot be looked at."""
    return Diagnosis(secret_arn, secret_name_of(secret_arn), untouchable=why.reason)


def find_unsupported_reason(secret: ListedSecret) -> str:
    """Why nobody but its owner may repair this secret, in a sentence; empty where we may."""
    if secret.deleted_at is not None:
        return MARKED_FOR_DELETION
    if owner := describe_owner(secret):
        return owner
    if is_replica(secret):
        return f"{REPLICA} its primary is in {secret.primary_region}, and is repaired there."
    return ""


def effective_mode(secret: ListedSecret, cap: str) -> tuple[Mode, str]:
    """How far the secret's tag and the stack allow to go, and why no further."""
    # To the letter, as IAM reads it.
    tag = secret.tags.get(MODE_TAG, "")
    if not tag.strip():
        return Mode.NOTIFY, f"It has no tag {MODE_TAG}, so it is told and never touched."
    if tag not in _MODES:
        return Mode.NOTIFY, f"Its tag {MODE_TAG} says neither retry nor repair, so it is told and never touched."
    if _MODES.index(Mode(tag)) > _MODES.index(Mode(cap)):
        return Mode(cap), f"Its tag {MODE_TAG} allows {tag}; the stack's remediationMode allows no more than {cap}."
    return Mode(tag), ""


def users(secret: ListedSecret, rotation_function: str | None) -> str:
    """Whether one user's password is changed in place, or two users take turns: by the tag, or the function's name."""
    tag = secret.tags.get(USERS_TAG, "").strip().lower()
    if tag in _USERS.values():
        return tag
    name = re.sub(r"[-_]", "", (rotation_function or "").split(":function:", 1)[-1].lower())
    return next((strategy for part, strategy in _USERS.items() if part in name), "unknown")


def probe_function(secret: ListedSecret, allowed: Sequence[str]) -> tuple[str, str]:
    """The ARN of the function that its tag names, by name or ARN, and why there is none."""
    tag = secret.tags.get(PROBE_TAG, "").strip()
    if not tag:
        return "", f"It has no tag {PROBE_TAG}, so nothing can prove which version works."
    found = next((arn for arn in allowed if tag == arn or tag == arn.split(":function:", 1)[-1]), "")
    return found, "" if found else f"The function in its tag {PROBE_TAG} is not in probeFunctions, so it is not called."


def pending_has_value(secret: ListedSecret, failed_step: str | None) -> str:
    """Whether AWSPENDING holds a value, as far as the failed step tells: createSecret is what puts it there.

    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html)
    """
    return (
        "yes" if secret.pending_version_id and failed_step in ("setSecret", "testSecret", "finishSecret") else "unknown"
    )


def has_recovered(secret: ListedSecret, opened_with: str | None, last_failure_at: str) -> bool:
    """Whether a rotation was completed, or AWSCURRENT moved, since its failures; never while a rotation is stuck."""
    if secret.pending_version_id is not None or secret.current_version_id is None:
        return False
    moved = opened_with is not None and secret.current_version_id != opened_with
    return moved or (secret.last_rotated_at is not None and to_iso(secret.last_rotated_at) >= last_failure_at)


def diagnose(
    described: DescribedSecret,
    *,
    kind: str,
    failed_step: str | None,
    cap: str,
    probes: Sequence[str],
    restarts: Sequence[Mapping[str, str]],
    created: Mapping[str, datetime],
) -> Diagnosis:
    """The diagnosis of a secret that can be looked at; `kind` is what opened the incident."""
    secret = described.secret
    mode, mode_note = effective_mode(secret, cap)
    probe, probe_note = probe_function(secret, probes)
    return Diagnosis(
        secret_arn=secret.arn,
        name=secret.name,
        versions={version: list(labels) for version, labels in described.versions.items()},
        current=secret.current_version_id,
        pending=secret.pending_version_id,
        previous=secret.previous_version_id,
        created={version: to_iso(made) for version, made in created.items() if version in described.versions},
        pending_has_value=pending_has_value(secret, failed_step),
        users=users(secret, described.rotation_function),
        failed_step=failed_step,
        rotation_on=secret.rotation_enabled,
        rotation_function=described.rotation_function,
        last_rotated_at=None if secret.last_rotated_at is None else to_iso(secret.last_rotated_at),
        untouchable=find_unsupported_reason(secret),
        mode=mode,
        mode_note=mode_note,
        probe=probe,
        probe_note=probe_note,
        fallback=secret.tags.get(FALLBACK_TAG, "").strip().lower() == "allowed",
        test_only=kind == TEST_ROTATION_FAILED,
        restart_on_rotation=restarts_on_rotation(secret),
        restarts=list(restarts),
    )


def restarts_on_rotation(secret: ListedSecret) -> bool:
    """Whether its dependents are to be restarted after any rotation, not only after a repair."""
    return secret.tags.get(RESTART_ON_TAG, "").strip().lower() == "rotation"
