"""Resources as the rules read them, and the references between the resources of a stack."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

from ..aws import arns
from . import resource_types, values
from .values import Mark, Undecided

IDENTITIES = ("arn", "id", "url", "name", "keyId", "qualifiedArn")
"""Outputs by which other resources refer to a resource."""


def effective_inputs(
    inputs: Mapping[str, Any], outputs: Mapping[str, Any], property_dependencies: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    """The properties that rules check: the inputs, and the outputs by which other resources refer to the resource.

    Other outputs repeat the inputs or reflect another resource: a queue has the policy of a QueuePolicy as an output.
    Without inputs, the outputs are used, except for unknown ones without dependencies: the provider computes these.
    """
    if inputs:
        known = {key: outputs[key] for key in IDENTITIES if not isinstance(outputs.get(key), Mark | None)}
        return known | dict(inputs)
    return {
        key: value for key, value in outputs.items() if not isinstance(value, Mark) or property_dependencies.get(key)
    }


@dataclass(frozen=True, eq=False)
class Resource:
    """A resource with its effective inputs. Accessors take a path, such as `target.retryPolicy`.

    They raise Undecided for an unknown or secret value; a rule lets that pass and reports nothing.
    """

    type: str
    name: str
    """The logical name, which is the last part of the URN."""
    urn: str
    props: Mapping[str, Any]
    """Plain values and marks."""
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """URNs of the resources that each input depends on."""
    parent: str | None = None
    external: bool = False
    """Whether it is only read by this program: rules may refer to it, and report nothing about it."""
    custom: bool = False
    """Whether it is managed by a provider: false for a component."""

    def value(self, path: str) -> Any:
        """The value or a mark; None where it is absent."""
        return values.get_path(self.props, path)

    def has(self, path: str) -> bool:
        """Whether a value is set, known or not."""
        try:
            return self.value(path) not in (None, "", [], {})
        except Undecided:
            return True

    @overload
    def number(self, path: str) -> float | None: ...
    @overload
    def number(self, path: str, absent: float) -> float: ...
    def number(self, path: str, absent: float | None = None) -> float | None:
        """A number; `absent` is AWS's default."""
        number = values.number(self.value(path))
        return absent if number is None else number

    def text(self, path: str) -> str | None:
        """A string; None where it is absent or empty."""
        return values.text(self.value(path))

    @overload
    def flag(self, path: str) -> bool | None: ...
    @overload
    def flag(self, path: str, absent: bool) -> bool: ...
    def flag(self, path: str, absent: bool | None = None) -> bool | None:
        """A boolean; `absent` is AWS's default."""
        flag = values.flag(self.value(path))
        return absent if flag is None else flag

    def items(self, path: str) -> list[Any]:
        """A list, marks included; a single value becomes a list."""
        return values.items(self.value(path))

    def texts(self, path: str) -> list[str]:
        """A list of strings, all of them known."""
        return values.texts(self.value(path))

    def document(self, path: str) -> dict[str, Any] | None:
        """A JSON object, also parsed from a string; None where it is absent or empty."""
        return values.document(self.value(path))

    @cached_property
    def tags(self) -> dict[str, str]:
        """The known tags."""
        tags = self.props.get("tags")
        if not isinstance(tags, Mapping):
            return {}
        return {key: value for key, value in tags.items() if isinstance(value, str)}


@dataclass(frozen=True)
class Referring:
    """The resources that refer to a resource."""

    certain: tuple[Resource, ...]
    undecided: bool
    """Whether other resources may refer to it too."""

    def some(self) -> bool:
        """Whether there is at least one; raises Undecided where only an unknown value may refer to it."""
        if not self.certain and self.undecided:
            values.raise_undecided("a reference is unknown")
        return bool(self.certain)

    def all(self) -> tuple[Resource, ...]:
        """All of them; raises Undecided where there may be more."""
        if self.undecided:
            values.raise_undecided("a reference is unknown")
        return self.certain


