"""What one row of the table is: which inputs a resource type understands, and the calls that make and end it."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...aws import Aws
from ...errors import LocalError

Inputs = Mapping[str, Any]
"""What the program gave, in the provider's camelCase, the physical name filled in."""


@dataclass(frozen=True)
class Created:
    """A resource that exists now."""

    id: str
    """Its id, as the AWS provider forms it."""
    outputs: dict[str, Any]
    """What AWS added to the inputs, and what is needed to delete it; never a secret value."""


def _goes_with_its_parent(aws: Aws, resource: Created) -> None:
    """Nothing to do: the resource this one is part of takes it along."""


def _lists_nothing(aws: Aws) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Entry:
    """One resource type."""

    token: str
    """The type as Pulumi writes it, such as `aws:sns/topic:Topic`."""
    understands: frozenset[str]
    """Inputs that `create` passes on. `a.b` is one key of an object or of each object in a list; `a` is all of it."""
    create: Callable[[Aws, Inputs], Created]
    delete: Callable[[Aws, Created], None] = _goes_with_its_parent
    autonamed: str | None = None
    """The input that gets `<logical name>-<7 hex digits>` when the program leaves it out, as the engine does."""
    prefix: str | None = None
    """The input that a generated name begins with, before 26 digits, as the provider does."""
    lists: Callable[[Aws], Iterable[str]] = _lists_nothing
    """Names of all resources of this type that exist."""

    def named(self, logical_name: str, inputs: Inputs) -> dict[str, Any]:
        """The inputs with a physical name, generated unless the program gave one."""
        if self.autonamed is None or inputs.get(self.autonamed) is not None:
            return dict(inputs)
        if self.prefix and inputs.get(self.prefix):
            return {**inputs, self.autonamed: f"{inputs[self.prefix]}{secrets.token_hex(13)}"}
        name = f"{logical_name}-{secrets.token_hex(4)[:7]}"
        return {**inputs, self.autonamed: name}

    def refuse_unknown(self, inputs: Inputs) -> None:
        """Raise LocalError for an input that `create` would silently pass over."""
        unknown = sorted(set(_leaves(inputs)) - {leaf for leaf in _leaves(inputs) if self._knows(leaf)})
        if unknown:
            raise LocalError(
                f"local/deploy/resources knows {self.token}, but not its input {', '.join(unknown)}: add it there."
            )

    def _knows(self, leaf: str) -> bool:
        parts = leaf.split(".")
        return any(".".join(parts[:depth]) in self.understands for depth in range(1, len(parts) + 1))


def _leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _leaves(item, path)
    elif value is not None and path:
        yield path


def understands(*inputs: str) -> frozenset[str]:
    """The inputs an entry passes on."""
    return frozenset(inputs)


def given(inputs: Inputs, **calls_it: str) -> dict[str, Any]:
    """Of these inputs the ones that were given, under the names the AWS call has for them."""
    return {aws_name: inputs[name] for aws_name, name in calls_it.items() if inputs.get(name) is not None}


def tag_list(inputs: Inputs, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """The tags as the list of pairs that most services take."""
    return [{key: name, value: text} for name, text in (inputs.get("tags") or {}).items()]


def capitalised(value: Any) -> Any:
    """An object of the provider as AWS writes it: `maximumRetryAttempts` becomes `MaximumRetryAttempts`."""
    if isinstance(value, Mapping):
        return {key[:1].upper() + key[1:]: capitalised(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [capitalised(item) for item in value]
    return value
