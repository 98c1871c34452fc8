"""What is written down of a secret, and what may be taken from there again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rotation_guard.domain.audit.reconciliation import ReconciledState
from rotation_guard.domain.audit.secret_status import (
    build_history_row,
    build_prefetched_fields,
    build_status_row,
    has_significant_change,
    read_cached_dates,
)
from rotation_guard.domain.audit.verdicts import AuditSettings, judge
from rotation_guard.domain.secret import ListedSecret, VersionDates

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
SECRET = ListedSecret("orders/db", ARN, {"rotation-guard:owner": "payments"}, current_version_id="v2")
DATES = VersionDates(NOW - timedelta(days=31))
ACCOUNT = ReconciledState("v2", "2026-03-01T11:00:00Z")


def a_status(secret=SECRET, dates=DATES, before=None, at=NOW):
    return build_status_row(judge(secret, dates, AuditSettings(), at), before or {}, ACCOUNT, at, None)


def without_nothing(row):
    return {name: value for name, value in row.items() if value is not None}


def test_a_row_of_history_says_all_that_the_questions_ask_for():
    row = build_history_row("run", a_status(), 1_800_000_000)

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
        "expires_at": 1_800_000_000,
    }


def test_a_status_says_when_the_value_is_due():
    assert a_status()["due_at"] == "2026-02-28T12:00:00Z"


def test_a_verdict_lasts_from_the_run_that_found_it_first():
    before = a_status(at=NOW - timedelta(hours=3))

    assert a_status(before=before)["since"] == "2026-03-01T09:00:00Z"
    healed = a_status(dates=VersionDates(NOW), before=before)
    assert (healed["since"], healed["attention"], healed["attention_since"]) == ("2026-03-01T12:00:00Z", None, None)


def test_the_same_an_hour_later_is_nothing_new():
    assert not has_significant_change(a_status(at=NOW + timedelta(hours=1)), without_nothing(a_status()), ages=True)


def test_another_verdict_version_owner_day_or_limit_is_something_new():
    before = without_nothing(a_status())
    others = [
        a_status(dates=VersionDates(NOW)),
        a_status(secret=replace(SECRET, current_version_id="v3")),
        a_status(secret=replace(SECRET, tags={})),
        a_status(secret=replace(SECRET, tags={**SECRET.tags, "rotation-guard:max-age-days": "20"})),
        a_status(at=NOW + timedelta(hours=12)),
    ]
    assert [has_significant_change(other, before, ages=False) for other in others] == [True] * len(others)


def test_a_date_is_taken_from_the_record_for_the_same_versions_alone():
    pending = replace(SECRET, pending_version_id="v3")
    before = a_status(pending, replace(DATES, pending_since=NOW - timedelta(hours=5)))

    assert read_cached_dates(before, pending) == VersionDates(
        DATES.value_created_at, pending_since=NOW - timedelta(hours=5)
    )
    assert read_cached_dates(before, SECRET) is None
    assert read_cached_dates(before, replace(pending, current_version_id="v4")) is None
    assert read_cached_dates({}, SECRET) is None


def test_what_could_not_be_read_is_no_date_on_record():
    assert read_cached_dates(a_status(dates=VersionDates(None, problem="denied")), SECRET) is None


def test_a_date_that_was_heard_of_is_taken_for_that_version():
    before = {**a_status(), **build_prefetched_fields("v3", VersionDates(NOW - timedelta(days=2)))}

    moved = replace(SECRET, current_version_id="v3")
    assert read_cached_dates(before, moved) == VersionDates(NOW - timedelta(days=2))
    assert read_cached_dates(before, replace(moved, pending_version_id="v4")) is None


def test_nothing_is_noted_of_a_value_that_could_not_be_read():
    assert build_prefetched_fields("v3", VersionDates(None, problem="denied")) == {}
    assert build_prefetched_fields(None, VersionDates(NOW)) == {}


def test_a_value_that_became_a_day_older_is_something_new_to_who_keeps_ages():
    older, before = a_status(), without_nothing(a_status(at=NOW - timedelta(hours=1)))

    assert has_significant_change(older, before, ages=True)
    assert not has_significant_change(older, before, ages=False)
