"""Which patterns a secret's name can match, and which classes no secret can be in."""

import json

import pytest

from components.settings.age_classes import can_match, find_unreachable, to_environment

MANAGED = {"key": "Managed", "value": "true"}
SHADOWED = "class [0] includes the same secrets and comes first"


def of(name=None, tag=None):
    """A class by a name, by a tag (`key` or `key=value`), or by both."""
    age_class = {"days": 30} if name is None else {"days": 30, "name": name}
    if tag is None:
        return age_class
    key, given, value = tag.partition("=")
    return {**age_class, "tag": {"key": key, "value": value} if given else {"key": key}}


def reasons(*classes):
    return dict(find_unreachable(classes, MANAGED))


@pytest.mark.parametrize(
    "pattern",
    [
        *("a", "*", "?", "prod/*", "A-Z_0+=.@", "x" * 512, "[a-c]*", "[!a]b", "[]a]", "**", "[+--]"),
        "rds!db-*",  # as Amazon RDS calls what it manages
    ],
)
def test_a_pattern_that_a_secrets_name_can_match(pattern):
    assert can_match(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "x" * 513, "a b", "pröd", "a\n", "a#", "a,b", "prod\\*", "{a,b}", "\u0660", "a:b"),
        *("a[b", "[", "a]", "[]", "[!]", "x[z-a]", "[ ]", "[*]", "[ü]*"),
        *(None, 1, True, [], {}, b"a"),
    ],
)
def test_a_pattern_that_no_secrets_name_can_match(pattern):
    assert not can_match(pattern)


@pytest.mark.parametrize(
    ("before", "shadowed"),
    [
        (of("*"), of("a")),
        (of("*"), of("prod/*")),
        (of("*"), of(tag="tier")),
        (of("*"), of("a", "tier=gold")),
        (of("prod/*"), of("prod/*")),
        (of("prod/*"), of("prod/*", "tier=gold")),
        (of(tag="tier"), of(tag="tier")),
        (of(tag="tier"), of(tag="tier=gold")),
        (of(tag="tier"), of("prod/*", "tier=")),
        (of(tag="tier=gold"), of("a", "tier=gold")),
        (of(tag="tier="), of(tag="tier=")),
        (of("prod/*", "tier"), of("prod/*", "tier=gold")),
        (of(tag="Managed"), of("a")),
        (of(tag="Managed=true"), of("*")),
        (of(tag="Managed=true"), of(tag="tier")),
        (of("*", "Managed=true"), of("a", "tier=gold")),
        (of("*", "Managed"), of(tag="Managed=true")),
    ],
)
def test_a_class_after_one_that_includes_it_is_unreachable(before, shadowed):
    assert reasons(before, shadowed) == {1: SHADOWED}


@pytest.mark.parametrize(
    ("before", "reachable"),
    [
        (of("a?"), of("a*")),
        (of("a"), of("*")),
        (of("?"), of("*")),
        (of("prod/*"), of("prod*")),
        (of("prod/*"), of("prod?db")),
        (of("prod/*"), of("PROD/*")),
        (of("prod/*"), of("*/prod/*")),
        (of("a*b"), of("a*")),
        (of("aq"), of("a?")),
        (of("*q"), of("?")),
        (of("*x*"), of("?*")),
        (of("[pq]*"), of("?b")),
        (of("[!a]*"), of("*b")),
        (of("[a-y]"), of("[a-z]")),
        (of("*[0-9]"), of("*")),
        (of("*a*b*"), of("*b*a*")),
        (of(tag="tier=gold"), of(tag="tier")),
        (of(tag="tier=gold"), of(tag="tier=silver")),
        (of(tag="tier="), of(tag="tier")),
        (of(tag="tier"), of(tag="Tier")),
        (of(tag="tier"), of("a")),
        (of("a", "tier"), of("a")),
        (of("a", "tier"), of(tag="tier")),
        (of("prod/*", "tier=gold"), of("prod/*", "tier")),
        (of("a", "Managed=true"), of(tag="Managed=true")),
    ],
)
def test_a_class_after_one_that_leaves_it_some_secrets_is_reachable(before, reachable):
    assert reasons(before, reachable) == {}


@pytest.mark.parametrize("tag", ["Managed=false", "Managed=", "Managed=True"])
@pytest.mark.parametrize("name", [None, "*"])
def test_a_class_by_the_managed_tag_with_another_value_is_unreachable(name, tag):
    assert reasons(of("x"), of(name, tag)) == {1: "every secret under audit has the tag Managed=true"}


def test_a_class_by_a_tag_that_looks_like_the_managed_one_is_reachable():
    assert reasons(of(tag="managed=false"), of(tag="Managed2=false"), of(tag="Managed=true")) == {}


def test_each_unreachable_class_is_named_with_the_first_one_that_includes_it():
    classes = [of("prod/*"), of("prod/*"), of(tag="tier"), of("*"), of("prod/b"), of("x", "tier=gold"), of("z")]

    assert reasons(*classes) == {
        1: "class [0] includes the same secrets and comes first",
        4: "class [3] includes the same secrets and comes first",
        5: "class [2] includes the same secrets and comes first",
        6: "class [3] includes the same secrets and comes first",
    }


def test_patterns_that_include_another_in_a_less_obvious_way_are_accepted():
    assert reasons(of("prod/*"), of("prod/db-*"), of("prod/[a-z]*")) == {}


def test_an_optional_field_of_null_is_as_absent():
    assert reasons({"days": 1, "name": None, "tag": {"key": "a", "value": None}}, of(tag="a=b")) == {1: SHADOWED}
    assert reasons({"days": 1, "name": "a*", "tag": None}, of("a*")) == {1: SHADOWED}


def test_what_is_written_is_as_short_as_it_can_be():
    assert to_environment([]) == "[]"
    assert to_environment([of("a*", "b=c"), of(tag="d")]) == json.dumps(
        [{"days": 30, "name": "a*", "tag_key": "b", "tag_value": "c"}, {"days": 30, "tag_key": "d"}],
        separators=(",", ":"),
    )
