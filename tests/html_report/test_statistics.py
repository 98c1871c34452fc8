"""What the page counts."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from rotation_guard.domain.audit.secret_totals import tally_rows
from rotation_guard.html_report.page import Incident, Run
from rotation_guard.html_report.statistics import (
    count_ages,
    count_owners,
    count_verdicts,
    find_due_dates,
    measure_recovery,
)
from rotation_guard.html_report.templating import format_duration
from rotation_guard.html_report.trend import build_trend, choose_weekly, list_weeks

from .sample import AT, build_secret, build_secrets

DAY = timedelta(days=1)


def incident(days: float, minutes: float | None = None) -> Incident:
    opened_at = AT - days * DAY
    recovered_at = None if minutes is None else opened_at + timedelta(minutes=minutes)
    return Incident("a", "", opened_at, "escalated", attention=False, recovered_at=recovered_at)


def test_the_parts_of_the_tally_add_up():
    tally = tally_rows(build_secrets())

    assert (tally.over_limit, tally.unknown, tally.total_accepted, tally.within_limit, tally.total) == (
        17,
        4,
        16,
        177,
        214,
    )


def test_a_status_that_is_not_known_is_no_good_news():
    tally = tally_rows([build_secret("a", status="strange"), build_secret("b", "exempt"), build_secret("c", "fresh")])

    assert (tally.over_limit, tally.unknown, tally.total_accepted, tally.within_limit) == (0, 1, 1, 1)


def test_an_exemption_counts_as_accepted_only_while_it_is_valid():
    ended = build_secret("a", "exemption_invalid", "needs_rotation", 90)

    assert tally_rows([ended]).over_limit == 1


def test_owners_are_counted_in_the_same_parts():
    secrets = build_secrets()

    owners = count_owners(secrets)

    assert sum(owner.total for owner in owners) == 214
    assert all(
        owner.over_limit + owner.unknown + owner.accepted + owner.within_limit == owner.total for owner in owners
    )
    assert [owner.attention for owner in owners] == sorted((owner.attention for owner in owners), reverse=True)
    assert "" in {owner.owner for owner in owners}


def test_verdicts_that_need_attention_come_first():
    attention = [verdict.attention > 0 for verdict in count_verdicts(build_secrets())]

    assert attention == sorted(attention, reverse=True)


@pytest.mark.parametrize(
    ("age", "low", "high"), [(0, 0, 7), (30, 15, 30), (31, 31, 60), (365, 181, 365), (366, 366, None)]
)
def test_an_age_equal_to_the_limit_is_in_the_bin_before_it(age, low, high):
    [filled] = [each for each in count_ages([build_secret("a", age=age)]).bins if each.total]

    assert (filled.low, filled.high) == (low, high)


def test_the_most_common_limit_is_an_edge_of_the_histogram():
    secrets = [build_secret("a", limit_days=45), build_secret("b", limit_days=45), build_secret("c", limit_days=7)]

    ages = count_ages(secrets)

    assert ages.limit == 45
    assert ages.others == (7, 45)
    assert 45 in {each.high for each in ages.bins}


def test_colours_follow_the_limit_of_each_secret():
    secrets = [
        build_secret("over", "overdue", "needs_rotation", 10, limit_days=7),
        build_secret("within", age=80, limit_days=90),
        build_secret("accepted", "exempt", age=400),
        build_secret("unknown", "unknown", "unknown", None),
        build_secret("range", "unknown", "unknown", 40),
    ]

    ages = count_ages(secrets)

    filled = {each.low: (each.over_limit, each.accepted, each.within_limit) for each in ages.bins if each.total}
    assert filled == {8: (1, 0, 0), 61: (0, 0, 1), 366: (0, 1, 0)}
    assert ages.unknown == 2


def test_what_is_accepted_or_deleted_or_already_late_is_not_due():
    secrets = [
        build_secret("soon", age=29),
        build_secret("later", age=0, limit_days=90, due_at=AT + 90 * DAY),
        build_secret("after", due_at=AT + 91 * DAY),
        build_secret("late", "overdue", "needs_rotation", 31),
        build_secret("exempt", "exempt"),
        build_secret("deleted", "pending_deletion"),
        build_secret("unknown", "unknown", "unknown", None),
    ]

    due = find_due_dates(secrets, AT)

    assert [secret.secret_name for secret in due.secrets] == ["soon", "later"]
    assert [week.total for week in due.weeks] == [1, *[0] * 11, 1]


def test_recovery_is_measured_from_the_opening_of_what_recovered():
    recovery = measure_recovery([incident(1, 10), incident(2, 20), incident(3, 60), incident(4)])

    assert recovery.recovered == 3
    assert (recovery.mean, recovery.median, recovery.slowest) == tuple(timedelta(minutes=m) for m in (30, 20, 60))
    assert measure_recovery([incident(1)]).mean is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (3600, "1 h"), (7500, "2 h 5 min"), (90_061, "1 d 1 h"), (86_400, "1 d")],
)
def test_a_duration_has_two_units(seconds, text):
    assert format_duration(timedelta(seconds=seconds)) == text


def test_the_trend_has_the_last_run_of_each_week():
    runs = [Run(AT - timedelta(hours=hours), 10, hours, 0) for hours in range(24 * 21)]

    points = build_trend(runs, [], AT).points

    assert [point.over_limit for point in points] == [336, 168, 0]


def test_hourly_runs_of_thirteen_months_become_one_a_week():
    runs = (Run(AT - timedelta(hours=hours), 10, 1, 0) for hours in range(24 * 500))

    chosen = choose_weekly(runs, AT)

    assert len(chosen) == len(list_weeks(AT)) == 57
    assert chosen[0].started_at >= datetime(2025, 11, 1, tzinfo=UTC)


def test_the_weeks_have_no_gap():
    weeks = list_weeks(AT)

    assert weeks[0][0] == datetime(2025, 11, 1, tzinfo=UTC)
    assert weeks[-1][1] == AT
    assert all(one[1] == other[0] for one, other in pairwise(weeks))


def test_the_points_of_several_audits_are_added_where_all_have_one():
    runs = [
        Run(AT - 20 * DAY, 5, 3, 0, "a"),
        Run(AT - 9 * DAY, 5, 2, 1, "a"),
        Run(AT - 8 * DAY, 7, 4, 0, "b"),
        Run(AT - 2 * DAY, 7, 4, 0, "b"),
    ]

    points = build_trend(runs, [], AT).points

    assert [(point.checked, point.over_limit, point.unknown) for point in points] == [(12, 6, 1)]


def test_an_incident_counts_in_the_month_in_which_it_was_opened():
    months = build_trend([], [incident(0), incident(30), incident(31), incident(800)], AT).months

    assert len(months) == 13
    assert [(month.label, month.incidents) for month in months[-2:]] == [("2026-10", 2), ("2026-11", 1)]
    assert sum(month.incidents for month in months) == 3
