"""Which events members forward to the hub, and where the hub's rules send them."""

from collections.abc import Mapping

from rotation_guard.domain.audit.status_events import RUN_FINISHED, STATUS_CHANGED
from rotation_guard.domain.organization.deliveries import REDELIVERED
from rotation_guard.domain.remediation.transition_events import DETAIL_TYPES
from rotation_guard.domain.rotation_event import ROTATION_GUARD, ROTATION_STUCK

from ..events import event_patterns
from ..events.event_patterns import API_CALL, CHANGING_CALLS, LABEL_UPDATED, SECRETS_MANAGER, SERVICE_EVENT, Pattern

REPORTS = [*DETAIL_TYPES.values(), STATUS_CHANGED, RUN_FINISHED]
"""The events of this product that the hub keeps: transitions of incidents, and what audits found."""
_RECORDED = [SERVICE_EVENT, API_CALL, LABEL_UPDATED, ROTATION_STUCK]

FORWARDED: Mapping[str, tuple[str, Pattern]] = {
    "rotations": (
        "Forwards what rotations report, and labels that moved, to the hub",
        {"source": [SECRETS_MANAGER], "detail-type": [SERVICE_EVENT, LABEL_UPDATED]},
    ),
    "api-calls": (
        "Forwards calls that change a rotation or a version to the hub",
        {"source": [SECRETS_MANAGER], "detail-type": [API_CALL], "detail": {"eventName": CHANGING_CALLS}},
    ),
    "reports": (
        "Forwards what rotation-guard reports to the hub",
        {"source": [ROTATION_GUARD], "detail-type": [ROTATION_STUCK, *REPORTS]},
    ),
}
"""Rule of a member -> its description, and its pattern without the account."""

HUB_ROUTES: Mapping[str, tuple[str, Pattern, tuple[str, ...]]] = {
    "failed": (
        "Rotations of members that failed or were abandoned",
        event_patterns.ROTATION_FAILURES,
        ("failures", "trail"),
    ),
    "stuck": ("Rotations that members found stuck", event_patterns.STUCK_ROTATIONS, ("failures", "trail")),
    "service-events": ("What else rotations of members report", event_patterns.OTHER_SERVICE_EVENTS, ("trail",)),
    "api-calls": ("Calls in members that change a rotation or a version", event_patterns.API_CALLS, ("trail",)),
    "label-updates": ("Labels that moved in members", event_patterns.LABEL_UPDATES, ("trail",)),
    "reports": (
        "Incidents and audits of members",
        {"source": [ROTATION_GUARD], "detail-type": REPORTS},
        ("reports",),
    ),
    # A late failure is not told to `failures`: whoever needs to know has been notified by the member.
    "late-events": (
        "Rotation events that members deliver again",
        {"source": [REDELIVERED], "detail-type": _RECORDED, "detail": {"source": [SECRETS_MANAGER, ROTATION_GUARD]}},
        ("trail",),
    ),
    "late-reports": (
        "Incidents and audits that members deliver again",
        {"source": [REDELIVERED], "detail-type": REPORTS, "detail": {"source": [ROTATION_GUARD]}},
        ("reports",),
    ),
}
"""Rule of the hub's bus -> its description, its pattern, and its targets."""


def accept_drills(pattern: Pattern) -> Pattern:
    """The same pattern of the hub for drills as well: where events are delivered again, for those that wrap a drill."""
    if pattern["source"] == [REDELIVERED]:
        return {**pattern, "detail": event_patterns.with_drills(pattern["detail"])}
    return event_patterns.with_drills(pattern)


def in_account(pattern: Pattern, account: str) -> Pattern:
    """The same pattern for events of this account only: an event that came from another one is never forwarded.

    EventBridge itself does not pass an event on to a third account
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html).
    """
    return {"account": [account], **pattern}
