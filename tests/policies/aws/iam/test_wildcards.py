"""Patterns have IAM's two wildcards and no others."""

import pytest

from policies.aws.iam.wildcards import matches


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("*", ""), ("a*", "a:b/c"), ("rule/p??d", "rule/paid"), ("[a]*", "[a]b"), ("rule/paid", "rule/paid")],
)
def test_a_pattern_matches_a_text(pattern, text):
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("rule/p?d", "rule/paid"), ("Rule/*", "rule/paid"), ("[ab]", "a"), ("rule.paid", "rule/paid"), ("a*", "b\na")],
)
def test_a_pattern_does_not_match_a_text(pattern, text):
    assert not matches(pattern, text)
