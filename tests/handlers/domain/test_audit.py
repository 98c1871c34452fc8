"""Which secrets are overdue: the rule alone."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.domain.audit import NEEDS_ROTATION, OK, UNKNOWN, AuditedSecret, ValueDate, judge, run_id

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SECRET = AuditedSecret("orders/db", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd", {}, "v1")
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "max_age_days", "status", "age_days"),
    [
        (timedelta(0), 30, OK, 0),
        (timedelta(days=1) - SECOND, 30, OK, 0),
        (timedelta(days=30) - SECOND, 30, OK, 29),
        (timedelta(days=30), 30, OK, 30),
        (timedelta(days=30) + SECOND, 30, NEEDS_ROTATION, 30),
        (timedelta(days=31), 30, NEEDS_ROTATION, 31),
        (timedelta(0), 0, OK, 0),
        (SECOND, 0, NEEDS_ROTATION, 0),
        (-SECOND, 30, UNKNOWN, None),
    ],
)
def test_a_value_is_overdue_from_the_second_after_its_limit(age, max_age_days, status, age_days):
    finding = judge(SECRET, ValueDate(NOW - age), max_age_days, NOW)

    assert (finding.status, finding.age_days, finding.value_created_at) == (status, age_days, NOW - age)


@pytest.mark.parametrize(
    ("age_days", "reason"),
    [
        (29, "The value in use is 29 days old, within the limit of 30."),
        (31, "The value in use is 31 days old; the limit is 30."),
        (-1, "The value in use has a date in the future."),
    ],
)
def test_a_finding_says_why(age_days, reason):
    assert judge(SECRET, ValueDate(NOW - timedelta(days=age_days)), 30, NOW).reason == reason


def test_a_value_without_a_date_is_unknown_for_the_reason_given():
    finding = judge(SECRET, ValueDate(None, "No version holds AWSCURRENT."), 30, NOW)

    assert (finding.status, finding.reason) == (UNKNOWN, "No version holds AWSCURRENT.")
    assert (finding.value_created_at, finding.age_days) == (None, None)


@pytest.mark.parametrize(
    ("value", "attention"),
    [
        (ValueDate(NOW), False),
        (ValueDate(NOW - timedelta(days=31)), True),
        (ValueDate(None, "The secret's versions may not be listed: access denied."), True),
    ],
)
def test_everything_but_ok_needs_someone(value, attention):
    assert judge(SECRET, value, 30, NOW).attention is attention


@pytest.mark.parametrize(
    ("tags", "carries"),
    [
        ({"Managed": "true"}, True),
        ({"Managed": "true", "team": "orders"}, True),
        ({}, False),
        ({"Managed": "True"}, False),
        ({"Managed": "true "}, False),
        ({"Managed": ""}, False),
        ({"managed": "true"}, False),
        ({"ManagedBy": "true"}, False),
    ],
)
def test_a_tag_counts_to_the_letter(tags, carries):
    assert AuditedSecret("orders/db", SECRET.arn, tags, "v1").carries("Managed", "true") is carries


@pytest.mark.parametrize("scheduled_time", ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.123Z"])
def test_a_scheduled_run_is_known_by_the_time_it_was_scheduled_for(scheduled_time):
    assert run_id(scheduled_time, "request") == scheduled_time


@pytest.mark.parametrize(
    "scheduled_time",
    [
        None,
        "",
        "<aws.scheduler.scheduled-time>",  # sent by hand, so nobody put the time in
        "2026-03-01",
        "2026-03-01T12:00:00Z\n",
        "yesterday 2026-03-01T12:00:00Z",
        1772366400,
        ["2026-03-01T12:00:00Z"],
    ],
)
def test_a_run_without_a_scheduled_time_is_known_by_its_request(scheduled_time):
    assert run_id(scheduled_time, "request") == "request"
