"""Reads the inputs of a component as a program in another language sends them, and finds everything wrong with them.

The SDK's own reading ignores inputs that do not exist, passes whole numbers on as floats, and ends in a traceback for
an Output in place of a number.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.errors import InputPropertyErrorDetails
from pulumi.output import Unknown
from pulumi.provider.experimental.analyzer import PropertyDefinition, PropertyType, TypeDefinition

from ..settings.checks import Check, KeyFormatter, must_be
from ..settings.component_args import complain_about_value
from ..settings.declarations import ARN_LISTS, SETTINGS
from ..settings.removed import REMOVED
from ..settings.setting import to_camel_case
from ..settings.validation import locate, suggest

_TYPES: Mapping[PropertyType | None, tuple[type, str]] = {
    PropertyType.STRING: (str, "text"),
    PropertyType.INTEGER: (int, "an integer"),
    PropertyType.BOOLEAN: (bool, "true or false"),
}
"""Each plain type of the schema in Python, and in messages."""


@dataclass
class InputReader:
    """Reads the inputs of one component; afterwards `errors` says what is wrong with them."""

    component: str
    """Its name in messages, such as `RotationGuard`."""
    types: Mapping[str, TypeDefinition]
    """The types of the schema by name."""
    errors: list[InputPropertyErrorDetails] = field(default_factory=list)

    def read(
        self, inputs: Mapping[str, Any], properties: Mapping[str, PropertyDefinition], names: Mapping[str, str]
    ) -> dict[str, Any]:
        """The arguments of the component, without the inputs that have errors.

        `names` maps the names of the schema to those of the arguments.
        """
        return self._read_fields("", inputs, properties, names, f"an input of {self.component}")

    def _read_fields(
        self,
        path: str,
        given: Mapping[str, Any],
        properties: Mapping[str, PropertyDefinition],
        names: Mapping[str, str],
        what: str,
    ) -> dict[str, Any]:
        prefix = f"{path}." if path else ""
        read = {}
        for name in given:
            if name not in properties:
                self._refuse(prefix + name, _describe_unknown(name, properties, what))
        for name, definition in properties.items():
            known_errors = len(self.errors)
            if name in given:
                value = self._read(prefix + name, given[name], definition, names[name])
                if len(self.errors) == known_errors:
                    read[names[name]] = value
            elif not definition.optional:
                self._refuse(prefix + name, "must be given, got nothing")
        return read

    def _read(self, path: str, value: Any, definition: PropertyDefinition, name: str) -> Any:
        if isinstance(value, (pulumi.Output, Unknown)):
            if definition.plain:
                kind = self._describe(definition)
                self._refuse(path, f"must be {kind} that is known before the deployment and not secret, got an Output")
                return None
            return _check_later(pulumi.Output.from_input(value), path, _check_type(definition, name))
        if definition.ref:
            type_ = self.types.get(definition.ref.rpartition(":")[2])
            if type_ is None:
                return self._read_anything(path, value)
            if not isinstance(value, Mapping):
                self._refuse(path, must_be(self._describe(definition), value))
                return None
            return self._read_fields(path, value, type_.properties, type_.properties_mapping, f"a property of {path}")
        if definition.items is not None:
            if not isinstance(value, Sequence) or isinstance(value, str):
                self._refuse(path, must_be("a list", value))
                return None
            items = definition.items
            return [self._read(f"{path}[{index}]", item, items, name) for index, item in enumerate(value)]
        if definition.additional_properties is not None:
            if not isinstance(value, Mapping):
                self._refuse(path, must_be("a map", value))
                return None
            if not definition.plain and _contains_outputs(value):
                return _check_later(pulumi.Output.from_input(value), path, _check_type(definition, name))
            values = definition.additional_properties
            return {key: self._read(f"{path}.{key}", value[key], values, name) for key in sorted(value)}
        return self._read_plain(path, value, definition)

    def _read_plain(self, path: str, value: Any, definition: PropertyDefinition) -> Any:
        value = _restore_integers(value)
        type_, name = _TYPES[definition.type]
        # True and false are integers in Python.
        if not isinstance(value, type_) or (type_ is int and isinstance(value, bool)):
            self._refuse(path, must_be(name, value))
        return value

    def _read_anything(self, path: str, value: Any) -> Any:
        if _contains_outputs(value):
            self._refuse(path, "must be known before the deployment and not secret, got an Output in it")
        return _restore_integers(value)

    def _describe(self, definition: PropertyDefinition) -> str:
        if definition.items is not None:
            return "a list" if definition.items.plain else "a list, whose entries may be Outputs,"
        if definition.additional_properties is not None:
            return "a map" if definition.additional_properties.plain else "a map, whose values may be Outputs,"
        if definition.ref:
            type_ = self.types.get(definition.ref.rpartition(":")[2])
            return f"a map of {', '.join(type_.properties)}" if type_ else "a value"
        return _TYPES[definition.type][1]

    def _refuse(self, path: str, reason: str) -> None:
        self.errors.append({"property_path": path, "reason": reason.strip()})


def locate_complaints(
    complaints: Iterable[str], inputs: Iterable[str]
) -> tuple[list[InputPropertyErrorDetails], list[str]]:
    """Complaints about settings as errors of these inputs, and those that concern none of them, such as the name."""
    known = set(inputs)
    errors: list[InputPropertyErrorDetails] = []
    others = []
    for complaint in complaints:
        error = locate(complaint)
        if error and re.split(r"\W", error["property_path"])[0] in known:
            errors.append(error)
        else:
            others.append(complaint)
    return errors, others


def rename_words(text: str, names: Mapping[str, str]) -> str:
    """The text with these names in place of others, but for what it quotes."""
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    parts[::2] = [re.sub(r"\w+", lambda word: names.get(word[0], word[0]), part) for part in parts[::2]]
    return "".join(parts)


def check_outputs(args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, of which Outputs that are settings fail the deployment where their value is wrong once known."""
    checked = dict(args)
    for name, setting in SETTINGS.items():
        value = args.get(name)
        if isinstance(value, pulumi.Output):
            checked[name] = _check_later(value, setting.key, setting.check)
        elif name in ARN_LISTS and value is not None:
            checked[name] = [
                _check_later(entry, f"{setting.key}[{index}]", _check_as_list(setting.check))
                if isinstance(entry, pulumi.Output)
                else entry
                for index, entry in enumerate(value)
            ]
    return checked


