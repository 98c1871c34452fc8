"""When to act: the backoff after a failed attempt, and the change window."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rotation_guard.domain.remediation.scheduling import DAYS, ChangeWindow, choose_backoff_seconds

# Repeatable and without a database, so that every run of the suite tests the same examples.
repeatable = settings(max_examples=300, derandomize=True, database=None)

minutes = st.integers(1, 1440)
jitters = st.floats(0, 1, exclude_max=True)
retry_numbers = st.integers(1, 11)
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
times = st.builds(
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
@given(retry_numbers, minutes, minutes, jitters)
def test_a_backoff_is_never_negative_and_never_above_the_cap(number, base, cap, jitter):
    assert 0 <= choose_backoff_seconds(number, base, cap, jitter) <= cap * 60


@repeatable
@given(retry_numbers, minutes, jitters)
def test_a_backoff_doubles_with_each_retry_until_the_cap(number, base, jitter):
    no_cap = base * 2**20

    shorter, longer = (
        choose_backoff_seconds(retry_number, base, no_cap, jitter) for retry_number in (number, number + 1)
    )

    assert longer in (2 * shorter, 2 * shorter + 1)


@repeatable
@given(retry_numbers, minutes, minutes)
def test_a_backoff_has_full_jitter(number, base, cap):
    longest = choose_backoff_seconds(number, base, cap, 1)

    assert longest == min(cap, base * 2 ** (number - 1)) * 60
    assert choose_backoff_seconds(number, base, cap, 0.0) == 0
    assert choose_backoff_seconds(number, base, cap, 0.5) == longest // 2


def test_the_default_backoffs():
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
@given(windows, times)
def test_the_window_opens_exactly_after_the_wait(window, now):
    seconds = window.seconds_until_open(now)

    # In UTC: with daylight saving time, adding a second to a local time is not always a second later.
    now = now.astimezone(UTC)
    assert 0 <= seconds <= 7 * 86_400
    assert window.seconds_until_open(now + timedelta(seconds=seconds)) == 0
    if seconds:
        assert window.seconds_until_open(now + timedelta(seconds=seconds - 1)) == 1


@repeatable
@given(windows, times)
def test_the_window_is_open_by_the_time_in_utc(window, now):
    clock = now.astimezone(UTC)
    today, yesterday = (DAYS[(clock.weekday() - ago) % 7] in window.days for ago in (0, 1))
    if window.start < window.end:
        expected = today and window.start <= clock.time() < window.end
    else:
        expected = (today and clock.time() >= window.start) or (yesterday and clock.time() < window.end)

    assert (window.seconds_until_open(now) == 0) is expected


@repeatable
@given(windows, times)
def test_neither_the_time_zone_nor_daylight_saving_time_matters(window, now):
    in_utc = now.astimezone(UTC)

    assert window.seconds_until_open(now) == window.seconds_until_open(in_utc)
    assert window.seconds_until_open(in_utc + timedelta(days=7)) == window.seconds_until_open(in_utc)


@repeatable
@given(windows, times, st.integers(0, 86_400))
def test_the_wait_decreases_as_time_passes(window, now, passed):
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
def test_a_window_across_midnight_belongs_to_the_day_on_which_it_starts(now, seconds):
    assert NIGHTS.seconds_until_open(now) == seconds


def test_a_time_without_a_time_zone_is_rejected():
    with pytest.raises(ValueError, match="now: must have a time zone"):
        NIGHTS.seconds_until_open(datetime(2026, 3, 2))


# --- the setting ------------------------------------------------------------------------------------------------------


def test_a_window_is_read_from_the_setting():
    assert ChangeWindow.from_mapping({}) is None
    assert ChangeWindow.from_mapping({"days": ["mon", "fri"], "start": "22:00", "end": "04:00"}) == NIGHTS


def test_a_window_without_days_is_on_every_day():
    window = ChangeWindow.from_mapping({"start": "02:00", "end": "03:30"})

    assert window == ChangeWindow(frozenset(DAYS), time(2), time(3, 30))


@pytest.mark.parametrize(
    ("setting", "complaint"),
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
def test_an_invalid_setting_is_rejected(setting, complaint):
    with pytest.raises(ValueError, match=complaint):
        ChangeWindow.from_mapping(setting)
