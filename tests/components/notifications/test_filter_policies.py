"""Which filter policies SNS accepts.

The verdicts are AWS's: from https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html, and
from responses to Subscribe that LocalStack's tests have recorded from AWS
(tests/aws/services/sns/test_sns_filter_policy.snapshot.json there).
"""

import pytest

from components.notifications.filter_policies import ATTRIBUTES, BODY, complain_about_filter, count_combinations
from components.settings.validation import complaints_about
from tests.components.samples.messages import subscription


def values(count):
    return [f"value{number}" for number in range(count)]


ACCEPTED = [
    {"store": ["example_corp"], "event": [{"anything-but": "order_cancelled"}], "price": [{"numeric": [">=", 100]}]},
    {"object": {"key": [{"prefix": "auto-"}]}},
    {"key": [{"anything-but": {"prefix": "test-"}}]},
    {"key": [{"anything-but": ["test", "test2"]}]},
    {"key": [{"suffix": "a"}, {"equals-ignore-case": "b"}, {"cidr": "10.0.0.0/24"}, None, True, 111122223333]},
    {"key": [{"exists": False}], "n": [{"numeric": [">", 0, "<=", 1_000_000_000]}]},
    {"key": values(150)},
    {key: ["x"] for key in "abcde"},
    {"top": {key: ["x"] for key in "abc"}},
    {
        "source": values(3),
        "$or": [
            {"metricName": values(6)},
            {"metricType": values(4), "$or": [{"metricId": values(4)}, {"spaceId": values(7)}]},
        ],
    },
]
REFUSED = [
    ({"key": [["value"]]}, "a list lies in a list"),
    ({"key": [{"wrong-operator": True}]}, "no comparison wrong-operator"),
    ({"key": [{"suffix": "value", "prefix": "value2"}]}, "one comparison"),
    ({"key": []}, "an empty list"),
    ({"key": [{"suffix": 100}]}, "suffix does not take 100"),
    ({"key": [{"suffix": None}]}, "suffix does not take null"),
    ({"key": {"suffix": "value"}}, "key.suffix is"),
    ({"key": [{"suffix": ["test", "test2"]}]}, "suffix does not take"),
    ({"key": [{"cidr": "bad-filter"}]}, "cidr does not take"),
    ({"key": [{"cidr": "xxxx:db8:1234:1a00::/64"}]}, "cidr does not take"),
    ({"key": [{"numeric": []}]}, "numeric does not take"),
    ({"key": [{"numeric": ["=", "000"]}]}, "numeric does not take"),
    ({"key": [{"numeric": [">=", 1, ">", 2]}]}, "numeric does not take"),
    ({"key": [{"numeric": [">", 3, "<", 1]}]}, "numeric does not take"),
    ({"key": [{"numeric": [">", 20, "<", 30, "<", 50]}]}, "numeric does not take"),
    ({"key": [{"exists": "no"}]}, "exists does not take"),
    ({"key": [{"anything-but": {"exists": False}}]}, "anything-but does not take"),
    ({"key": [{"anything-but": {"prefix": False}}]}, "anything-but does not take"),
    ({"key_a": "value_one"}, "key_a is"),
    ({key: ["x"] for key in "abcdef"}, "6 keys, and SNS takes 5"),
    ({"key": values(151)}, "151 combinations, and SNS takes 150"),
    ({"key1": values(100), "key2": values(51)}, "5100 combinations"),
    (
        {
            "$or": [{"metricName": values(3)}, {"namespace": values(2)}],
            "detail": {"scope": values(2), "$or": [{"source": values(1)}, {"type": values(3)}]},
        },
        "160 combinations",
    ),
    ({"key_a": {"key_b": {"key_c": values(4)}}, "key_d": {"key_e": values(3)}, "key_f": values(3)}, "216 combinations"),
    ({"key": ["x" * 262_144]}, "262157 bytes, and SNS takes 262144"),
    ({"key": [{"numeric": ["<", 1_000_000_001]}]}, "SNS compares numbers from -1000000000 to 1000000000"),
    ({"$or": [{"a": {"b": [{"anything-but": [1, -2_000_000_000]}]}}, {"c": ["x"]}]}, "SNS compares numbers"),
]


def complaints(policy):
    return complaints_about({"subscriptions": [subscription(filter_policy=policy)]})


@pytest.mark.parametrize("policy", ACCEPTED)
def test_a_valid_filter_policy_is_accepted(policy):
    assert complaints(policy) == []


@pytest.mark.parametrize(("policy", "reason"), REFUSED)
def test_a_filter_policy_that_sns_rejects_is_rejected_with_the_reason(policy, reason):
    [complaint] = complaints(policy)

    assert complaint.startswith("subscriptions[0].filter_policy must be a map of fields to lists of values, as SNS ")
    assert reason in complaint.partition(", got ")[2]


def test_the_combinations_of_nested_keys_are_counted_as_by_sns():
    nested = {"key_a": {"key_b": {"key_c": values(4)}}, "key_d": {"key_e": values(3)}}

    assert count_combinations(nested) == 3 * 4 * 2 * 3


@pytest.mark.parametrize(("scope", "accepted"), [(BODY, True), (ATTRIBUTES, False)])
def test_only_a_filter_on_the_body_may_be_nested(scope, accepted):
    nested = {"$or": [{"object": {"key": [{"prefix": "auto-"}]}}, {"x": ["y"]}]}

    assert (complain_about_filter(nested, scope) is None) is accepted


def test_the_content_of_a_secret_filter_policy_is_not_repeated():
    settings = {"subscriptions": [subscription(filter_policy={"key": [{"hidden-word": 1}]})]}

    [complaint] = complaints_about(settings, secret_settings=frozenset({"subscriptions"}))

    assert complaint.endswith(", got a secret value")
    assert "hidden-word" not in complaint