def _check_later(value: pulumi.Output[Any], path: str, check: Check) -> pulumi.Output[Any]:
    def require(known: Any) -> Any:
        known = _restore_integers(known)
        for message in check(to_camel_case, known):
            # The value may be secret.
            allowed = message.partition(", got ")[0].strip()
            raise pulumi.InputPropertyError(path, f"{allowed}, got an Output with another value")
        return known

    return value.apply(require)


def _check_type(definition: PropertyDefinition, name: str) -> Check:
    """A check of the type of an input of this name, and of ARNs, for a value that is known later."""
    type_ = _TYPES[definition.type][0] if definition.type in _TYPES else Mapping[str, Any]

    def check(_: KeyFormatter, known: Any) -> Iterator[str]:
        yield from (complaint.removeprefix(name) for complaint in complain_about_value(name, known, type_))

    return check


def _check_as_list(check: Check) -> Check:
    """A check of a list for a single entry."""
    return lambda format_key, entry: (message.removeprefix("[0]") for message in check(format_key, [entry]))


def _describe_unknown(name: str, properties: Iterable[str], what: str) -> str:
    for removed, instead in REMOVED.items():
        if name == to_camel_case(removed):
            reason = rename_words(instead, {setting.name: setting.key for setting in SETTINGS.values()})
            return f"is no longer a setting: {reason}; remove it"
    return suggest(name, properties, what)


def _restore_integers(value: Any) -> Any:
    """The value with whole numbers as integers, and maps in a fixed order.

    On the wire every number is a double, and a map has no order: the text of an event pattern would change by itself.
    """
    if isinstance(value, Mapping):
        return {key: _restore_integers(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_restore_integers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _contains_outputs(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_contains_outputs, value.values()))
    if isinstance(value, list):
        return any(map(_contains_outputs, value))
    return isinstance(value, (pulumi.Output, Unknown))
