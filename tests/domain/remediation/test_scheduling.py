"""When to act: the wait after a try that failed, and the hours in which something may be changed."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rotation_guard.domain.remediation.scheduling import DAYS, ChangeWindow, choose_backoff_seconds

# Repeatable, and without a database: a suite that finds something else each time is no bar.
repeatable = settings(max_examples=300, deadline=None, derandomize=True, database=None)

minutes = st.integers(1, 1440)
chances = st.floats(0, 1, exclude_max=True)
tries = st.integers(1, 11)
# Plain numbers, because Hypothesis draws dates, times and sets ten times as slowly.
days = st.integers(1, 2 ** len(DAYS) - 1).map(
    lambda bits: frozenset(day for number, day in enumerate(DAYS) if bits >> number & 1)
)
minutes_of_day = st.integers(0, 1439)
windows = st.builds(
    lambda days, start, length: ChangeWindow(days, _time_of(start), _time_of(start + length)),
    days,
    minutes_of_day,
    st.integers(1, 1439),
)
zones = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Apia")])
moments = st.builds(
    lambda day, minute, seconds, zone: (
        datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=minute, seconds=seconds)
    ).astimezone(zone),
    st.integers(0, 15 * 365),
    minutes_of_day,
    st.sampled_from([0, 0.000001, 1, 30.5, 59, 59.999999]),
    zones,
)
NIGHTS = ChangeWindow(frozenset({"mon", "fri"}), time(22), time(4))
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def _time_of(minute):
    return time(minute // 60 % 24, minute % 60)


# --- backoff ----------------------------------------------------------------------------------------------------------


@repeatable
@given(tries, minutes, minutes, chances)
def test_a_wait_is_never_negative_and_never_beyond_the_cap(number, base, cap, chance):
    assert 0 <= choose_backoff_seconds(number, base, cap, chance) <= cap * 60


@repeatable
@given(tries, minutes, chances)
def test_a_wait_doubles_from_try_to_try_until_the_cap(number, base, chance):
    beyond = base * 2**20

    once, twice = (choose_backoff_seconds(each, base, beyond, chance) for each in (number, number + 1))

    assert twice in (2 * once, 2 * once + 1)


@repeatable
@given(tries, minutes, minutes)
def test_a_wait_is_drawn_from_the_whole_span_down_to_nothing(number, base, cap):
    longest = choose_backoff_seconds(number, base, cap, 1)

    assert longest == min(cap, base * 2 ** (number - 1)) * 60
    assert choose_backoff_seconds(number, base, cap, 0.0) == 0
    assert choose_backoff_seconds(number, base, cap, 0.5) == longest // 2


def test_the_waits_by_default():
    assert [choose_backoff_seconds(number, 5, 60, 0.999999) // 60 + 1 for number in range(1, 7)] == [
        5,
        10,
        20,
        40,
        60,
        60,
    ]


# --- the change window ------------------------------------------------------------------------------------------------


@repeatable
@given(windows, moments)
def test_after_the_wait_it_is_open_and_a_second_earlier_it_is_not(window, now):
    seconds = window.seconds_until_open(now)

    # In UTC: in a zone with summer time, a second on the clock is not always a second later.
    now = now.astimezone(UTC)
    assert 0 <= seconds <= 7 * 86_400
    assert window.seconds_until_open(now + timedelta(seconds=seconds)) == 0
    if seconds:
        assert window.seconds_until_open(now + timedelta(seconds=seconds - 1)) == 1


@repeatable
@given(windows, moments)
def test_it_is_open_when_a_clock_in_utc_says_so(window, now):
    clock = now.astimezone(UTC)
    today, yesterday = (DAYS[(clock.weekday() - ago) % 7] in window.days for ago in (0, 1))
    if window.start < window.end:
        says = today and window.start <= clock.time() < window.end
    else:
        says = (today and clock.time() >= window.start) or (yesterday and clock.time() < window.end)

    assert (window.seconds_until_open(now) == 0) is says


@repeatable
@given(windows, moments)
def test_neither_the_zone_of_the_clock_nor_summer_time_matters(window, now):
    moment = now.astimezone(UTC)

    assert window.seconds_until_open(now) == window.seconds_until_open(moment)
    assert window.seconds_until_open(moment + timedelta(days=7)) == window.seconds_until_open(moment)


@repeatable
@given(windows, moments, st.integers(0, 86_400))
def test_the_wait_shrinks_as_time_passes(window, now, passed):
    now = now.astimezone(UTC)
    seconds = window.seconds_until_open(now)
    assume(passed <= seconds)

    assert window.seconds_until_open(now + timedelta(seconds=passed)) == seconds - passed


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (MONDAY.replace(hour=21, minute=59), 60),
        (MONDAY.replace(hour=21, minute=59, second=59, microsecond=1), 1),
        (MONDAY.replace(hour=22), 0),
        (MONDAY + timedelta(days=1, hours=3, minutes=59, seconds=59), 0),
        (MONDAY + timedelta(days=1, hours=4), 3 * 86_400 + 18 * 3600),
        # Sunday's night is not one of them, so Monday's first hours are closed.
        (MONDAY.replace(hour=3), 19 * 3600),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(now, seconds):
    assert NIGHTS.seconds_until_open(now) == seconds


def test_a_moment_in_no_time_zone_is_refused():
    with pytest.raises(ValueError, match="now: must have a time zone"):
        NIGHTS.seconds_until_open(datetime(2026, 3, 2))


# --- the setting ------------------------------------------------------------------------------------------------------


def test_the_setting_says_when():
    assert ChangeWindow.from_mapping({}) is None
    assert ChangeWindow.from_mapping({"days": ["mon", "fri"], "start": "22:00", "end": "04:00"}) == NIGHTS


def test_without_days_it_is_every_day():
    window = ChangeWindow.from_mapping({"start": "02:00", "end": "03:30"})

    assert window == ChangeWindow(frozenset(DAYS), time(2), time(3, 30))


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"end": "04:00"}, "changeWindow.start: must be a time in UTC such as 22:00, got None"),
        ({"start": "22:00", "end": "24:00"}, "changeWindow.end: must be a time in UTC such as 22:00, got '24:00'"),
        (
            {"start": "22:00", "end": "04:00:30"},
            "changeWindow.end: must be a time in UTC such as 22:00, got '04:00:30'",
        ),
        ({"start": 22, "end": "04:00"}, "changeWindow.start: must be a time in UTC such as 22:00, got 22"),
        ({"start": "22:00", "end": "22:00"}, "changeWindow: its start and end must differ, got 22:00 twice"),
        (
            {"start": "22:00", "end": "04:00", "days": ["mon", "Friday"]},
            "changeWindow.days: must be of mon, tue, wed, thu, fri, sat, sun, got Friday",
        ),
    ],
)
def test_a_setting_that_says_nothing_sensible_is_refused(written, complaint):
    with pytest.raises(ValueError, match=complaint):
        ChangeWindow.from_mapping(written)
