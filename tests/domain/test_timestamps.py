"""The format of times, and how long rows are kept."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from rotation_guard.domain.timestamps import expires_at, to_iso

NOW = datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)


def test_a_row_expires_after_the_days_of_history():
    assert expires_at(NOW, 400) == int(NOW.timestamp()) + 400 * 86_400


def test_a_history_of_0_days_never_expires():
    assert expires_at(NOW, 0) is None


@pytest.mark.parametrize("hours", [-8, 0, 9])
def test_a_time_is_written_in_utc_whatever_its_zone(hours):
    assert to_iso(NOW.astimezone(timezone(timedelta(hours=hours)))) == "2026-03-01T12:00:00Z"
