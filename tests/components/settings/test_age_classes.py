"""Which patterns a secret's name can match, and which classes no secret can be in."""

import json

import pytest

from components.settings.age_classes import can_match, find_unreachable, to_environment

MANAGED = {"key": "Managed", "value": "true"}
SHADOWED = "class [0] includes the same secrets and comes first"


def make_class(name=None, tag=None):
    """A class by a name, by a tag (`key` or `key=value`), or by both."""
    age_class = {"days": 30} if name is None else {"days": 30, "name": name}
    if tag is None:
        return age_class
    key, separator, value = tag.partition("=")
    return {**age_class, "tag": {"key": key, "value": value} if separator else {"key": key}}


def reasons(*classes):
    return dict(find_unreachable(classes, MANAGED))


@pytest.mark.parametrize(
    "pattern",
    [
        *("a", "*", "?", "prod/*", "A-Z_0+=.@", "x" * 512, "[a-c]*", "[!a]b", "[]a]", "**", "[+--]"),
        "rds!db-*",  # as Amazon RDS calls what it manages
    ],
)
def test_a_pattern_that_the_name_of_a_secret_can_match(pattern):
    assert can_match(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "x" * 513, "a b", "pröd", "a\n", "a#", "a,b", "prod\\*", "{a,b}", "\u0660", "a:b"),
        *("a[b", "[", "a]", "[]", "[!]", "x[z-a]", "[ ]", "[*]", "[ü]*"),
        *(None, 1, True, [], {}, b"a"),
    ],
)
def test_a_pattern_that_no_name_of_a_secret_can_match(pattern):
    assert not can_match(pattern)


@pytest.mark.parametrize(
    ("before", "shadowed"),
    [
        (make_class("*"), make_class("a")),
        (make_class("*"), make_class("prod/*")),
        (make_class("*"), make_class(tag="tier")),
        (make_class("*"), make_class("a", "tier=gold")),
        (make_class("prod/*"), make_class("prod/*")),
        (make_class("prod/*"), make_class("prod/*", "tier=gold")),
        (make_class(tag="tier"), make_class(tag="tier")),
        (make_class(tag="tier"), make_class(tag="tier=gold")),
        (make_class(tag="tier"), make_class("prod/*", "tier=")),
        (make_class(tag="tier=gold"), make_class("a", "tier=gold")),
        (make_class(tag="tier="), make_class(tag="tier=")),
        (make_class("prod/*", "tier"), make_class("prod/*", "tier=gold")),
        (make_class(tag="Managed"), make_class("a")),
        (make_class(tag="Managed=true"), make_class("*")),
        (make_class(tag="Managed=true"), make_class(tag="tier")),
        (make_class("*", "Managed=true"), make_class("a", "tier=gold")),
        (make_class("*", "Managed"), make_class(tag="Managed=true")),
    ],
)
def test_a_class_after_one_that_includes_it_is_unreachable(before, shadowed):
    assert reasons(before, shadowed) == {1: SHADOWED}


@pytest.mark.parametrize(
    ("before", "reachable"),
    [
        (make_class("a?"), make_class("a*")),
        (make_class("a"), make_class("*")),
        (make_class("?"), make_class("*")),
        (make_class("prod/*"), make_class("prod*")),
        (make_class("prod/*"), make_class("prod?db")),
        (make_class("prod/*"), make_class("PROD/*")),
        (make_class("prod/*"), make_class("*/prod/*")),
        (make_class("a*b"), make_class("a*")),
        (make_class("aq"), make_class("a?")),
        (make_class("*q"), make_class("?")),
        (make_class("*x*"), make_class("?*")),
        (make_class("[pq]*"), make_class("?b")),
        (make_class("[!a]*"), make_class("*b")),
        (make_class("[a-y]"), make_class("[a-z]")),
        (make_class("*[0-9]"), make_class("*")),
        (make_class("*a*b*"), make_class("*b*a*")),
        (make_class(tag="tier=gold"), make_class(tag="tier")),
        (make_class(tag="tier=gold"), make_class(tag="tier=silver")),
        (make_class(tag="tier="), make_class(tag="tier")),
        (make_class(tag="tier"), make_class(tag="Tier")),
        (make_class(tag="tier"), make_class("a")),
        (make_class("a", "tier"), make_class("a")),
        (make_class("a", "tier"), make_class(tag="tier")),
        (make_class("prod/*", "tier=gold"), make_class("prod/*", "tier")),
        (make_class("a", "Managed=true"), make_class(tag="Managed=true")),
    ],
)
def test_a_class_after_one_that_leaves_it_some_secrets_is_reachable(before, reachable):
    assert reasons(before, reachable) == {}


@pytest.mark.parametrize("tag", ["Managed=false", "Managed=", "Managed=True"])
@pytest.mark.parametrize("name", [None, "*"])
def test_a_class_by_the_managed_tag_with_another_value_is_unreachable(name, tag):
    assert reasons(make_class("x"), make_class(name, tag)) == {1: "every secret under audit has the tag Managed=true"}


def test_a_class_by_a_tag_that_looks_like_the_managed_one_is_reachable():
    assert (
        reasons(make_class(tag="managed=false"), make_class(tag="Managed2=false"), make_class(tag="Managed=true")) == {}
    )


def test_each_unreachable_class_is_named_with_the_first_class_that_includes_it():
    classes = [
        make_class("prod/*"),
        make_class("prod/*"),
        make_class(tag="tier"),
        make_class("*"),
        make_class("prod/b"),
        make_class("x", "tier=gold"),
        make_class("z"),
    ]

    assert reasons(*classes) == {
        1: "class [0] includes the same secrets and comes first",
        4: "class [3] includes the same secrets and comes first",
        5: "class [2] includes the same secrets and comes first",
        6: "class [3] includes the same secrets and comes first",
    }


def test_less_obvious_inclusions_of_patterns_are_not_detected():
    assert reasons(make_class("prod/*"), make_class("prod/db-*"), make_class("prod/[a-z]*")) == {}


def test_an_optional_field_of_null_counts_as_absent():
    assert reasons({"days": 1, "name": None, "tag": {"key": "a", "value": None}}, make_class(tag="a=b")) == {
        1: SHADOWED
    }
    assert reasons({"days": 1, "name": "a*", "tag": None}, make_class("a*")) == {1: SHADOWED}


def test_the_environment_variable_is_compact_json():
    assert to_environment([]) == "[]"
    assert to_environment([make_class("a*", "b=c"), make_class(tag="d")]) == json.dumps(
        [{"days": 30, "name": "a*", "tag_key": "b", "tag_value": "c"}, {"days": 30, "tag_key": "d"}],
        separators=(",", ":"),
    )
