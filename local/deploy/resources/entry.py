"""An entry of the resource table: the inputs that a resource type supports, and how to create and delete it."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...aws import Aws
from ...errors import LocalError

Inputs = Mapping[str, Any]
"""The program's inputs in the provider's camelCase, with the physical name filled in."""


@dataclass(frozen=True)
class CreatedResource:
    """A resource that was just created."""

    id: str
    """Its id, as the AWS provider forms it."""
    outputs: dict[str, Any]
    """What AWS adds to the inputs, and what is needed to delete the resource; never a secret value."""


def _delete_nothing(aws: Aws, resource: CreatedResource) -> None:
    """Do nothing: the resource is deleted with its parent."""


def _list_nothing(aws: Aws) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Entry:
    """One resource type."""

    token: str
    """The type as Pulumi writes it, such as `aws:sns/topic:Topic`."""
    supported_inputs: frozenset[str]
    """Inputs that `create` passes on. `a.b` is a key of an object or of each object in a list; `a` is every key."""
    create: Callable[[Aws, Inputs], CreatedResource]
    delete: Callable[[Aws, CreatedResource], None] = _delete_nothing
    name_input: str | None = None
    """The input that is set to `<logical name>-<7 hex digits>` when the program omits it, as by the engine."""
    prefix_input: str | None = None
    """The input that a generated name starts with, before 26 digits, as by the provider."""
    list_names: Callable[[Aws], Iterable[str]] = _list_nothing
    """Lists the names of all resources of this type."""

    def with_name(self, logical_name: str, inputs: Inputs) -> dict[str, Any]:
        """Return the inputs with a physical name, which is generated unless the program gave one."""
        if self.name_input is None or inputs.get(self.name_input) is not None:
            return dict(inputs)
        if self.prefix_input and inputs.get(self.prefix_input):
            return {**inputs, self.name_input: f"{inputs[self.prefix_input]}{secrets.token_hex(13)}"}
        name = f"{logical_name}-{secrets.token_hex(4)[:7]}"
        return {**inputs, self.name_input: name}

    def reject_unknown_inputs(self, inputs: Inputs) -> None:
        """Raise LocalError for an input that `create` would ignore."""
        unknown = sorted({path for path in _list_input_paths(inputs) if not self._is_supported(path)})
        if unknown:
            raise LocalError(
                f"The entry of {self.token} in local/deploy/resources has no input {', '.join(unknown)}: add it there."
            )

    def _is_supported(self, input_path: str) -> bool:
        parts = input_path.split(".")
        return any(".".join(parts[:depth]) in self.supported_inputs for depth in range(1, len(parts) + 1))


def _list_input_paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _list_input_paths(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _list_input_paths(item, path)
    elif value is not None and path:
        yield path


def supported_inputs(*inputs: str) -> frozenset[str]:
    """Return the inputs that an entry passes on."""
    return frozenset(inputs)


def select_inputs(inputs: Inputs, **calls_it: str) -> dict[str, Any]:
    """Return the inputs that are set, under the parameter names of the AWS call."""
    return {aws_name: inputs[name] for aws_name, name in calls_it.items() if inputs.get(name) is not None}


def build_tag_list(inputs: Inputs, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Return the tags as the list of pairs that most services expect."""
    return [{key: name, value: text} for name, text in (inputs.get("tags") or {}).items()]


def to_api_case(value: Any) -> Any:
    """Convert the provider's keys to those of the API: `maximumRetryAttempts` becomes `MaximumRetryAttempts`."""
    if isinstance(value, Mapping):
        return {key[:1].upper() + key[1:]: to_api_case(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [to_api_case(item) for item in value]
    return value
