"""Counts the resources of other providers, for which there are no rules.

`aws-native` is Pulumi's other provider for AWS (https://www.pulumi.com/registry/packages/aws-native/).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .finding import Finding
from .rule import Rule, read_docstring
from .stack import Resource, Stack

NAME = "resources-are-judged"
_JUDGED = "aws"
_ENGINE = "pulumi"
"""The package of stacks, providers and stack references."""
_LOCAL_PROVIDERS = frozenset({"archive", "cloudinit", "null", "random", "std", "time", "tls"})
"""Providers whose resources are values inside the program, without anything in a cloud."""


def count_unjudged(stack: Stack) -> Mapping[str, int]:
    """Count the resources of each other provider, ordered by name, without components and external resources."""
    counts = Counter(_package(resource) for resource in stack.resources if resource.custom and not resource.external)
    return {name: counts[name] for name in sorted(counts) if name not in (_JUDGED, _ENGINE, *_LOCAL_PROVIDERS)}


def describe(counts: Mapping[str, int]) -> Finding | None:
    """Report that resources were not judged; None where all were."""
    parts = [
        f"1 resource of {name} was not judged" if count == 1 else f"{count} resources of {name} were not judged"
        for name, count in counts.items()
    ]
    if not parts:
        return None
    return Finding(f"{', '.join(parts)}: the rules judge resources of the provider {_JUDGED} only.", RULE.fix)


def _resources_are_judged(*_: Any, **__: Any) -> None:
    """Every resource is of the provider aws: the rules do not judge those of aws-native and other providers.

    Use the provider aws for what the rules should judge, and review the other resources by hand.
    """


_DESCRIPTION, _FIX = read_docstring(_resources_are_judged)
RULE = Rule(
    name=NAME,
    description=_DESCRIPTION,
    fix=_FIX,
    types=(),
    severity="low",
    enforcement="advisory",
    link="https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/what-is-cloudcontrolapi.html",
    function=_resources_are_judged,
    needs_stack=True,
    subject="unjudged",
)
"""Evaluated by `describe`, not by its function: it is about the stack as a whole."""


def _package(resource: Resource) -> str:
    return resource.type.partition(":")[0]
