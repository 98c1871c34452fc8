"""The rows of a secret, and what the next run reads from them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.reconciliation import ReconciledState
from rotation_guard.domain.audit.secret_status import (
    build_history_row,
    build_prefetched_fields,
    build_status_row,
    has_significant_change,
    read_cached_dates,
)
from rotation_guard.domain.audit.verdicts import judge
from rotation_guard.domain.secret import ListedSecret, VersionDates

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
SECRET = ListedSecret("orders/db", ARN, {"rotation-guard:owner": "payments"}, current_version_id="v2")
DATES = VersionDates(NOW - timedelta(days=31))
ACCOUNT = ReconciledState("v2", "2026-03-01T11:00:00Z")


def make_status(secret=SECRET, dates=DATES, before=None, at=NOW):
    return build_status_row(judge(secret, dates, AuditSettings(), at), before or {}, ACCOUNT, at, None)


def without_none(row):
    return {name: value for name, value in row.items() if value is not None}


def test_a_history_row_has_every_attribute_that_reports_need():
    row = build_history_row("run", make_status(), 1_800_000_000)

    assert row == {
        "secret_name": "orders/db",
        "run_id": "run",
        "secret_arn": ARN,
        "status": "needs_rotation",
        "verdict": "overdue",
        "reason": "The value in use is 31 days old; the limit is 30.",
        "attention": True,
        "checked_at": "2026-03-01T12:00:00Z",
        "age_days": 31,
        "limit_days": 30,
        "current_version_id": "v2",
        "value_created_at": "2026-01-29T12:00:00Z",
        "owner": "payments",
        "exempt_until": None,
        "exempt_reason": None,
        "expires_at": 1_800_000_000,
    }


def test_a_status_has_the_due_date_of_the_value():
    assert make_status()["due_at"] == "2026-02-28T12:00:00Z"


def test_a_verdict_lasts_from_its_first_run():
    before = make_status(at=NOW - timedelta(hours=3))

    assert make_status(before=before)["since"] == "2026-03-01T09:00:00Z"
    recovered = make_status(dates=VersionDates(NOW), before=before)
    assert (recovered["since"], recovered["attention"], recovered["attention_since"]) == (
        "2026-03-01T12:00:00Z",
        None,
        None,
    )


def test_an_unchanged_secret_an_hour_later_is_no_change():
    assert not has_significant_change(make_status(at=NOW + timedelta(hours=1)), without_none(make_status()), ages=True)


def test_another_verdict_version_owner_day_or_limit_is_a_change():
    before = without_none(make_status())
    others = [
        make_status(dates=VersionDates(NOW)),
        make_status(secret=replace(SECRET, current_version_id="v3")),
        make_status(secret=replace(SECRET, tags={})),
        make_status(secret=replace(SECRET, tags={**SECRET.tags, "rotation-guard:max-age-days": "20"})),
        make_status(at=NOW + timedelta(hours=12)),
    ]
    assert [has_significant_change(other, before, ages=False) for other in others] == [True] * len(others)


def test_cached_dates_are_used_only_for_the_same_versions():
    pending = replace(SECRET, pending_version_id="v3")
    before = make_status(pending, replace(DATES, pending_since=NOW - timedelta(hours=5)))

    assert read_cached_dates(before, pending) == VersionDates(
        DATES.value_created_at, pending_since=NOW - timedelta(hours=5)
    )
    assert read_cached_dates(before, SECRET) is None
    assert read_cached_dates(before, replace(pending, current_version_id="v4")) is None
    assert read_cached_dates({}, SECRET) is None


def test_an_unreadable_date_is_not_cached():
    assert read_cached_dates(make_status(dates=VersionDates(None, problem="denied")), SECRET) is None


def test_a_prefetched_date_is_used_for_its_version():
    before = {**make_status(), **build_prefetched_fields("v3", VersionDates(NOW - timedelta(days=2)))}

    moved = replace(SECRET, current_version_id="v3")
    assert read_cached_dates(before, moved) == VersionDates(NOW - timedelta(days=2))
    assert read_cached_dates(before, replace(moved, pending_version_id="v4")) is None


def test_an_unreadable_value_is_not_prefetched():
    assert build_prefetched_fields("v3", VersionDates(None, problem="denied")) == {}
    assert build_prefetched_fields(None, VersionDates(NOW)) == {}


def test_a_higher_age_in_days_is_a_change_only_if_ages_are_kept():
    older, before = make_status(), without_none(make_status(at=NOW - timedelta(hours=1)))

    assert has_significant_change(older, before, ages=True)
    assert not has_significant_change(older, before, ages=False)
