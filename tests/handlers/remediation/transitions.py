"""The row of an incident as the steps write it, and the notifications about its transitions."""

import re

from rotation_guard.domain.remediation.notification_payload import build_payload
from rotation_guard.domain.remediation.notifications import build_notification

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:remediation:RotationFailed-1"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-rotation"
RUNBOOK = "https://example.com/runbook"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd"
OPENED_AT = "2026-03-01T00:51:00.000Z"
TRANSITIONS = (
    *("opened", "retried", "recovered", "restarted", "escalated", "held"),
    *("reminder", "resolved", "missing", "unidentified"),
)
SETTLED = {"target": "ecs:shop/orders", "arn": "arn:ecs", "state": "settled", "why": "", "handle": "ecs-svc/2"}
NOT_LISTED = {"target": "lambda:api", "arn": "arn:lambda", "state": "refused", "why": "It is not among them."}


def incident(**changes):
    """The row of an incident that has just been opened, with these changes; None removes an attribute."""
    row = {
        "secret_arn": ARN,
        "opened_at": OPENED_AT,
        "state": "open",
        "secret_name": "orders/db",
        "execution": EXECUTION,
        "event_type": "RotationFailed",
        "source": "aws.secretsmanager",
        "occurred_at": "2026-03-01T00:50:20Z",
        "last_failure_at": "2026-03-01T00:50:20Z",
        "failed_step": "setSecret",
        "versions": {"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]},
        "failures": 1,
        "attempts": 0,
        "rounds": 0,
        "event_ids": {"event-1"},
        "actions": [],
    }
    return {name: value for name, value in {**row, **changes}.items() if value is not None}


def repaired(**changes):
    """The row of an incident that was retried, then rolled forward, and whose dependents were restarted."""
    return incident(
        state="closed",
        outcome="rolled forward",
        reason="AWSCURRENT is on the version that this incident moved it to, and a probe proved that it works.",
        closed_at="2026-03-01T01:20:00Z",
        mode="repair",
        failures=5,
        last_failure_at="2026-03-01T01:15:00Z",
        attempts=1,
        versions={"v2": ["AWSCURRENT"], "v1": ["AWSPREVIOUS"]},
        evidence={"current": "works", "pending": "absent", "previous": "unknown", "notes": []},
        actions=[
            decided("retry", reason="Retry 1 of 3: no probe.", at="2026-03-01T01:06:00Z"),
            {"action": "retry", "at": "2026-03-01T01:06:01Z", "number": 1, "outcome": "asked"},
            {"action": "retry", "at": "2026-03-01T01:06:02Z", "number": 1, "outcome": "reattempted"},
            {"action": "notify", "at": "2026-03-01T01:06:03Z", "turn": "opened", "outcome": "told"},
            {"action": "rolled forward", "at": "2026-03-01T01:16:01Z", "from": "v1", "to": "v2", "outcome": "asked"},
            {"action": "rolled forward", "at": "2026-03-01T01:16:02Z", "from": "v1", "to": "v2", "outcome": "done"},
            {"action": "restart", "at": "2026-03-01T01:17:00Z", "target": "ecs:shop/orders", "outcome": "started"},
            {"action": "restart", "at": "2026-03-01T01:19:00Z", "target": "ecs:shop/orders", "outcome": "settled"},
        ],
        restarts=[SETTLED, NOT_LISTED],
        **changes,
    )


def resolved(**changes):
    """The row of an incident that was escalated, and whose secret was then rotated by hand."""
    closed = {"state": "closed", "reason": "AWSCURRENT is broken.", "closed_at": "2026-03-01T01:20:00Z"}
    since = {"resolved_at": "2026-03-01T09:00:00Z", "resolved_by": "RotationSucceeded"}
    return incident(outcome="resolved", resolved_outcome="escalated", **closed, **since, **changes)


def decided(rule, **more):
    """The action of a decision."""
    return {"action": "decide", "at": "2026-03-01T01:06:00Z", "rule": rule, "reason": "So it is.", **more}


def notification(transition, row=None, **more):
    """The notification about this transition."""
    return build_notification(build_payload(transition, EXECUTION, incident() if row is None else row, **more))


def unwrap(text):
    """The lines of a notification, unwrapped: a continuation begins with two or three spaces."""
    lines = []
    for line in text.split("\n"):
        if re.match(r" {2,3}(?!aws |rotation-guard )\S", line):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    return lines


def rate_limited(count):
    """This many rate-limited incidents, as a digest has them."""
    return [
        {
            "secret_arn": f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-{number}-Ab12Cd",
            "secret_name": f"orders/db-{number}",
            "opened_at": OPENED_AT,
        }
        for number in range(1, count + 1)
    ]
