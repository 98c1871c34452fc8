"""Diagnoses a secret whose rotation failed, from its labels, dates and tags; never from a value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from ..ownership import describe_owner, is_replica
from ..rotation_event import TEST_ROTATION_FAILED, secret_name_of
from ..secret import ListedSecret
from ..secret_filter import EVERY_SECRET, SecretFilter
from ..tags import FALLBACK_TAG, MODE_TAG, PROBE_TAG, RESTART_ON_TAG, ROTATION_STRATEGY_TAG
from ..timestamps import to_iso
from .decisions import Mode

_MODES = tuple(Mode)
_STRATEGIES = {"singleuser": "single", "multiuser": "alternating", "alternating": "alternating"}
"""Part of the name of one of AWS's rotation functions -> its strategy
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_available-rotation-templates.html)."""

UNKNOWN_SECRET = "It does not exist in Secrets Manager any more."  # noqa: S105 - a sentence
"""DescribeSecret raised ResourceNotFoundException."""
MARKED_FOR_DELETION = "It is marked for deletion."
REPLICA = "It is a replica:"
"""The beginning of the sentence about a replica."""
UNREADABLE_SECRET = "It cannot be read: access denied, perhaps by its own resource policy."  # noqa: S105 - a sentence
"""DescribeSecret raised AccessDeniedException."""
REWORDED = {
    "Secrets Manager does not know it: it is gone.": UNKNOWN_SECRET,
    "It may not be looked at: access denied, perhaps by its own policy.": UNREADABLE_SECRET,
}
"""Sentences in rows of earlier releases -> the same sentence now. They select the next steps of a notification."""


@dataclass(frozen=True)
class DescribedSecret:
    """A secret as DescribeSecret returns it, with every labelled version."""

    secret: ListedSecret
    versions: Mapping[str, tuple[str, ...]]
    """Version id -> its labels."""
    rotation_function: str | None = None


@dataclass(frozen=True)
class UnreadableSecret:
    """A secret that DescribeSecret refused to describe."""

    reason: str
    """Why, as a sentence."""


@dataclass(frozen=True)
class Diagnosis:
    """All facts about a secret that a decision depends on, except the probe's. Versions are version ids."""

    secret_arn: str
    name: str
    versions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    current: str | None = None
    pending: str | None = None
    """The version that has AWSPENDING and not AWSCURRENT: a rotation that is running or stuck."""
    previous: str | None = None
    created: Mapping[str, str] = field(default_factory=dict)
    """Version -> its creation date, ISO 8601."""
    pending_has_value: str = "unknown"
    """`yes` or `unknown`: no metadata says that a version is empty."""
    rotation_strategy: str = "unknown"
    """`single`, `alternating` or `unknown`."""
    failed_step: str | None = None
    is_rotation_enabled: bool = False
    rotation_function: str | None = None
    last_rotated_at: str | None = None
    """When AWS last completed a rotation, ISO 8601, if known."""
    unsupported_reason: str = ""
    """Why the secret cannot be repaired, whatever its tags allow."""
    mode: str = Mode.NOTIFY
    mode_note: str = ""
    """Why the mode is no higher."""
    probe: str = ""
    """The ARN of the function that can prove which version works."""
    probe_note: str = ""
    """Why there is no probe."""
    is_rollback_allowed: bool = False
    is_test_only: bool = False
    """Whether only the test of a rotation failed, so that nothing was rotated."""
    restart_on_rotation: bool = False
    restarts: Sequence[Mapping[str, str]] = ()
    """The dependents in its tag, as `restarts.plan_restarts` returns them."""

    def to_payload(self) -> dict[str, Any]:
        """The JSON that the workflow passes from step to step."""
        return {_PAYLOAD_KEYS.get(name, name): value for name, value in asdict(self).items()}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """Parse the result of `to_payload`, which another release may have written."""
        keys = {each.name: _PAYLOAD_KEYS.get(each.name, each.name) for each in fields(cls)}
        return cls(**{name: payload[key] for name, key in keys.items() if key in payload})


_PAYLOAD_KEYS = {
    "rotation_strategy": "users",
    "is_rotation_enabled": "rotation_on",
    "unsupported_reason": "untouchable",
    "is_rollback_allowed": "fallback",
    "is_test_only": "test_only",
}
"""Fields whose key differs in the workflow's data, which an execution of an earlier release may still carry."""


def diagnose_unreadable(secret_arn: str, why: UnreadableSecret) -> Diagnosis:
    """The diagnosis of a secret that cannot be described."""
    return Diagnosis(secret_arn, secret_name_of(secret_arn), unsupported_reason=why.reason)


def find_unsupported_reason(secret: ListedSecret) -> str:
    """Why remediation cannot repair this secret, as a sentence; empty if it can."""
    if secret.deleted_at is not None:
        return MARKED_FOR_DELETION
    if owner := describe_owner(secret):
        return owner
    if is_replica(secret):
        return f"{REPLICA} repair its primary in {secret.primary_region}."
    return ""


