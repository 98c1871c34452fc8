"""The event patterns of the rules: AWS's true event shapes, which differ from those in tutorials.

Secrets Manager reports rotations through CloudTrail as *service events*, with detail-type
`AWS Service Event via CloudTrail`; a rule that waits for them under `AWS API Call via CloudTrail` never fires
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html). A moved staging label comes
from Secrets Manager itself, without a trail
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html). EventBridge checks the syntax
of a pattern and nothing else: a misspelt one is accepted and stays silent.
"""

import json
from collections.abc import Mapping
from typing import Any

from rotation_guard.domain.canary import CANARY
from rotation_guard.domain.event_pattern_syntax import find_fault
from rotation_guard.domain.rotation_event import DRILL, ROTATION_GUARD, SERVICE_EVENT

from ..settings.checks import must_be

DESTINATIONS: Mapping[str, tuple[str, ...]] = {
    "failures": ("failures",),
    "audit": ("audit",),
    "both": ("failures", "audit"),
}
"""What an extra rule may name as its destination: the targets that get its events."""
Pattern = Mapping[str, Any]

DEFAULT_BUS = "default"
"""The bus that AWS's events are on."""
SECRETS_MANAGER = "aws.secretsmanager"

API_CALL = "AWS API Call via CloudTrail"
LABEL_UPDATED = "Secret Label Updated"

FAILURES = ["RotationFailed", "RotationAbandoned", "TestRotationFailed"]
CHANGING_CALLS = [
    "RotateSecret",
    "CancelRotateSecret",
    "PutSecretValue",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "DeleteSecret",
    "RestoreSecret",
]
"""The API calls that change a rotation or a version. Reads are left out: a busy account makes millions."""

ROTATION_FAILURES: Pattern = {
    "source": [SECRETS_MANAGER],
    "detail-type": [SERVICE_EVENT],
    "detail": {"eventName": FAILURES},
}
OTHER_SERVICE_EVENTS: Pattern = {
    "source": [SECRETS_MANAGER],
    "detail-type": [SERVICE_EVENT],
    # All but the failures, so that a service event AWS adds one day is recorded too.
    "detail": {"eventName": [{"anything-but": FAILURES}]},
}
ROTATION_SUCCESSES: Pattern = {
    "source": [SECRETS_MANAGER],
    "detail-type": [SERVICE_EVENT],
    "detail": {"eventName": ["RotationSucceeded"]},
}
API_CALLS: Pattern = {
    "source": [SECRETS_MANAGER],
    "detail-type": [API_CALL],
    "detail": {"eventName": CHANGING_CALLS},
}
LABEL_UPDATES: Pattern = {
    "source": [SECRETS_MANAGER],
    "detail-type": [LABEL_UPDATED],
}

NEW_VALUES: Pattern = {
    "source": [SECRETS_MANAGER],
    "detail-type": [LABEL_UPDATED],
    "detail": {"labelUpdated": ["AWSCURRENT"]},
}

STUCK_ROTATIONS: Pattern = {
    "source": [ROTATION_GUARD],
    "detail-type": ["Rotation Stuck"],
}
"""The audit reports a rotation that is in progress for too long, without an event of its failure."""

STALLED_INCIDENTS: Pattern = {
    "source": [ROTATION_GUARD],
    "detail-type": ["Rotation Incident Stalled"],
}
"""The audit, or the next event of the secret, reports an incident whose execution has died."""


def is_own(pattern: Pattern) -> bool:
    """Whether it is for events that a stack puts on the bus itself."""
    return pattern.get("source") == [ROTATION_GUARD]


def for_stack(pattern: Pattern, incidents_table: str, *, allows_unnamed: bool) -> Pattern:
    """The same pattern without events that are another stack's, which each stack of the account hears as well.

    An event that names a table of incidents is for the stack with this table: what a stack reports itself and a canary
    always do, a drill may, and AWS's events never do. `allows_unnamed` accepts those that name none.
    """
    tables = [{"exists": False}, incidents_table] if allows_unnamed else [incidents_table]
    return {**pattern, "detail": {**pattern.get("detail", {}), "incidents_table": tables}}


def with_drills(pattern: Pattern) -> Pattern:
    """The same pattern, accepting drills in place of whatever sources it names; unchanged when it names none."""
    if not isinstance(pattern.get("source"), (list, tuple)):
        return pattern
    return {**pattern, "source": [*pattern["source"], DRILL]}


def with_canary(pattern: Pattern) -> Pattern:
    """The same pattern, accepting canaries besides the sources that it names."""
    return {**pattern, "source": [*pattern["source"], CANARY]}


MAXIMUM_PATTERN_LENGTH = 2048
"""Characters of a pattern (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html)."""


def complain_about_pattern(pattern: Any) -> str | None:
    """The end of a complaint about what is not an event pattern; None where EventBridge accepts it.

    What is wrong follows what was given: it repeats parts of it, which may be secret.
    """
    allowed = "a map of fields to lists of values, as EventBridge writes event patterns"
    try:
        length = len(json.dumps(with_drills(pattern), allow_nan=False)) if isinstance(pattern, Mapping) else 0
        fault = find_fault(pattern)
    except (TypeError, ValueError, RecursionError):  # no JSON, or too deep
        return must_be(f"{allowed}, of plain values and not too deep", pattern)
    if fault:
        return f"{must_be(allowed, pattern)}: {fault}"
    if length > MAXIMUM_PATTERN_LENGTH:
        limit = f"an event pattern of at most {MAXIMUM_PATTERN_LENGTH} characters, the source of drills among them"
        return f"{must_be(limit, pattern)}: it has {length}"
    return None
