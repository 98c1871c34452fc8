"""Reads the pack's configuration, as CrossGuard writes it: an enforcement level and parameters for each rule."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from ..model import schema
from ..model.rule import Enforcement, Rule

ALL = "all"
ENVIRONMENTS = "environments"
"""Names the Pulumi ESC environments for the engine to read; not for rules."""
LEVELS = get_args(Enforcement)
_LEVEL = "enforcementLevel"


class InvalidConfiguration(Exception):
    """The configuration is invalid; the message lists every error."""


@dataclass(frozen=True)
class Configuration:
    """The level and the parameters of each rule; by default those of its declaration."""

    levels: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def level(self, rule: Rule) -> str:
        """`mandatory`, `advisory`, `remediate` or `disabled`."""
        return self.levels.get(rule.name, self.levels.get(ALL, rule.enforcement))

    def settings(self, rule: Rule) -> Mapping[str, Any]:
        """The parameters of this rule."""
        return rule.defaults() | dict(self.parameters.get(rule.name, {}))


def read(config: Any, rules: Mapping[str, Rule]) -> Configuration:
    """Parse a configuration: `{"<rule>" or "all": "<level>" or {"enforcementLevel": ..., ...}}`.

    Raises InvalidConfiguration for an unknown rule, level or parameter, for a value that violates its schema, and for
    `remediate` where a rule has no remediation: the engine would silently treat that as mandatory.
    """
    if not isinstance(config, Mapping):
        raise InvalidConfiguration(
            f"The configuration must be a map from rules to settings, got {schema.format_value(config)}"
        )
    config = {name: settings for name, settings in config.items() if name != ENVIRONMENTS}
    errors = [error for name, settings in config.items() for error in _check_rule(name, settings, rules)]
    errors += _check_remediations(config, rules)
    if errors:
        raise InvalidConfiguration("\n".join(errors))
    levels: dict[str, str] = {}
    parameters: dict[str, Mapping[str, Any]] = {}
    for name, settings in config.items():
        if isinstance(settings, str):
            levels[name] = settings
            continue
        if _LEVEL in settings:
            levels[name] = settings[_LEVEL]
        if name != ALL:
            parameters[name] = {
                key: _to_integer(value, rules[name].parameters[key]) for key, value in settings.items() if key != _LEVEL
            }
    return Configuration(levels, parameters)


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion to end a sentence with; empty where no name is similar."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def _check_rule(name: str, settings: Any, rules: Mapping[str, Rule]) -> Iterator[str]:
    if name != ALL and name not in rules:
        yield f"There is no rule {name}{nearest(name, [*rules, ALL])}"
        return
    if isinstance(settings, str):
        settings = {_LEVEL: settings}
    if not isinstance(settings, Mapping):
        yield f"{name} must be an enforcement level or a map, got {schema.format_value(settings)}"
        return
    parameters = rules[name].parameters if name != ALL else {}
    for key, value in settings.items():
        if key == _LEVEL:
            yield from schema.list_errors(value, {"enum": LEVELS}, f"The enforcement level of {name}")
        elif key not in parameters:
            takes = f"; it takes {', '.join(parameters)}" if parameters else "; it takes none"
            yield f"{name} has no parameter {key}{nearest(key, parameters) or takes}"
        else:
            yield from schema.list_errors(value, parameters[key], f"{name}.{key}")


def _check_remediations(config: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[str]:
    """Reject `remediate` for rules without a remediation, in one sentence."""
    remediated = {
        name
        for name, settings in config.items()
        if (settings.get(_LEVEL) if isinstance(settings, Mapping) else settings) == "remediate"
    }
    unsupported = [
        name for name in (ALL, *rules) if name in remediated and (name == ALL or rules[name].remediation is None)
    ]
    if unsupported:
        supported = ", ".join(rule.name for rule in rules.values() if rule.remediation)
        yield f"{', '.join(unsupported)} cannot be remediate: only these rules have a remediation: {supported}"


def _to_integer(value: Any, declared: Mapping[str, Any]) -> Any:
    """Undo protobuf, which has only doubles."""
    return int(value) if declared.get("type") == "integer" else value
