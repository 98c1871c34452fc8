"""One resource as a rule reads it, and the stack it stands in: who refers to whom."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

from ..aws import arns
from . import resource_types, values
from .values import Mark, Undecided

IDENTITIES = ("arn", "id", "url", "name", "keyId", "qualifiedArn")
"""Outputs by which other resources call one."""


def effective_inputs(
    inputs: Mapping[str, Any], outputs: Mapping[str, Any], property_dependencies: Mapping[str, Iterable[str]]
) -> dict[str, Any]:
    """The properties that rules judge: what the program asked for, and the outputs by which others refer to it.

    Other outputs are left out. They repeat the inputs, or say what somebody else did: a queue has as an output the
    policy that a QueuePolicy set. Where there are no inputs (a stack as the engine shows it) the outputs are all there
    is. One that is unknown, and was made of nothing, is no input: the provider will compute it, so it is absent.
    """
    if inputs:
        known = {key: outputs[key] for key in IDENTITIES if not isinstance(outputs.get(key), Mark | None)}
        return known | dict(inputs)
    return {
        key: value for key, value in outputs.items() if not isinstance(value, Mark) or property_dependencies.get(key)
    }


@dataclass(frozen=True, eq=False)
class Resource:
    """What a program asked for, and what is known of the outcome. Readers take a path, such as `target.retryPolicy`.

    Each raises Undecided where the value is unknown or secret: a rule lets that pass, and so stays silent.
    """

    type: str
    name: str
    """Its logical name: the last part of the URN."""
    urn: str
    props: Mapping[str, Any]
    """Plain values and marks: the inputs, and outputs where there is no such input."""
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """URNs of the resources that each input was made of."""
    parent: str | None = None
    external: bool = False
    """Not this program's to change: it is referred to, and never complained about."""
    custom: bool = False
    """Whether a provider makes it: it is no component."""

    def value(self, path: str) -> Any:
        """Whatever is there, marks included; None where it is absent."""
        return values.get_path(self.props, path)

    def has(self, path: str) -> bool:
        """Whether something is set there, known or not."""
        try:
            return self.value(path) not in (None, "", [], {})
        except Undecided:
            return True

    @overload
    def number(self, path: str) -> float | None: ...
    @overload
    def number(self, path: str, absent: float) -> float: ...
    def number(self, path: str, absent: float | None = None) -> float | None:
        """A number; `absent` is what AWS takes where none is given."""
        number = values.number(self.value(path))
        return absent if number is None else number

    def text(self, path: str) -> str | None:
        """A text; None where it is absent or empty."""
        return values.text(self.value(path))

    @overload
    def flag(self, path: str) -> bool | None: ...
    @overload
    def flag(self, path: str, absent: bool) -> bool: ...
    def flag(self, path: str, absent: bool | None = None) -> bool | None:
        """True or false; `absent` is what AWS takes where neither is given."""
        flag = values.flag(self.value(path))
        return absent if flag is None else flag

    def items(self, path: str) -> list[Any]:
        """A list, marks included; one value alone is a list of one."""
        return values.items(self.value(path))

    def texts(self, path: str) -> list[str]:
        """A list of texts, all of them known."""
        return values.texts(self.value(path))

    def document(self, path: str) -> dict[str, Any] | None:
        """A JSON object, be it a text or an object; None where it is absent or empty."""
        return values.document(self.value(path))

    @property
    def tags(self) -> dict[str, str]:
        """Its tags, as far as they are known."""
        tags = self.props.get("tags")
        if not isinstance(tags, Mapping):
            return {}
        return {key: value for key, value in tags.items() if isinstance(value, str)}


@dataclass(frozen=True)
class Referring:
    """Those that refer to one resource, and those of which nobody can tell yet."""

    certain: tuple[Resource, ...]
    undecided: bool
    """Whether there may be more."""

    def some(self) -> bool:
        """Whether there is one; raises Undecided where nobody can tell."""
        if not self.certain and self.undecided:
            values.raise_undecided("a reference is unknown")
        return bool(self.certain)

    def all(self) -> tuple[Resource, ...]:
        """Every one; raises Undecided where there may be more."""
        if self.undecided:
            values.raise_undecided("a reference is unknown")
        return self.certain


