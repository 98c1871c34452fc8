"""What a rule is: a function of one resource that returns its findings, and what there is to know about it.

    @rule(kinds.QUEUE, severity="medium", enforcement="advisory", link="https://docs.aws.amazon.com/...")
    def queue_is_encrypted(queue: Resource) -> Complaints:
        \"\"\"A queue is encrypted.

        Set sqsManagedSseEnabled to true.
        \"\"\"

The function's name with dashes is the policy's name, the first paragraph of its docstring the description, the second
the fix. A `stack_rule` gets the stack as its second argument. Parameters follow as keywords: `minRetentionDays` of the
configuration is `min_retention_days`.
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

_EXEMPT_PREFIX = 128 - len("rotation-guard:exempt-")
"""A rule's name is part of a tag's key, and those have at most 128 characters."""


@dataclass
class Rule:
    """One policy."""

    name: str
    description: str
    types: tuple[str, ...]
    severity: Severity
    enforcement: Enforcement
    """Its level unless the configuration says otherwise: mandatory for what loses messages, opens access or cannot
    work, advisory for hygiene."""
    link: str
    """The page that says so."""
    function: Callable[..., Complaints]
    needs_stack: bool
    """Whether it needs the other resources: then it runs once all are known."""
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    """JSON schemas by name; each has a default."""
    fix: str = ""
    """How to satisfy it, whatever the resource is: the policy's remediation steps."""
    subject: str = ""
    """The module that it is written in, such as `queues`."""
    remediation: Callable[..., Mapping[str, Any]] | None = None
    """The inputs that would satisfy it, where it can be put right without asking anyone."""

    def findings(self, resource: Resource, stack: Stack, settings: Mapping[str, Any]) -> Iterator[Finding]:
        """What is wrong with this resource; nothing where the rule cannot tell."""
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
        """Its parameters as they are unless configured."""
        return {name: schema["default"] for name, schema in self.parameters.items()}

    def _keywords(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        if not (settings or self.parameters):
            return {}
        return {_snake(name): value for name, value in (self.defaults() | dict(settings)).items()}


REGISTRY: dict[str, Rule] = {}
"""Every rule by its name, in the order of the modules and of the lines in them."""

Decorator = Callable[[Callable[..., Complaints]], Rule]


def rule(
    *types: str,
    severity: Severity,
    enforcement: Enforcement,
    link: str,
    parameters: Mapping[str, Schema] | None = None,
) -> Decorator:
    """A rule about one resource by itself: it holds before the resource is made."""
    return _decorator(types, False, severity, enforcement, link, parameters)


def stack_rule(
    *types: str,
    severity: Severity,
    enforcement: Enforcement,
    link: str,
    parameters: Mapping[str, Schema] | None = None,
) -> Decorator:
    """A rule about a resource among the others: its function takes the resource and the stack."""
    return _decorator(types, True, severity, enforcement, link, parameters)


def check_each(parts: Iterable[Any], judge: Callable[[Any], Complaints]) -> Iterator[Finding]:
    """The findings about several parts of one resource: a part that is unknown leaves the others to be judged."""
    for part in parts:
        try:
            yield from flatten(judge(part))
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
        if name in REGISTRY or len(name) > _EXEMPT_PREFIX:
            raise ValueError(f"a rule's name must be its own and have at most {_EXEMPT_PREFIX} characters, got {name}")
        description, fix = read_docstring(function)
        made = Rule(
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
        REGISTRY[name] = made
        return made

    return register


def read_docstring(function: Callable[..., Any]) -> tuple[str, str]:
    """Description and fix of a rule: the first two paragraphs of its docstring, each as one line."""
    description, _, fix = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    return " ".join(description.split()), " ".join(fix.split())


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", name)
