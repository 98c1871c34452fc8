"""Writes `docs/policies.md`: every rule with its parameters, an example that fails and one that passes.

The examples are test cases.
"""

import importlib
import json
import re
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
"""The hand-written part, before the rules."""


def page() -> str:
    """Generate the page."""
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
    """The start of the docstring of the rules' module; the subject for rules in other modules."""
    module = sys.modules[rule.function.__module__]
    start, colon, _ = (module.__doc__ or "").partition(":")
    return start if colon and module.__name__.startswith("policies.rules.") else subject.capitalize()


def _overview(subjects: Mapping[str, list[Rule]]) -> str:
    lines = ["| rule | requirement | default level |", "|---|---|---|"]
    for rules in subjects.values():
        lines += [f"| [{rule.name}](#{rule.name}) | {rule.description} | {rule.enforcement} |" for rule in rules]
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
        example = next((case for case in cases if (case.rule, case.kind) == (rule.name, kind)), None)
        if example:
            yield f"{heading}, {example.what}:"
            yield f"```yaml\n{_render(example.program).rstrip()}\n```"


def _render(program: Program) -> str:
    """A program as Pulumi YAML."""
    names = _name_resources(program)
    resources = {
        names[made.urn]: {"type": made.token, "properties": _convert(made.inputs, names)} for made in program.resources
    }
    return yaml.safe_dump({"resources": resources}, sort_keys=False, width=110)


def _name_resources(program: Program) -> dict[str, str]:
    """A unique name for each URN: YAML does not allow two resources of different types with one logical name."""
    names: dict[str, str] = {}
    for made in program.resources:
        type_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", made.token.rpartition(":")[2]).lower()
        names[made.urn] = f"{made.title}-{type_name}" if made.title in names.values() else made.title
    return names


def _convert(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Made):
        return _convert(value.name, names)
    if isinstance(value, Output):
        return f"${{{names.get(value.of.urn, value.of.title)}.{value.key}}}"
    if isinstance(value, Text):
        if value.tree is not None:
            return {"fn::toJSON": _convert(value.tree, names)}
        return "".join(str(_convert(part, names)) for part in value.parts)
    if isinstance(value, Secret):
        return {"fn::secret": _convert(value.value, names)}
    if isinstance(value, Mapping):
        return {key: _convert(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_convert(inner, names) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else "..."


def _cases() -> list[Case]:
    folder = ROOT / "tests" / "policies" / "cases"
    modules = [importlib.import_module(f"tests.policies.cases.{path.stem}") for path in sorted(folder.glob("*.py"))]
    return [case for module in modules for case in module.CASES]
