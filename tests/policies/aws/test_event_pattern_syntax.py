"""The syntax of event patterns, compared with the verdicts of Amazon's matcher."""

import json

import pytest

from policies.aws.event_pattern_syntax import find_fault
from policies.aws.event_patterns import can_match
from tests.paths import ROOT

ANSWERS = json.loads((ROOT / "tests" / "policies" / "samples" / "event_ruler.json").read_text())


def test_what_event_ruler_accepts_has_no_fault():
    assert len(ANSWERS["accepted"]) > 50
    assert [pattern for pattern in ANSWERS["accepted"] if find_fault(pattern)] == []


def test_what_event_ruler_refuses_has_a_fault():
    assert len(ANSWERS["refused"]) > 250
    assert [(pattern, reason) for pattern, reason in ANSWERS["refused"] if find_fault(pattern) is None] == []


def test_a_fault_fits_into_a_sentence():
    faults = [str(find_fault(pattern)) for pattern, _ in ANSWERS["refused"]]

    assert all(fault.isprintable() and len(fault) < 220 for fault in faults)


@pytest.mark.parametrize(("ors", "accepted"), [(9, True), (10, False)])
def test_a_pattern_has_at_most_a_thousand_combinations_of_alternatives(ors, accepted):
    pattern = {f"f{number}": {"$or": [{"a": [1]}, {"b": [1]}]} for number in range(ors)}

    assert (find_fault(pattern) is None) is accepted


def test_alternatives_inside_alternatives_are_added_up():
    inner = {"$or": [{"a": [number]} for number in range(499)]}

    assert find_fault({"$or": [inner, {"b": [1]}], "c": {"$or": [{"d": [1]}, {"e": [1]}]}}) is None
    assert find_fault({"$or": [inner, {"b": [1]}, {"c": [1]}], "c": {"$or": [{"d": [1]}, {"e": [1]}]}}) is not None


@pytest.mark.parametrize(
    ("pattern", "event", "can"),
    [
        ({"a": [{"cidr": "10.0.0.0/8"}]}, {"a": "10.1.2.3"}, True),
        ({"a": [{"cidr": "::/0"}]}, {"a": "2001:db8::1"}, True),
        ({"a": [{"cidr": "10.0.0.0/8"}]}, {"a": "aws.ec2"}, False),
        ({"a": [{"anything-but": {"wildcard": ["x*", "*y"]}}]}, {"a": "abc"}, True),
        ({"a": [{"anything-but": {"equals-ignore-case": ["ABC"]}}]}, {"a": "abc"}, False),
    ],
)
def test_a_pattern_is_dead_only_where_event_ruler_matches_nothing(pattern, event, can):
    assert can_match(pattern, event) is can
