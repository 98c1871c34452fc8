"""Writes `docs/policies.md`: every rule, why, an example that fails and one that passes, and its parameters.

The examples are cases of the tests, so what the page says of them holds.
"""

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from policies.model.rule import Rule
from policies.rules import RULES
from tests.policies.programs import Case, Made, Output, Program, Secret, Text

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "policies.md"
HEAD = ROOT / "docs" / "policies.head.md"
"""What people wrote: it stands before the rules."""


def page() -> str:
    """The page as it should be."""
    cases = _cases()
    subjects: dict[str, list[Rule]] = {}
    for rule in RULES.values():
        subjects.setdefault(rule.subject, []).append(rule)
    parts = [HEAD.read_text().rstrip(), "## Rules", _overview(subjects)]
    for subject, rules in subjects.items():
        parts.append(f"## {_heading(subject, rules[0])}")
        parts += ["\n\n".join(_rule(rule, cases)) for rule in rules]
    return "\n\n".join(parts) + "\n"


def _heading(subject: str, rule: Rule) -> str:
    """What the docstring of the rules' module begins with; the subject where the rule is in no such module."""
    module = sys.modules[rule.function.__module__]
    start, colon, _ = (module.__doc__ or "").partition(":")
    return start if colon and module.__name__.startswith("policies.rules.") else subject.capitalize()


def _overview(subjects: Mapping[str, list[Rule]]) -> str:
    lines = ["| rule | what it asks for | by default |", "|---|---|---|"]
    for rules in subjects.values():
        lines += [f"| [{one.name}](#{one.name}) | {one.description} | {one.enforcement} |" for one in rules]
    return "\n".join(lines)


def _rule(rule: Rule, cases: list[Case]) -> Iterator[str]:
    yield f"### {rule.name}"
    yield f"{rule.description} {rule.fix}"
    remediation = (
        " It has a remediation: with the level `remediate`, the engine changes the inputs." if rule.remediation else ""
    )
    yield f"By default {rule.enforcement}; severity {rule.severity}; [AWS documentation]({rule.link}).{remediation}"
    if rule.parameters:
        lines = ["| parameter | default | what it sets |", "|---|---|---|"]
        for name, schema in rule.parameters.items():
            lines.append(f"| `{name}` | `{json.dumps(schema['default'])}` | {schema.get('description', '')} |")
        yield "\n".join(lines)
    for heading, kind in (("Fails", "typical"), ("Passes", "compliant")):
        example = next((one for one in cases if (one.rule, one.kind) == (rule.name, kind)), None)
        if example:
            yield f"{heading}, {example.what}:"
            yield f"```yaml\n{_written(example.program).rstrip()}\n```"


def _written(program: Program) -> str:
    """A program as Pulumi YAML."""
    resources = {one.title: {"type": one.token, "properties": _value(one.inputs)} for one in program.resources}
    return yaml.safe_dump({"resources": resources}, sort_keys=False, width=110)


def _value(value: Any) -> Any:
    if isinstance(value, Made):
        return _value(value.name)
    if isinstance(value, Output):
        return f"${{{value.of.title}.{value.key}}}"
    if isinstance(value, Text):
        if value.tree is not None:
            return {"fn::toJSON": _value(value.tree)}
        return "".join(str(_value(part)) for part in value.parts)
    if isinstance(value, Secret):
        return {"fn::secret": _value(value.value)}
    if isinstance(value, Mapping):
        return {key: _value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else "..."


def _cases() -> list[Case]:
    folder = ROOT / "tests" / "policies" / "cases"
    modules = [importlib.import_module(f"tests.policies.cases.{path.stem}") for path in sorted(folder.glob("*.py"))]
    return [case for module in modules for case in module.CASES]
