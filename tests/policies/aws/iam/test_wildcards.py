"""Patterns are IAM's: two signs stand for others, and nothing else does."""

import pytest

from policies.aws.iam.wildcards import matches


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("*", ""), ("a*", "a:b/c"), ("rule/p??d", "rule/paid"), ("[a]*", "[a]b"), ("rule/paid", "rule/paid")],
)
def test_a_pattern_takes_in_a_text(pattern, text):
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("rule/p?d", "rule/paid"), ("Rule/*", "rule/paid"), ("[ab]", "a"), ("rule.paid", "rule/paid"), ("a*", "b\na")],
)
def test_a_pattern_leaves_a_text_out(pattern, text):
    assert not matches(pattern, text)
