"""The dates of versions: estimated, missing, or not readable."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.verdicts import NEEDS_ROTATION, UNKNOWN, judge
from rotation_guard.domain.secret import (
    date_versions,
    estimate_dates,
    read_date,
    refused_dates,
)
from tests.domain.audit.judged_secrets import (
    NOW,
    SECRET,
    UNTIL,
)


def test_a_reason_says_which_dates_an_estimate_is_based_on():
    changed = replace(SECRET, previous_version_id="v1", created_at=NOW - timedelta(days=400), changed_at=NOW)
    rotated = replace(changed, last_rotated_at=NOW - timedelta(days=3), rotation_enabled=True)

    assert judge(changed, estimate_dates(changed), AuditSettings(), NOW).reason == (
        "It is unknown whether the value in use is older than the limit of 30. "
        "Based on CreatedDate and LastChangedDate; the version's own date is unknown."
    )
    assert "Based on LastRotatedDate" in judge(rotated, estimate_dates(rotated), AuditSettings(), NOW).reason


def test_a_secret_without_any_date_is_unknown():
    finding = judge(SECRET, estimate_dates(SECRET), AuditSettings(), NOW)

    assert (finding.verdict, finding.reason) == (
        "unknown",
        "The creation dates of the version and of the secret are unknown.",
    )


@pytest.mark.parametrize(
    ("versions", "fields", "is_first"),
    [
        ({"v2": NOW}, {}, True),
        ({"v2": NOW, "v3": NOW + timedelta(hours=1)}, {"pending_version_id": "v3"}, True),
        ({"v2": NOW, "v1": NOW - timedelta(days=1)}, {}, False),  # an older version, under a label of its owner's
        ({"v2": NOW}, {"previous_version_id": "v1"}, False),
        ({"v2": NOW}, {"last_rotated_at": NOW}, False),
    ],
)
def test_a_first_value_has_no_version_before_it_and_no_rotation(versions, fields, is_first):
    assert date_versions(replace(SECRET, **fields), versions).is_first is is_first


@pytest.mark.parametrize(("days", "is_first"), [(0, True), (7, True), (30, True), (31, False), (3 * 365, False)])
def test_the_only_listed_version_is_the_first_if_it_was_created_soon_after_the_secret(days, is_first):
    secret = replace(SECRET, created_at=NOW - timedelta(days=days + 5))

    assert date_versions(secret, {"v2": NOW - timedelta(days=5)}).is_first is is_first


def test_a_version_with_a_placeholder_date_is_not_older():
    assert date_versions(SECRET, {"v2": NOW, "v1": datetime(1, 1, 1, tzinfo=UTC)}).is_first is True


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (None, None),
        (datetime(1, 1, 1, tzinfo=UTC), None),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), None),
        (datetime(1601, 1, 1, tzinfo=UTC), None),
        (datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), None),
        (datetime(2018, 4, 3, 23, 59, 59, tzinfo=UTC), None),
        (datetime(2018, 4, 4, 1, tzinfo=timezone(timedelta(hours=2))), None),
        (datetime(2018, 4, 4, tzinfo=UTC), datetime(2018, 4, 4, tzinfo=UTC)),
        (datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC), NOW),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))), None),
    ],
)
def test_no_date_of_a_secret_is_older_than_secrets_manager(date, expected):
    assert read_date(date) == expected


def test_a_version_from_before_the_service_is_old_and_one_from_before_aws_has_no_date():
    old, without_date = (
        date_versions(SECRET, {"v2": date}) for date in (datetime(2016, 1, 1, tzinfo=UTC), datetime.min)
    )

    assert judge(SECRET, old, AuditSettings(), NOW).status == NEEDS_ROTATION
    finding = judge(SECRET, without_date, AuditSettings(), NOW)
    assert (finding.verdict, finding.reason) == ("unknown", "Version v2, which holds AWSCURRENT, has no date.")


def judge_refused(hours, **fields):
    secret = replace(SECRET, pending_version_id="v3", **fields)
    unread = refused_dates("AccessDeniedException")
    assert unread is not None
    dates = replace(unread, pending_since=NOW - timedelta(hours=hours))
    return judge(secret, dates, AuditSettings(), NOW)


def test_a_long_rotation_is_stuck_even_if_versions_cannot_be_listed():
    finding = judge_refused(25)

    assert (finding.verdict, finding.status, finding.attention) == ("rotation_failing", UNKNOWN, True)
    assert finding.reason == (
        "A rotation has been stuck since 2026-02-28 11:00 UTC: version v3 holds AWSPENDING. "
        "The secret's versions could not be listed: access denied."
    )


def test_a_recent_rotation_or_one_elsewhere_leaves_the_secret_unknown():
    assert judge_refused(24).verdict == "unknown"
    assert judge_refused(25, primary_region="us-east-1").verdict == "unknown"
    assert judge_refused(25, tags={UNTIL: "2026-09-30"}).verdict == "unknown"
