"""Which keys of tags AWS accepts together."""

import json

import pytest

from components.placement import Placement, find_placement
from components.settings.validation import complaints_about


@pytest.mark.parametrize(
    ("tags", "key", "other"),
    [
        ({"Owner": "a", "owner": "b"}, "owner", "Owner"),
        ({"COST:centre": "a", "x": "y", "Cost:Centre": "a"}, "Cost:Centre", "COST:centre"),
        ({"Größe": "a", "GRÖßE": "b"}, '"GR\\u00d6\\u00dfE"', '"Gr\\u00f6\\u00dfe"'),
    ],
)
def test_keys_that_differ_only_in_case_are_the_same_to_iam(tags, key, other):
    assert complaints_about({"tags": tags}) == [
        f"tags.{key} must differ from {other} in more than case, as IAM takes them for one, got both"
    ]


@pytest.mark.parametrize("key", ["rotation-guard:audit", "Rotation-Guard:Audit"])
def test_a_key_that_the_component_sets_itself_is_rejected(key):
    assert complaints_about({"tags": {key: "x"}}) == [
        f"tags.{key} must be another key than rotation-guard:audit, which the component sets itself, got it"
    ]


@pytest.mark.parametrize("key", ["aws:x", "AWS:x", "Aws:x"])
def test_a_key_with_the_prefix_of_aws_is_rejected_in_any_case(key):
    assert any("does not begin with aws:" in complaint for complaint in complaints_about({"tags": {key: "x"}}))


def test_keys_that_differ_in_more_than_case_are_accepted():
    assert complaints_about({"tags": {"Owner": "a", "owners": "b", "own-er": "c"}}) == []


def test_a_default_tag_of_the_provider_in_another_case_is_rejected():
    """IAM refuses a role with both (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html)."""
    placement = Placement(default_tags=frozenset({"Owner", "team"}))

    assert complaints_about({"tags": {"owner": "a", "team": "b", "stage": "c"}}, placement=placement) == [
        "tags.owner must differ in more than case from Owner in aws:defaultTags, as IAM takes them for one, got both"
    ]


def test_default_tags_are_read_from_the_configuration_of_the_provider(run):
    """(https://www.pulumi.com/registry/packages/aws/api-docs/provider/#providerdefaulttags)."""
    placements = []

    run(
        lambda: placements.append(find_placement(None)),
        config={"aws:defaultTags": json.dumps({"tags": {"Owner": "shop"}})},
    )
    run(lambda: placements.append(find_placement(None)), config={"aws:defaultTags": json.dumps({})})

    assert [placement.default_tags for placement in placements] == [{"Owner"}, frozenset()]
