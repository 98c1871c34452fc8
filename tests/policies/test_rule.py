"""A rule is a function: what it cannot tell it does not say, and it is known by a name of its own."""

import pytest

from policies import rule as rules
from policies.rule import each, rule
from policies.stack import Stack
from policies.values import UNKNOWN, settled
from tests.policies.programs import resource


@pytest.fixture
def registry(monkeypatch):
    """A registry of the test's own."""
    monkeypatch.setattr(rules, "REGISTRY", {})
    return rules.REGISTRY


def declare(function, **parameters):
    return rule("a:b:C", severity="low", enforcement="advisory", link="https://x", parameters=parameters)(function)


def test_a_part_that_is_unknown_leaves_the_others_to_be_judged():
    said = list(each([1, UNKNOWN, 2, 3], lambda part: f"{settled(part)} is odd" if settled(part) % 2 else None))
    assert said == ["1 is odd", "3 is odd"]


@pytest.mark.parametrize("value", [5, UNKNOWN, None])
def test_a_rule_says_nothing_of_what_it_cannot_tell(registry, value):
    def size_is_right(one):
        """A size is right."""
        return f"{one.name} is {one.number('size')}" if one.number("size") else None

    declared = declare(size_is_right)
    said = list(declared.complaints(resource("a:b:C", "it", size=value), Stack([]), {}))
    assert said == (["it is 5"] if value == 5 else [])


def test_what_a_rule_said_before_it_met_the_unknown_is_kept(registry):
    def sizes_are_right(one):
        """Sizes are right."""
        for key in ("first", "second"):
            yield f"{one.name}.{key} is {one.number(key)}"

    one = resource("a:b:C", "it", first=1, second=UNKNOWN)
    assert list(declare(sizes_are_right).complaints(one, Stack([]), {})) == ["it.first is 1"]


def test_a_parameter_reaches_the_function_under_a_python_name(registry):
    def size_is_right(_, *, at_least):
        """A size is right."""
        return f"at least {at_least}"

    declared = declare(size_is_right, atLeast={"type": "integer", "default": 3, "description": "How many."})
    assert list(declared.complaints(resource("a:b:C", "it"), Stack([]), {})) == ["at least 3"]
    assert list(declared.complaints(resource("a:b:C", "it"), Stack([]), {"atLeast": 4})) == ["at least 4"]


def test_a_name_is_taken_once(registry):
    def size_is_right(_):
        """A size is right."""

    assert declare(size_is_right).name == "size-is-right"
    assert list(registry) == ["size-is-right"]
    with pytest.raises(ValueError, match="must be its own"):
        declare(size_is_right)
