"""The age of a value, and the limit that applies to it."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from rotation_guard.domain.audit.age_limits import AgeClass, find_limit
from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.verdicts import NEEDS_ROTATION, OK, judge
from rotation_guard.domain.secret import (
    VersionDates,
    date_versions,
)
from tests.domain.audit.judged_secrets import (
    LIMIT,
    NOW,
    SECRET,
    judge_at_age,
    with_tags,
)


@pytest.mark.parametrize("hours", [-11, -5, 0, 5.5, 14])
def test_a_verdict_does_not_depend_on_the_time_zone(hours):
    zone = timezone(timedelta(hours=hours))
    created_at = NOW - timedelta(days=30, seconds=1)

    finding = judge(
        SECRET, date_versions(SECRET, {"v2": created_at.astimezone(zone)}), AuditSettings(), NOW.astimezone(zone)
    )

    assert (finding.status, finding.age_days, str(finding.dates.value_created_at)) == (
        NEEDS_ROTATION,
        30,
        str(created_at),
    )


def test_fractions_of_a_second_make_no_value_older():
    created_at, now = NOW - timedelta(days=30, microseconds=1), NOW.replace(microsecond=999_999)

    assert judge(SECRET, VersionDates(NOW - timedelta(days=30)), AuditSettings(), now).status == OK
    finding = judge(SECRET, date_versions(SECRET, {"v2": created_at}), AuditSettings(), NOW)
    assert (finding.status, finding.dates.value_created_at) == (NEEDS_ROTATION, NOW - timedelta(days=30, seconds=1))


def test_a_value_is_due_when_it_reaches_its_limit():
    assert judge_at_age(10).due_at == NOW + timedelta(days=20)
    assert judge(SECRET, VersionDates(None, problem="denied"), AuditSettings(), NOW).due_at is None


def test_a_value_without_a_date_or_from_the_future_has_no_age():
    assert judge(SECRET, VersionDates(None, problem="denied"), AuditSettings(), NOW).age_days is None
    assert judge_at_age(-1).age_days is None
    assert judge_at_age(12, hours=23).age_days == 12


@pytest.mark.parametrize(("tag", "days"), [("1", 1), ("7", 7), ("030", 30), (" 90 ", 90), ("3650", 3650)])
def test_a_limit_tag_of_one_day_to_ten_years_applies(tag, days):
    limit = find_limit(with_tags(limit=tag), 30, ())

    assert (limit.days, limit.source, limit.problem) == (days, "its tag", "")


@pytest.mark.parametrize("tag", ["", " ", "0", "-1", "+5", "abc", "1e3", "30.0", "3651", "1_0", "٣٠", "²", "0x1E"])
def test_a_malformed_limit_tag_is_ignored_and_reported(tag):
    limit = find_limit(with_tags(limit=tag), 45, ())

    assert limit.days == 45
    assert limit.problem == f"Its tag {LIMIT} must be an integer from 1 to 3650, got {tag!r}."


def test_a_malformed_limit_tag_needs_attention_if_the_verdict_depends_on_a_limit():
    healthy, old = judge_at_age(1, with_tags(limit="abc")), judge_at_age(31, with_tags(limit="abc"))

    assert (healthy.status, healthy.attention, old.status, old.attention) == (OK, True, NEEDS_ROTATION, True)
    assert LIMIT in healthy.reason
    assert LIMIT in old.reason


def test_a_class_by_tag_and_name_requires_both():
    both = AgeClass(7, name="orders/*", tag_key="tier", tag_value="high")

    assert both.matches(with_tags(tier="high"))
    assert not both.matches(with_tags(tier="low"))
    assert not both.matches(replace(with_tags(tier="high"), name="search/db"))
    assert str(both) == "name orders/* and tag tier=high"


def test_a_class_without_criteria_matches_nothing():
    assert not AgeClass(7).matches(SECRET)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        ("orders/db", True),
        ("orders/*", True),
        ("*db", True),
        ("orders?db", True),
        ("[op]rders/db", True),
        ("orders", False),
        ("Orders/*", False),
        ("order?/db/*", False),
        ("", False),
    ],
)
def test_a_class_by_name_compares_its_pattern_with_the_whole_name(pattern, matches):
    assert AgeClass(7, name=pattern).matches(SECRET) is matches


def test_a_reason_names_the_source_of_the_limit():
    classes = (AgeClass(90, tag_key="tier"),)

    by_class = judge_at_age(60, with_tags(tier="low"), AuditSettings(classes=classes))
    by_tag = judge_at_age(60, with_tags(tier="low", limit="50"), AuditSettings(classes=classes))

    assert by_class.reason.endswith("The value in use is 60 days old, within the limit of 90 (age class: tag tier).")
    assert by_tag.reason == "The value in use is 60 days old; the limit is 50 (its tag)."
