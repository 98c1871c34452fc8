"""Reads the pack's configuration, as CrossGuard writes it: an enforcement level and parameters for each rule."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from ..model import schema
from ..model.rule import Enforcement, Rule

ALL = "all"
ENVIRONMENTS = "environments"
"""Where CrossGuard's file names what the engine is to read besides: nothing that a rule is told."""
LEVELS = get_args(Enforcement)
_LEVEL = "enforcementLevel"


class InvalidConfiguration(Exception):
    """The configuration is wrong; the message says everything that is wrong with it."""


@dataclass(frozen=True)
class Configuration:
    """How each rule is to be applied; as it is declared, where nothing is said."""

    levels: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def level(self, rule: Rule) -> str:
        """`mandatory`, `advisory`, `remediate` or `disabled`."""
        return self.levels.get(rule.name, self.levels.get(ALL, rule.enforcement))

    def settings(self, rule: Rule) -> Mapping[str, Any]:
        """Its parameters."""
        return rule.defaults() | dict(self.parameters.get(rule.name, {}))


def read(given: Any, rules: Mapping[str, Rule]) -> Configuration:
    """The configuration that this JSON holds: `{"<rule>" or "all": "<level>" or {"enforcementLevel": ..., ...}}`.

    Raises InvalidConfiguration for an unknown rule, level or parameter, one that is not as its schema says, and for
    `remediate` where a rule has no remedy: the engine would take that for mandatory without a word.
    """
    if not isinstance(given, Mapping):
        raise InvalidConfiguration(f"The configuration must be a map from rules to settings, got {schema.shown(given)}")
    given = {name: settings for name, settings in given.items() if name != ENVIRONMENTS}
    problems = [problem for name, settings in given.items() for problem in _problems(name, settings, rules)]
    problems += _refuse_remedies(given, rules)
    if problems:
        raise InvalidConfiguration("\n".join(problems))
    levels: dict[str, str] = {}
    parameters: dict[str, Mapping[str, Any]] = {}
    for name, settings in given.items():
        if isinstance(settings, str):
            levels[name] = settings
            continue
        if _LEVEL in settings:
            levels[name] = settings[_LEVEL]
        if name != ALL:
            parameters[name] = {
                key: _whole(value, rules[name].parameters[key]) for key, value in settings.items() if key != _LEVEL
            }
    return Configuration(levels, parameters)


def nearest(name: str, known: Iterable[str]) -> str:
    """A question about what may have been meant, to end a sentence with; empty where nothing is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def _problems(name: str, settings: Any, rules: Mapping[str, Rule]) -> Iterator[str]:
    if name != ALL and name not in rules:
        yield f"There is no rule {name}{nearest(name, [*rules, ALL])}"
        return
    if isinstance(settings, str):
        settings = {_LEVEL: settings}
    if not isinstance(settings, Mapping):
        yield f"{name} must be an enforcement level or a map, got {schema.shown(settings)}"
        return
    parameters = rules[name].parameters if name != ALL else {}
    for key, value in settings.items():
        if key == _LEVEL:
            yield from schema.complaints(value, {"enum": LEVELS}, f"The enforcement level of {name}")
        elif key not in parameters:
            takes = f"; it takes {', '.join(parameters)}" if parameters else "; it takes none"
            yield f"{name} has no parameter {key}{nearest(key, parameters) or takes}"
        else:
            yield from schema.complaints(value, parameters[key], f"{name}.{key}")


def _refuse_remedies(given: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[str]:
    """What is wrong where `remediate` is asked of rules that can only complain, in one sentence."""
    asked = {
        name
        for name, settings in given.items()
        if (settings.get(_LEVEL) if isinstance(settings, Mapping) else settings) == "remediate"
    }
    without = [name for name in (ALL, *rules) if name in asked and (name == ALL or rules[name].remediation is None)]
    if without:
        those = ", ".join(rule.name for rule in rules.values() if rule.remediation)
        yield f"{', '.join(without)} cannot be remediate: only these rules have a remedy: {those}"


def _whole(value: Any, declared: Mapping[str, Any]) -> Any:
    """On the wire every number is a double."""
    return int(value) if declared.get("type") == "integer" else value
