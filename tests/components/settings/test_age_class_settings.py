"""Age classes that no secret can be in are rejected."""

import pytest

from components.settings.validation import complaints_about
from tests.components.samples.audit import age_class


def test_an_unreachable_class_is_rejected_with_the_reason():
    everything, some = {"days": 30, "name": "*"}, {"days": 7, "name": "prod/*"}
    elsewhere = {"days": 1, "tag": {"key": "audit", "value": "no"}}

    assert complaints_about({"max_age_classes": [elsewhere, everything, some]}) == [
        'max_age_classes[2] must be a class that a secret can get into, got {"days": 7, "name": "prod/*"}: '
        "class [1] includes the same secrets and comes first"
    ]
    settings = {"max_age_classes": [elsewhere], "managed_tag": {"key": "audit", "value": "yes"}}
    assert complaints_about(settings) == [
        "max_age_classes[0] must be a class that a secret can get into, got "
        '{"days": 1, "tag": {"key": "audit", "value": "no"}}: every secret under audit has the tag audit=yes'
    ]


def test_classes_are_compared_only_if_each_of_them_and_the_managed_tag_are_valid():
    classes = [age_class(), age_class()]

    [complaint] = complaints_about({"max_age_classes": [*classes, age_class(days=-1)]})
    assert complaint.startswith("max_age_classes[2].days must be ")
    [complaint] = complaints_about({"max_age_classes": classes, "managed_tag": {"key": "x"}})
    assert complaint.startswith("managed_tag must be ")


@pytest.mark.parametrize("secret", ["max_age_classes", "managed_tag"])
def test_an_error_about_classes_repeats_nothing_secret(secret):
    settings = {
        "max_age_classes": [{"days": 1, "tag": {"key": "s3cr3t", "value": "s3cr3t-too"}}, age_class(), age_class()],
        "managed_tag": {"key": "s3cr3t", "value": "yes"},
    }

    complaints = complaints_about(settings, secret_settings=frozenset({secret}))

    assert len(complaints) == 2
    for complaint in complaints:
        assert complaint.endswith(" must be a class that a secret can get into, got a secret value")
