"""What an account has already and a RotationGuard uses: its arguments, and what is wrong with them."""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from .placement import Placement, complain_about_regions
from .settings.component_args import complain_about_groups, complain_about_value
from .settings.validation import EXISTING


class ExistingResourcesArgs(TypedDict):
    """What exists already and is used, where otherwise RotationGuard would make its own."""

    failures_topic_arn: NotRequired[pulumi.Input[str]]
    """Topic for failed rotations; its policy must let EventBridge publish."""
    remediation_topic_arn: NotRequired[pulumi.Input[str]]
    """Topic for what remediation found and did."""
    critical_topic_arn: NotRequired[pulumi.Input[str]]
    """Topic for what needs attention now; its policy must let CloudWatch publish."""
    audit_queue_arn: NotRequired[pulumi.Input[str]]
    """Queue of the events that are to be recorded, with dead letters of its own; its policy must let EventBridge send
    to it."""
    audit_queue_url: NotRequired[pulumi.Input[str]]
    """The same queue; given with its ARN."""
    audit_trail_table_arn: NotRequired[pulumi.Input[str]]
    """Table of the audit trail, which several stacks may share."""
    status_table_arn: NotRequired[pulumi.Input[str]]
    """Table of the audit's status, with the index `attention`, for this stack alone."""
    incidents_table_arn: NotRequired[pulumi.Input[str]]
    """Table of the incidents, for this stack alone."""
    event_bus_name: NotRequired[pulumi.Input[str]]
    """Bus that the rules are on. AWS and our functions send to the default one alone: another needs rules that forward
    the events of `aws.secretsmanager` and of `rotation-guard`."""


EXISTING_ARNS = tuple(name for name in ExistingResourcesArgs.__annotations__ if name.endswith("_arn"))
"""Those that are ARNs."""


def complain_about_existing(existing: Any, placement: Placement) -> Iterator[str]:
    """What is wrong with what is said to exist already, for a stack in this place."""
    yield from complain_about_value(EXISTING, existing, ExistingResourcesArgs)
    if isinstance(existing, Mapping):
        yield from complain_about_regions({f"{EXISTING}.{name}": value for name, value in existing.items()}, placement)
        yield from complain_about_groups(f"{EXISTING}.", existing, (("audit_queue_arn", "audit_queue_url"),))


def pick(existing: ExistingResourcesArgs, *names: str, **renamed: str) -> dict[str, Any]:
    """What exists already of these names; of `renamed`, by the names that a component has for them."""
    given: dict[str, Any] = {**existing}
    arguments = {name: name for name in names} | renamed
    return {argument: given[name] for argument, name in arguments.items() if name in given}