def resolve_mode(secret: ListedSecret, cap: str) -> tuple[Mode, str]:
    """The mode that the secret's tag and the stack allow, and why it is no higher."""
    # Case sensitive, as in IAM conditions.
    tag = secret.tags.get(MODE_TAG, "")
    if not tag.strip():
        return Mode.NOTIFY, f"It has no tag {MODE_TAG}."
    if tag not in _MODES:
        return Mode.NOTIFY, f"Its tag {MODE_TAG} is neither retry nor repair."
    if _MODES.index(Mode(tag)) > _MODES.index(Mode(cap)):
        return Mode(cap), f"Its tag {MODE_TAG} allows {tag}, but the stack's remediationMode is {cap}."
    return Mode(tag), ""


def find_rotation_strategy(secret: ListedSecret, rotation_function: str | None) -> str:
    """The rotation strategy, from the secret's tag or the function's name: `single`, `alternating` or `unknown`."""
    tag = secret.tags.get(ROTATION_STRATEGY_TAG, "").strip().lower()
    if tag in _STRATEGIES.values():
        return tag
    name = re.sub(r"[-_]", "", (rotation_function or "").split(":function:", 1)[-1].lower())
    return next((strategy for part, strategy in _STRATEGIES.items() if part in name), "unknown")


def find_probe(secret: ListedSecret, allowed: Sequence[str]) -> tuple[str, str]:
    """The ARN of the probe that the secret's tag names (by name or ARN), and if there is none, why."""
    tag = secret.tags.get(PROBE_TAG, "").strip()
    if not tag:
        return "", f"It has no tag {PROBE_TAG}, so no probe can prove which version works."
    probe = next((arn for arn in allowed if tag == arn or tag == arn.split(":function:", 1)[-1]), "")
    return probe, "" if probe else f"The function in its tag {PROBE_TAG} is not in probeFunctions, so it is not called."


def assess_pending_value(secret: ListedSecret, failed_step: str | None) -> str:
    """Whether AWSPENDING has a value, judging by the failed step: createSecret stores it.

    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html)
    """
    return (
        "yes" if secret.pending_version_id and failed_step in ("setSecret", "testSecret", "finishSecret") else "unknown"
    )


def has_recovered(secret: ListedSecret, opened_with: str | None, last_failure_at: str) -> bool:
    """Whether a rotation completed, or AWSCURRENT moved, after the failures; never while a rotation is unfinished."""
    if secret.pending_version_id is not None or secret.current_version_id is None:
        return False
    has_moved = opened_with is not None and secret.current_version_id != opened_with
    return has_moved or (secret.last_rotated_at is not None and to_iso(secret.last_rotated_at) >= last_failure_at)


def diagnose(
    described: DescribedSecret,
    *,
    kind: str,
    failed_step: str | None,
    cap: str,
    probes: Sequence[str],
    restarts: Sequence[Mapping[str, str]],
    created: Mapping[str, datetime],
    scope: SecretFilter = EVERY_SECRET,
) -> Diagnosis:
    """Diagnose a secret; `kind` is the event that opened the incident, `cap` the stack's remediationMode.

    Of a secret outside `scope`, the stack's remediationScope, people are notified, and nothing is done.
    """
    secret = described.secret
    mode, mode_note = resolve_mode(secret, cap)
    probe, probe_note = find_probe(secret, probes)
    if not scope.matches(secret):
        mode, probe, restarts = Mode.NOTIFY, "", ()
        mode_note = probe_note = f"It is outside the stack's remediationScope, {scope}."
    return Diagnosis(
        secret_arn=secret.arn,
        name=secret.name,
        versions={version: list(labels) for version, labels in described.versions.items()},
        current=secret.current_version_id,
        pending=secret.pending_version_id,
        previous=secret.previous_version_id,
        created={version: to_iso(date) for version, date in created.items() if version in described.versions},
        pending_has_value=assess_pending_value(secret, failed_step),
        rotation_strategy=find_rotation_strategy(secret, described.rotation_function),
        failed_step=failed_step,
        is_rotation_enabled=secret.rotation_enabled,
        rotation_function=described.rotation_function,
        last_rotated_at=None if secret.last_rotated_at is None else to_iso(secret.last_rotated_at),
        unsupported_reason=find_unsupported_reason(secret),
        mode=mode,
        mode_note=mode_note,
        probe=probe,
        probe_note=probe_note,
        is_rollback_allowed=secret.tags.get(FALLBACK_TAG, "").strip().lower() == "allowed",
        is_test_only=kind == TEST_ROTATION_FAILED,
        restart_on_rotation=has_restart_on_rotation(secret),
        restarts=list(restarts),
    )


def has_restart_on_rotation(secret: ListedSecret) -> bool:
    """Whether the secret's dependents are restarted after every rotation, not only after a repair."""
    return secret.tags.get(RESTART_ON_TAG, "").strip().lower() == "rotation"
