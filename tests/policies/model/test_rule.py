"""A rule is a function with a unique name, and reports nothing about unknown values."""

import pytest

from policies.model import rule as rules
from policies.model.finding import Finding
from policies.model.rule import check_each, rule
from policies.model.stack import Stack
from policies.model.values import UNKNOWN, require_known
from tests.policies.programs import resource


@pytest.fixture
def registry(monkeypatch):
    """A separate registry."""
    monkeypatch.setattr(rules, "REGISTRY", {})
    return rules.REGISTRY


def declare(function, **parameters):
    return rule("a:b:C", severity="low", enforcement="advisory", link="https://x", parameters=parameters)(function)


def test_an_unknown_part_does_not_stop_the_check_of_other_parts():
    findings = check_each(
        [1, UNKNOWN, 2, 3],
        lambda part: Finding(f"{require_known(part)} is odd.", "") if require_known(part) % 2 else None,
    )
    assert [finding.problem for finding in findings] == ["1 is odd.", "3 is odd."]


@pytest.mark.parametrize("value", [5, UNKNOWN, None])
def test_a_rule_reports_nothing_about_an_unknown_value(registry, value):
    def size_is_right(disk):
        """A size is right."""
        return Finding(f"{disk.name} is {disk.number('size')}.", "Set it.") if disk.number("size") else None

    declared = declare(size_is_right)
    findings = list(declared.findings(resource("a:b:C", "it", size=value), Stack([]), {}))
    assert [str(finding) for finding in findings] == (["it is 5. Set it."] if value == 5 else [])


def test_findings_before_an_unknown_value_are_kept(registry):
    def sizes_are_right(disk):
        """Sizes are right."""
        for key in ("first", "second"):
            yield Finding(f"{disk.name}.{key} is {disk.number(key)}.", "")

    disk = resource("a:b:C", "it", first=1, second=UNKNOWN)
    assert [finding.problem for finding in declare(sizes_are_right).findings(disk, Stack([]), {})] == ["it.first is 1."]


def test_a_parameter_reaches_the_function_under_a_python_name(registry):
    def size_is_right(_, *, at_least):
        """A size is right."""
        return Finding(f"at least {at_least}.", "")

    declared = declare(size_is_right, atLeast={"type": "integer", "default": 3, "description": "How many."})
    for settings, problem in (({}, "at least 3."), ({"atLeast": 4}, "at least 4.")):
        assert [finding.problem for finding in declared.findings(resource("a:b:C", "it"), Stack([]), settings)] == [
            problem
        ]


def test_a_docstring_gives_the_description_and_the_fix(registry):
    def size_is_right(_):
        """A size
        is right.

        Set size
        to 1.
        """

    declared = declare(size_is_right)
    assert (declared.description, declared.fix) == ("A size is right.", "Set size to 1.")


def test_a_name_is_unique(registry):
    def size_is_right(_):
        """A size is right."""

    assert declare(size_is_right).name == "size-is-right"
    assert list(registry) == ["size-is-right"]
    with pytest.raises(ValueError, match="must be unique"):
        declare(size_is_right)
