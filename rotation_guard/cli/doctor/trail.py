"""The CloudTrail trail without which EventBridge gets no event of a rotation.

A trail has to log *write* management events of Secrets Manager here: rotations are service events, changes are API
calls
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .examination import Examination
from .link import Check, Finding, Unanswered, broken, cannot_tell, note
from .resource_policies import to_list

CREATE = (
    "Set createTrail (`pulumi config set createTrail true`, then `pulumi up`), or create a trail of write management "
    "events that covers this Region."
)
_SERVICE = "secretsmanager.amazonaws.com"
_NEEDED: Sequence[Mapping[str, str]] = tuple(
    {"eventCategory": "Management", "readOnly": "false", "eventSource": _SERVICE, "eventName": name, "eventType": kind}
    for name, kind in (
        ("RotationFailed", "AwsServiceEvent"),
        ("RotationSucceeded", "AwsServiceEvent"),
        ("PutSecretValue", "AwsApiCall"),
        ("UpdateSecretVersionStage", "AwsApiCall"),
    )
)
"""Events as advanced selectors see them (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html)."""
_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "Equals": lambda actual, value: actual == value,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
    "NotEquals": lambda actual, value: actual != value,
    "NotStartsWith": lambda actual, value: not actual.startswith(value),
    "NotEndsWith": lambda actual, value: not actual.endswith(value),
}


@dataclass(frozen=True)
class Trail:
    """A trail that covers this Region, as far as it could be read."""

    name: str
    status: Mapping[str, Any] | None = None
    selectors: Mapping[str, Any] | None = None
    unread: tuple[Finding, ...] = ()
    """Why the rest could not be read."""


def list_checks(examination: Examination) -> Iterable[Check]:
    """The trails of this Region, whoever owns them: one that works is enough."""
    if not examination.expects("state_machine_arn"):
        return []
    return [Check("trail", "CloudTrail", (lambda: _check(examination),))]


def judge_trails(trails: Sequence[Trail], region: str) -> Iterator[Finding]:
    """Whether one of the trails that cover a Region logs what is needed."""
    complaints = {trail.name: list(_complain(trail)) for trail in trails}
    working = [trail for trail in trails if not complaints[trail.name] and not trail.unread]
    if working:
        yield note(f"The trail {working[0].name} logs write management events.")
        return
    if not trails:
        yield broken(f"No trail of CloudTrail covers {region}: no event of a rotation reaches EventBridge.", CREATE)
    for trail in trails:
        if not complaints[trail.name]:
            yield from trail.unread
            continue
        for reason, fix in complaints[trail.name]:
            # Another one, which could not be read, may log them.
            is_alone = all(complaints.values())
            yield broken(reason, fix) if is_alone else cannot_tell(reason, fix)


def covers(description: Mapping[str, Any], region: str) -> bool:
    """Whether a trail logs the events of this Region."""
    return bool(description.get("IsMultiRegionTrail")) or description.get("HomeRegion") == region


def _complain(trail: Trail) -> Iterator[tuple[str, str]]:
    """What is wrong with a trail, and the fix."""
    status, name = trail.status, trail.name
    if status is not None and not status.get("IsLogging"):
        yield f"The trail {name} does not log.", f"Run `aws cloudtrail start-logging --name {name}`."
    if status is not None and (error := status.get("LatestDeliveryError")):
        yield (
            f"The trail {name} cannot deliver its log files: {error}.",
            f"Repair the bucket of {name} and its policy (`aws cloudtrail describe-trails --trail-name-list {name}`).",
        )
    if trail.selectors is not None and (lacking := _find_unlogged(trail.selectors)):
        yield (
            f"The trail {name} does not log {lacking}.",
            f"Let {name} log write management events of every source but KMS and the RDS Data API "
            "(`aws cloudtrail put-event-selectors`).",
        )


def _find_unlogged(selectors: Mapping[str, Any]) -> str:
    """The events that are needed and not logged, in words; empty if there are none."""
    basic, advanced = to_list(selectors.get("EventSelectors")), to_list(selectors.get("AdvancedEventSelectors"))
    unlogged = [
        event
        for event in _NEEDED
        if not any(_selects(selector) for selector in basic)
        and not any(_selects_advanced(selector, event) for selector in advanced)
    ]
    if len(unlogged) == len(_NEEDED):
        return "write management events of Secrets Manager"
    return ", ".join(event["eventName"] for event in unlogged)


def _selects(selector: Mapping[str, Any]) -> bool:
    """Whether a basic selector logs write management events of Secrets Manager; AWS's defaults are all and yes.

    (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html)
    """
    return (
        selector.get("IncludeManagementEvents", True)
        and selector.get("ReadWriteType", "All") in ("All", "WriteOnly")
        and _SERVICE not in to_list(selector.get("ExcludeManagementEventSources"))
    )


def _selects_advanced(selector: Mapping[str, Any], event: Mapping[str, str]) -> bool:
    """Whether an advanced selector logs this event: each of its fields has to match."""
    return all(_matches(field, event) for field in to_list(selector.get("FieldSelectors")))


def _matches(field: Mapping[str, Any], event: Mapping[str, str]) -> bool:
    """Whether a field matches: one of its values, or with a negated operator all of them."""
    actual = event.get(field.get("Field", ""))
    comparisons = {name: field[name] for name in _COMPARISONS if field.get(name)}
    if actual is None:
        # A field that narrows the events by who calls, which nobody here knows: only what it leaves out passes.
        return all(name.startswith("Not") for name in comparisons)
    return all(
        (all if name.startswith("Not") else any)(_COMPARISONS[name](actual, value) for value in values)
        for name, values in comparisons.items()
    )


def _check(examination: Examination) -> Iterator[Finding]:
    described = examination.read_existing("cloudtrail:DescribeTrails", includeShadowTrails=True)["trailList"]
    trails = [_read(examination, trail) for trail in described if covers(trail, examination.region)]
    yield from judge_trails(trails, examination.region)


def _read(examination: Examination, description: Mapping[str, Any]) -> Trail:
    """A trail's status and selectors. Its ARN also names it where it was created in another Region."""
    arn, unread = description.get("TrailARN") or description["Name"], []

    def read(action: str, **parameters: str) -> Mapping[str, Any] | None:
        try:
            return examination.read_existing(action, **parameters)
        except Unanswered as unanswered:
            unread.append(unanswered.finding)
            return None

    status = read("cloudtrail:GetTrailStatus", Name=arn)
    selectors = read("cloudtrail:GetEventSelectors", TrailName=arn)
    return Trail(description["Name"], status, selectors, tuple(unread))
