"""The canary: an event that a schedule of the stack puts on the bus, to prove that rotation events are recorded.

It takes the way of AWS's own events: a rule, the audit queue, the writer and the audit trail. What it does not prove is
the part before the bus, which no event of ours takes: that a CloudTrail trail logs.
"""

from typing import Any

CANARY = "rotation-guard.canary"
"""Its source, and the subject of its rows in the audit trail: PutEvents refuses sources that begin with `aws.`."""
CANARY_EVENT = "RotationCanary"
"""Its event name, which no event of AWS has."""
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""Scheduler puts the time in, in ISO 8601 and the same for every attempt
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html)."""

SLACK_SECONDS = 3600
"""How late a canary may be: as long as a rule tries its target."""


def build_canary_id(incidents_table: str, time: str = SCHEDULED_TIME) -> str:
    """The identity of the canary of the stack with this table of incidents, for this time."""
    return f"canary-{incidents_table}-{time}"


def build_canary_detail(incidents_table: str, time: str = SCHEDULED_TIME) -> dict[str, Any]:
    """The detail of the canary of the stack with this table of incidents, for this time in ISO 8601.

    Time and identity are the same for every attempt: Scheduler delivers at least once, and a copy must not be recorded
    again. The table is part of the identity, because several stacks may share an audit trail.
    """
    return {
        "eventName": CANARY_EVENT,
        "eventTime": time,
        "eventID": build_canary_id(incidents_table, time),
        "incidents_table": incidents_table,
    }
