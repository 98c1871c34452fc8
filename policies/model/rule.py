"""A rule: a function that returns the findings about one resource, and its metadata.

    @rule(resource_types.QUEUE, severity="medium", enforcement="advisory", link="https://docs.aws.amazon.com/...")
    def queue_is_encrypted(queue: Resource) -> Complaints:
        \"\"\"A queue is encrypted.

        Set sqsManagedSseEnabled to true.
        \"\"\"

The function's name with dashes is the policy's name. The first paragraph of its docstring is the description, the
second the fix. A `stack_rule` gets the stack as its second argument. Parameters are keyword arguments:
`minRetentionDays` of the configuration becomes `min_retention_days`.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .finding import Complaints, Finding, flatten
from .stack import Resource, Stack
from .values import Undecided

Severity = Literal["low", "medium", "high", "critical"]
Enforcement = Literal["advisory", "mandatory", "remediate", "disabled"]
Schema = Mapping[str, Any]

_MAX_NAME_LENGTH = 128 - len("rotation-guard:exempt-")
"""A rule's name is part of a tag key, which has at most 128 characters."""


@dataclass
class Rule:
    """One policy."""

    name: str
    description: str
    types: tuple[str, ...]
    severity: Severity
    enforcement: Enforcement
    """The default level: mandatory for findings that lose messages, open access or cannot work, else advisory."""
    link: str
    """AWS's documentation of the recommendation."""
    function: Callable[..., Complaints]
    needs_stack: bool
    """Whether it needs the other resources: then it runs when all of them are known."""
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    """JSON schemas by parameter name; each has a default."""
    fix: str = ""
    """How to satisfy the rule: the policy's remediation steps."""
    subject: str = ""
    """The rule's module, such as `sqs_queues`."""
    remediation: Callable[..., Mapping[str, Any]] | None = None
    """Returns the inputs to change, where the engine can fix a resource on its own."""

    def findings(self, resource: Resource, stack: Stack, settings: Mapping[str, Any]) -> Iterator[Finding]:
        """Evaluate one resource. Ends at an unknown value that decides the rest."""
        subjects = (resource, stack) if self.needs_stack else (resource,)
        try:
            yield from flatten(self.function(*subjects, **self._keywords(settings)))
        except Undecided:
            return

    def remediate(self, resource: Resource, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The inputs to change so that the resource satisfies the rule; empty where it does."""
        if self.remediation is None or not any(self.findings(resource, Stack([resource]), settings)):
            return {}
        return self.remediation(resource, **self._keywords(settings))

    def remediates(self, function: Callable[..., Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
        """Decorate the function that returns the inputs to change: `@queue_is_encrypted.remediates`."""
        self.remediation = function
        return function

    def defaults(self) -> dict[str, Any]:
        """The default of each parameter."""
        return {name: schema["default"] for name, schema in self.parameters.items()}

    def _keywords(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        if not (settings or self.parameters):
            return {}
        return {_to_snake_case(name): value for name, value in (self.defaults() | dict(settings)).items()}


REGISTRY: dict[str, Rule] = {}
"""Every rule by its name, in the order of declaration."""

Decorator = Callable[[Callable[..., Complaints]], Rule]


def rule(
    *types: str,
    severity: Severity,
    enforcement: Enforcement,
    link: str,
    parameters: Mapping[str, Schema] | None = None,
) -> Decorator:
    """Declare a rule about a single resource: it is evaluated before the resource is created."""
    return _decorator(types, False, severity, enforcement, link, parameters)


def stack_rule(
    *types: str,
    severity: Severity,
    enforcement: Enforcement,
    link: str,
    parameters: Mapping[str, Schema] | None = None,
) -> Decorator:
    """Declare a rule about a resource among others: its function takes the resource and the stack."""
    return _decorator(types, True, severity, enforcement, link, parameters)


def check_each(parts: Iterable[Any], check: Callable[[Any], Complaints]) -> Iterator[Finding]:
    """Check several parts of a resource; an unknown value ends the check of its own part only."""
    for part in parts:
        try:
            yield from flatten(check(part))
        except Undecided:
            continue


def _decorator(
    types: tuple[str, ...],
    of_stack: bool,
    severity: Severity,
    enforcement: Enforcement,
    link: str,
    parameters: Mapping[str, Schema] | None,
) -> Decorator:
    def register(function: Callable[..., Complaints]) -> Rule:
        name = getattr(function, "__name__", "").replace("_", "-")
        if name in REGISTRY or len(name) > _MAX_NAME_LENGTH:
            raise ValueError(f"a rule's name must be unique and have at most {_MAX_NAME_LENGTH} characters, got {name}")
        description, fix = read_docstring(function)
        declared = Rule(
            name=name,
            description=description,
            fix=fix,
            types=types,
            severity=severity,
            enforcement=enforcement,
            link=link,
            function=function,
            needs_stack=of_stack,
            parameters=parameters or {},
            subject=function.__module__.rpartition(".")[2],
        )
        REGISTRY[name] = declared
        return declared

    return register


def read_docstring(function: Callable[..., Any]) -> tuple[str, str]:
    """Split a rule's docstring into the description and the fix, each as one line."""
    description, _, fix = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    return " ".join(description.split()), " ".join(fix.split())


def _to_snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", name)