class Stack:
    """All resources of a program and the references between them. Lookups are memoized."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        self._references: dict[tuple[str, str, tuple[str, ...]], _References] = {}
        self._memo: dict[Any, Any] = {}

    def of_type(self, *types: str) -> list[Resource]:
        """All resources of these types."""
        return [resource for type_ in types for resource in self._by_type.get(type_, ())]

    def by_urn(self, urn: str) -> Resource | None:
        """The resource with this URN."""
        return self._by_urn.get(urn)

    def memoize(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result of `function(stack, *arguments)`, computed once per stack: for indexes that rules need."""
        key = (function, *arguments)
        if key not in self._memo:
            self._memo[key] = function(self, *arguments)
        return self._memo[key]

    def find(self, value: str, *types: str) -> Resource | None:
        """Find the resource of these types with this ARN, URL, id or name; None where it is not in this stack.

        Raises Undecided where several match, or a resource whose ARN is not known yet may match.
        """
        return _get_single(value, *self._find_candidates(value, types))

    def _find_candidates(self, value: str, types: tuple[str, ...]) -> tuple[list[Resource], bool]:
        """The resources that a value may refer to, and whether it certainly refers to them."""
        function = arns.parse_function(value)
        for identity in (value, function[0] if function else None):
            if identity and (matches := self._find_by_identity(identity, types)):
                return matches, True
        # At a preview the name in a literal ARN may match a resource whose own ARN, and so account, is still unknown.
        name = arns.name_in(value)
        named = self._find_by_identity(name, types) if name else ()
        return [
            candidate
            for candidate in named
            if arns.may_identify(value, candidate.type) and not isinstance(candidate.props.get("arn"), str)
        ], False

    def target(self, resource: Resource, path: str, *types: str) -> Resource | None:
        """The resource of these types that a property refers to; None where it is absent or not in this stack.

        Uses the value, or else the property's dependencies. Raises Undecided where these are not enough.
        """
        value = _get_text(resource, path)
        return (
            None
            if value is None
            else _get_single(f"{path} of {resource.name}", *self._referred(resource, path, value, types))
        )

    def targets(self, resource: Resource, path: str, *types: str) -> list[tuple[str | Mark, Resource]]:
        """The resources of these types that a list certainly refers to, each with the value that does."""
        referred = []
        for value in _get_texts(resource, path):
            candidates, certain = self._referred(resource, path, value, types)
            if candidates and certain and len(candidates) == 1:
                referred.append((value, candidates[0]))
        return referred

    def referring(self, target: Resource, path: str, *types: str) -> Referring:
        """The resources of these types whose property, or an item of its list, refers to this resource."""
        key = (path, target.type, types)
        if key not in self._references:
            self._references[key] = _References(self, *key)
        return self._references[key].to(target)

    def _referred(
        self, resource: Resource, path: str, value: str | Mark, types: tuple[str, ...]
    ) -> tuple[list[Resource] | None, bool]:
        """The resources of these types that a value may refer to (None: any), and whether that is certain."""
        derived_from, direct = self._find_dependencies(resource, path, types)
        if isinstance(value, Mark):
            return derived_from, direct
        candidates, certain = self._find_candidates(value, types)
        if len(candidates) > 1 or not certain:
            # Two resources may have the same name, on two buses or in two Regions.
            own = [candidate for candidate in candidates if candidate in (derived_from or ())]
            return (own, True) if len(own) == 1 else (candidates, certain)
        return candidates, certain

    def _find_dependencies(
        self, resource: Resource, path: str, types: tuple[str, ...]
    ) -> tuple[list[Resource] | None, bool]:
        """The resources of these types that an unknown property may refer to (None: any), and if it certainly does.

        A property that depends only on resources of other types refers to none, unless one of them is attached to a
        resource of these types: it may pass on its name.
        """
        derived_from = self._derived_from(resource, path.partition(".")[0])
        if direct := [source for source in derived_from if source.type in types]:
            return direct, True
        attached_to = {
            target.urn: target
            for source in derived_from
            if source.type in resource_types.ATTACHMENTS
            for key in source.property_dependencies
            for target in self._derived_from(source, key)
            if target.type in types
        }
        if attached_to or any(source.type.startswith("aws:") for source in derived_from):
            return list(attached_to.values()), not attached_to
        return None, True

    def _derived_from(self, resource: Resource, key: str) -> list[Resource]:
        """The resources that an input depends on, with the children of components."""
        urns = resource.property_dependencies.get(key, ())
        return list({source.urn: source for urn in urns for source in self._with_children(urn)}.values())

    def _with_children(self, urn: str) -> Iterable[Resource]:
        """A resource, and the children of a component."""
        waiting, seen = [urn], set()
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            if resource := self.by_urn(current):
                yield resource
                if not resource.type.startswith("aws:"):
                    waiting.extend(child.urn for child in self._by_parent.get(current, ()))

    @cached_property
    def _by_urn(self) -> dict[str, Resource]:
        return {resource.urn: resource for resource in self.resources}

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        return _group((resource.type, resource) for resource in self.resources)

    @cached_property
    def _by_parent(self) -> dict[str, list[Resource]]:
        return _group((resource.parent, resource) for resource in self.resources if resource.parent)

    def _find_by_identity(self, identity: str, types: tuple[str, ...]) -> list[Resource]:
        """The resources of these types with this ARN, URL, id or name."""
        return [resource for type_ in types for resource in self._by_identity.get((type_, identity), ())]

    @cached_property
    def _by_identity(self) -> dict[tuple[str, str], list[Resource]]:
        return _group(
            ((resource.type, identity), resource)
            for resource in self.resources
            for identity in {value for value in map(resource.props.get, IDENTITIES) if isinstance(value, str)}
            if identity
        )


