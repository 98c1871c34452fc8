"""Which events each receiver gets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rotation_guard.domain.plain_values import TAG_VALUE_LENGTH, read_text
from rotation_guard.domain.remediation.notification_payload import (
    ESCALATED,
    RATE_LIMITED,
    RECOVERED,
    RESOLVED,
)
from rotation_guard.domain.remediation.transition_events import DETAIL_TYPES
from rotation_guard.domain.rotation_event import ROTATION_GUARD

from ..events.event_patterns import Pattern

OTHERS = "*"
"""Among the owners of a subscription: those that no subscription of its topic and protocol names, and no owner at all.
No tag can have this value (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Tag.html)."""
RESERVED_FIELDS = ("incidents_table", "message", "turn")
"""Fields of the detail that a filter policy leaves to the rule."""
_CLOSING = (RECOVERED, RESOLVED)
TRANSITIONS: Mapping[str, Sequence[str]] = {
    "remediation": tuple(DETAIL_TYPES),
    "critical": (ESCALATED, RATE_LIMITED, RESOLVED),
}
"""Topic -> the transitions of incidents that belong to it."""
Subscription = Mapping[str, Any]


def find_named_owners(subscription: Subscription, subscriptions: Iterable[Subscription]) -> frozenset[str]:
    """The owners that any of the subscriptions with the same topic and protocol names."""
    kind = (subscription["topic"], subscription["protocol"])
    same = [other for other in subscriptions if (other["topic"], other["protocol"]) == kind]
    return frozenset(owner for other in same for owner in other.get("owners") or ()) - {OTHERS}


def build_pattern(
    subscription: Subscription,
    filter_policy: Mapping[str, Any] | None,
    named_owners: Iterable[str],
    incidents_table: str | None,
) -> Pattern:
    """The pattern of a subscription's rule.

    `named_owners` are those that subscriptions of its kind name; the table tells the stack's own incidents from
    those of others on the bus, and is None where all belong to it. What ends an incident is sent to every pager,
    whatever the filter: a pager ignores it for an incident that it does not know, and an owner's tag may have changed.
    """
    topic, is_pager = subscription["topic"], subscription["protocol"] == "pagerduty"
    transitions = [*TRANSITIONS[topic]]
    selected = {**(filter_policy or {}), **_select_owners(subscription.get("owners"), named_owners)}
    detail: dict[str, Any] = {} if incidents_table is None else {"incidents_table": [incidents_table]}
    if subscription["protocol"] != "webhook":
        # Members of a hub that are older send none.
        detail["message"] = {"incident": [{"exists": True}]}
    if is_pager:
        transitions = list(dict.fromkeys([*transitions, *_CLOSING]))
        if selected:
            detail["$or"] = [{"turn": list(_CLOSING)}, selected]
    else:
        detail |= selected
    return {
        "source": [ROTATION_GUARD],
        "detail-type": [DETAIL_TYPES[transition] for transition in transitions],
        **({"detail": detail} if detail else {}),
    }


def _select_owners(owners: Sequence[str] | None, named_owners: Iterable[str]) -> Mapping[str, Any]:
    """The condition for these owners, as the event has them: printable ASCII."""
    if owners is None:
        return {}
    wanted: list[Any] = [_read(owner) for owner in owners if owner != OTHERS]
    if OTHERS not in owners:
        return {"owner": wanted}
    elsewhere = sorted({_read(owner) for owner in named_owners} - set(wanted))
    # A secret without an owner has null there, which is nobody's name.
    return {"owner": [None, {"anything-but": elsewhere}]} if elsewhere else {}


def _read(owner: str) -> str:
    return read_text(owner, TAG_VALUE_LENGTH) or owner
