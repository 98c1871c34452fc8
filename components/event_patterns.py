"""What the rules listen for, as data: AWS's true event shapes, which differ from those of the tutorials.

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

Pattern = Mapping[str, Any]

SECRETS_MANAGER = "aws.secretsmanager"
DRILL = "rotation-guard.drill"
"""The source of drills: PutEvents refuses every source that begins with `aws.`."""

SERVICE_EVENT = "AWS Service Event via CloudTrail"
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
    "source": ["rotation-guard"],
    "detail-type": ["Rotation Stuck"],
}
"""What the audit tells of a rotation that is under way for too long, and of which no failure was heard."""

STALLED_INCIDENTS: Pattern = {
    "source": ["rotation-guard"],
    "detail-type": ["Rotation Incident Stalled"],
}
"""What the audit, or the next event of its secret, tells of an incident whose execution has died."""


def with_drills(pattern: Pattern) -> Pattern:
    """The same pattern, accepting drills in place of whatever sources it names; unchanged when it names none."""
    if "source" not in pattern:
        return pattern
    return {**pattern, "source": [*pattern["source"], DRILL]}


MAXIMUM_PATTERN_LENGTH = 2048
"""Characters of a pattern (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html)."""


def pattern_complaint(pattern: Any) -> str | None:
    """What an event pattern has to be, when this is not one; None when EventBridge would accept its shape."""
    complaint = shape_complaint(pattern, "EventBridge writes event patterns")
    if complaint is None and len(json.dumps(with_drills(pattern))) > MAXIMUM_PATTERN_LENGTH:
        return f"an event pattern of at most {MAXIMUM_PATTERN_LENGTH} characters, the source of drills among them"
    return complaint


def shape_complaint(pattern: Any, writing: str) -> str | None:
    """What the fields of a pattern have to be, when they are not, with whose `writing` it is."""
    allowed = f"a map of fields to lists of values, as {writing}"
    if not isinstance(pattern, Mapping) or not pattern:
        return allowed
    try:
        json.dumps(pattern, allow_nan=False)
        field = _field_without_list(pattern)
    except (TypeError, ValueError, RecursionError):  # no JSON, or too deep
        return f"{allowed}, of plain values and not too deep"
    return f"{allowed} (see {json.dumps(field)})" if field else None


def _field_without_list(pattern: Mapping[str, Any], path: str = "") -> str | None:
    for field, value in pattern.items():
        here = f"{path}.{field}" if path else str(field)
        if isinstance(value, Mapping):
            found = _field_without_list(value, here) if value else here
            if found:
                return found
        elif not isinstance(value, (list, tuple)) or not value:
            return here
    return None