class Stack:
    """All resources of a program, and the ways from one to another. What was looked up once is kept."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        self._references: dict[tuple[str, str, tuple[str, ...]], _References] = {}
        self._kept: dict[Any, Any] = {}

    def of_type(self, *types: str) -> list[Resource]:
        """All resources of these types."""
        return [resource for type_ in types for resource in self._by_type.get(type_, ())]

    def by_urn(self, urn: str) -> Resource | None:
        """The resource with this URN."""
        return self._by_urn.get(urn)

    def memoize(self, what: Callable[..., Any], *about: Any) -> Any:
        """The answer of `what(stack, *about)`, computed at its first asking: for indices of a rule's own."""
        key = (what, *about)
        if key not in self._kept:
            self._kept[key] = what(self, *about)
        return self._kept[key]

    def find(self, value: str, *types: str) -> Resource | None:
        """The resource of these types that this ARN, URL, id or name means; None where it is not in this stack.

        Raises Undecided where it may mean one whose own ARN is not known yet, or several.
        """
        return _one(value, *self._meant(value, types))

    def _meant(self, value: str, types: tuple[str, ...]) -> tuple[list[Resource], bool]:
        """The resources that this may mean, and whether it means them for certain."""
        function = arns.function(value)
        for called in (value, function[0] if function else None):
            if called and (matches := self._find_by_identity(called, types)):
                return matches, True
        # At a preview a name may be known while the ARN, which somebody wrote out in full, is not: then the account is
        # still open.
        name = arns.name_in(value)
        named = self._find_by_identity(name, types) if name else ()
        return [
            candidate
            for candidate in named
            if arns.may_name(value, candidate.type) and not isinstance(candidate.props.get("arn"), str)
        ], False

    def target(self, resource: Resource, path: str, *types: str) -> Resource | None:
        """The resource of these types that this property refers to; None where it is absent or not in this stack.

        Decided by the value, else by what the property was made of. Raises Undecided where neither settles it.
        """
        value = _known(resource, path)
        return (
            None if value is None else _one(f"{path} of {resource.name}", *self._referred(resource, path, value, types))
        )

    def targets(self, resource: Resource, path: str, *types: str) -> list[tuple[str | Mark, Resource]]:
        """The resources of these types that the values of a list certainly refer to, each with its value."""
        referred = []
        for value in _known_all(resource, path):
            candidates, certain = self._referred(resource, path, value, types)
            if candidates and certain and len(candidates) == 1:
                referred.append((value, candidates[0]))
        return referred

    def referring(self, target: Resource, path: str, *types: str) -> Referring:
        """The resources of these types whose property refers to this one, be it among others in a list."""
        key = (path, target.type, types)
        if key not in self._references:
            self._references[key] = _References(self, *key)
        return self._references[key].to(target)

    def _referred(
        self, resource: Resource, path: str, value: str | Mark, types: tuple[str, ...]
    ) -> tuple[list[Resource] | None, bool]:
        """Those of these types that a value may refer to, None where it may be any; and whether that is certain."""
        derived_from, direct = self._candidates(resource, path, types)
        if isinstance(value, Mark):
            return derived_from, direct
        meant, certain = self._meant(value, types)
        if len(meant) > 1 or not certain:
            # Two may be called the same, on two buses or in two Regions.
            own = [candidate for candidate in meant if candidate in (derived_from or ())]
            return (own, True) if len(own) == 1 else (meant, certain)
        return meant, certain

    def _candidates(self, resource: Resource, path: str, types: tuple[str, ...]) -> tuple[list[Resource] | None, bool]:
        """Those of these types that an unknown property may refer to, None where it may be any; and whether it does.

        What an input was made of is on record. Made of resources of other types alone, it refers to none of these,
        but for what is fixed to one of these: it may have handed on the name.
        """
        derived_from = self._derived_from(resource, path.partition(".")[0])
        if direct := [source for source in derived_from if source.type in types]:
            return direct, True
        fixed_to = {
            target.urn: target
            for source in derived_from
            if source.type in resource_types.ATTACHMENTS
            for key in source.property_dependencies
            for target in self._derived_from(source, key)
            if target.type in types
        }
        if fixed_to or any(source.type.startswith("aws:") for source in derived_from):
            return list(fixed_to.values()), not fixed_to
        return None, True

    def _derived_from(self, resource: Resource, key: str) -> list[Resource]:
        """What one input was made of, in the place of a component what lies in it."""
        urns = resource.property_dependencies.get(key, ())
        return list({source.urn: source for urn in urns for source in self._with_children(urn)}.values())

    def _with_children(self, urn: str) -> Iterable[Resource]:
        """A resource, and in the place of a component what lies in it."""
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
        return _grouped((resource.type, resource) for resource in self.resources)

    @cached_property
    def _by_parent(self) -> dict[str, list[Resource]]:
        return _grouped((resource.parent, resource) for resource in self.resources if resource.parent)

    def _find_by_identity(self, called: str, types: tuple[str, ...]) -> list[Resource]:
        """The resources of these types that are called so: thousands of targets may have the ARN of one function."""
        return [resource for type_ in types for resource in self._by_identity.get((type_, called), ())]

    @cached_property
    def _by_identity(self) -> dict[tuple[str, str], list[Resource]]:
        return _grouped(
            ((resource.type, identity), resource)
            for resource in self.resources
            for identity in {value for value in map(resource.props.get, IDENTITIES) if isinstance(value, str)}
            if identity
        )


class _References:
    """Every reference of one property to one type, resolved once."""

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
        for value in _known_all(resource, path):
            candidates, settled = stack._referred(resource, path, value, (target_type,))
            if candidates is None:
                self._to_any = True
            elif settled and len(candidates) == 1:
                certain[candidates[0].urn] = resource
            else:
                self._possible.update(candidate.urn for candidate in candidates)
        for urn in certain:
            self._certain.setdefault(urn, []).append(resource)

    def to(self, target: Resource) -> Referring:
        return self._to.get(target.urn, self._none)


def _one(what: str, candidates: list[Resource] | None, certain: bool) -> Resource | None:
    """The one that was found, or none; raises Undecided where there are several, or it is not certain."""
    if candidates is None or len(candidates) > 1 or (candidates and not certain):
        values.raise_undecided(
            f"{what} may be {', '.join(candidate.name for candidate in candidates or ()) or 'anything'}"
        )
    return candidates[0] if candidates else None


def _known(resource: Resource, path: str) -> str | Mark | None:
    """The text at a path; None where it is absent, a mark where it cannot be read."""
    try:
        return values.text(resource.value(path))
    except Undecided:
        return Mark.UNKNOWN


def _known_all(resource: Resource, path: str) -> list[str | Mark]:
    """The texts at a path, through lists; a mark in the place of each that cannot be read."""
    try:
        given = list(values.get_all(resource.props, path))
    except Undecided:
        return [Mark.UNKNOWN]
    return [
        Mark.UNKNOWN if isinstance(value, Mark) else value
        for value in given
        if isinstance(value, str | Mark) and value != ""
    ]


def _grouped(pairs: Iterable[tuple[Any, Resource]]) -> dict[Any, list[Resource]]:
    groups: dict[Any, list[Resource]] = {}
    for key, resource in pairs:
        groups.setdefault(key, []).append(resource)
    return groups