class _References:
    """An index of all references by one property to resources of one type."""

    def __init__(self, stack: Stack, path: str, target_type: str, types: tuple[str, ...]) -> None:
        self._certain: dict[str, list[Resource]] = {}
        self._possible: set[str] = set()
        self._to_any = False
        for resource in stack.of_type(*types):
            self._add(stack, resource, path, target_type)
        self._none = Referring((), self._to_any)
        self._to = {
            urn: Referring(tuple(self._certain.get(urn, ())), self._to_any or urn in self._possible)
            for urn in (*self._certain, *self._possible)
        }

    def _add(self, stack: Stack, resource: Resource, path: str, target_type: str) -> None:
        certain: dict[str, Resource] = {}
        for value in _get_texts(resource, path):
            candidates, is_certain = stack._referred(resource, path, value, (target_type,))
            if candidates is None:
                self._to_any = True
            elif is_certain and len(candidates) == 1:
                certain[candidates[0].urn] = resource
            else:
                self._possible.update(candidate.urn for candidate in candidates)
        for urn in certain:
            self._certain.setdefault(urn, []).append(resource)

    def to(self, target: Resource) -> Referring:
        return self._to.get(target.urn, self._none)


def _get_single(what: str, candidates: list[Resource] | None, certain: bool) -> Resource | None:
    """The only candidate, or None; raises Undecided where there are several, or it is not certain."""
    if candidates is None or len(candidates) > 1 or (candidates and not certain):
        values.raise_undecided(
            f"{what} may be {', '.join(candidate.name for candidate in candidates or ()) or 'anything'}"
        )
    return candidates[0] if candidates else None


def _get_text(resource: Resource, path: str) -> str | Mark | None:
    """The string at a path; None where it is absent, a mark where it is unknown."""
    try:
        return values.text(resource.value(path))
    except Undecided:
        return Mark.UNKNOWN


def _get_texts(resource: Resource, path: str) -> list[str | Mark]:
    """The strings at a path, through lists, with a mark for each unknown one."""
    try:
        listed = list(values.get_all(resource.props, path))
    except Undecided:
        return [Mark.UNKNOWN]
    return [
        Mark.UNKNOWN if isinstance(value, Mark) else value
        for value in listed
        if isinstance(value, str | Mark) and value != ""
    ]


def _group(pairs: Iterable[tuple[Any, Resource]]) -> dict[Any, list[Resource]]:
    groups: dict[Any, list[Resource]] = {}
    for key, resource in pairs:
        groups.setdefault(key, []).append(resource)
    return groups
