"""What deployments of this release consist of, as `make docs` writes it: the components are not imported here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

ALWAYS, WITH_KEY, BY_SETTINGS = "always", "with a customer key", "by settings"
"""When a permission is needed."""


@dataclass(frozen=True)
class Permission:
    """An action that a role needs."""

    action: str
    resource: str
    """An ARN with `{partition}`, `{region}` and `{account}`, or one that an output or function in braces stands for;
    empty where settings choose the resource."""
    when: str


@dataclass(frozen=True)
class ExpectedRule:
    """A rule, where it leads, and what it is for."""

    targets: Sequence[str]
    """Such as `failures` and `audit`: the ids of its targets."""
    events: Mapping[str, Mapping[str, Any]]
    """Recorded events that it matches, by name."""
    dead_letters: str
    """The output that is the queue of what its targets do not take."""
    is_optional: bool
    """Whether a setting brings it."""


@dataclass(frozen=True)
class Expectations:
    """The parts of a deployment by short names."""

    version: str
    rules: Mapping[str, ExpectedRule]
    integration_events: Mapping[str, Mapping[str, Any]]
    """Recorded events that the rule of every integration matches, its filter aside."""
    environments: Mapping[str, Mapping[str, str]]
    """Function -> variable -> the output that is its value."""
    permissions: Mapping[str, Sequence[Permission]]
    """Function, `workflow` or schedule -> what its role needs."""


@cache
def expectations(kind: str = "stack") -> Expectations:
    """A deployment of this kind and release: `stack`, `hub` or `member`."""
    document = json.loads((files("rotation_guard.cli.doctor") / "expectations.json").read_text(encoding="utf-8"))
    events, described = document["events"], document[kind]
    return Expectations(
        document["version"],
        {
            short: ExpectedRule(
                rule["targets"],
                {name: events[name] for name in rule["events"]},
                rule["dead_letters"],
                rule["is_optional"],
            )
            for short, rule in described["rules"].items()
        },
        {name: events[name] for name in document["integration_events"]},
        described["environments"],
        {role: [Permission(*row) for row in rows] for role, rows in described["permissions"].items()},
    )
