"""The kinds of deployments, and what each of them always has: a stack, a hub, or a member."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ..deployment import Deployment
from ..hub_reading import is_hub


class Kind(StrEnum):
    """What the outputs are of."""

    STACK = "stack"
    HUB = "hub"
    MEMBER = "member"


_TOPICS = ("failures_topic_arn", "remediation_topic_arn", "critical_topic_arn")
REQUIRED: Mapping[Kind, frozenset[str]] = {
    Kind.STACK: frozenset(
        {
            *_TOPICS,
            "audit_queue_url",
            "audit_trail_table_name",
            "failed_audits_dead_letters_url",
            "incidents_table_name",
            "runs_table_name",
            "schedule_name",
            "state_machine_arn",
            "status_table_name",
            "table_name",
            "undelivered_events_dead_letters_url",
            "unstarted_remediations_dead_letters_url",
        }
    ),
    Kind.HUB: frozenset(
        {
            *_TOPICS,
            "audit_queue_url",
            "audit_trail_table_name",
            "event_bus_arn",
            "incidents_table_name",
            "reports_queue_url",
            "runs_table_name",
            "status_table_name",
            "undelivered_events_dead_letters_url",
            "unrecorded_events_dead_letters_url",
            "unrecorded_reports_dead_letters_url",
        }
    ),
    Kind.MEMBER: frozenset(
        {"dead_letters_url", "failed_runs_dead_letters_url", "hub_event_bus_arn", "redeliver_schedule_name"}
    ),
}
"""The outputs of what each kind has whatever the settings; an older release may not export all of them."""
FUNCTIONS: Mapping[Kind, tuple[str, ...]] = {
    Kind.STACK: ("check", "writer", "start", "claim", "diagnose", "decide", "end", "notify"),
    Kind.HUB: ("writer", "record"),
    Kind.MEMBER: ("redeliver",),
}
"""The functions that each kind has whatever the settings, by short names."""
_OF_MEMBER, _OF_STACK = "redeliver_function_name", "state_machine_arn"


def find_kind(deployment: Deployment) -> Kind:
    """What the outputs are of; a stack, unless they have what only a hub or a member has."""
    outputs: Mapping[str, Any] = deployment.outputs
    if _OF_STACK in outputs:
        return Kind.STACK
    if _OF_MEMBER in outputs:
        return Kind.MEMBER
    return Kind.HUB if is_hub(deployment) else Kind.STACK
