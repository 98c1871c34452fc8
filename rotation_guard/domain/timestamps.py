"""Formats and parses times, and computes when rows expire."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any


def expires_at(now: datetime, history_days: int) -> int | None:
    """The expiry of a row written now, in epoch seconds; None for 0 days, which means no expiry."""
    return int((now + timedelta(days=history_days)).timestamp()) if history_days else None


def has_expired(row: Mapping[str, Any], now: float) -> bool:
    """Whether a row's expiry is before `now`, in epoch seconds: DynamoDB takes days to delete it.

    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ttl-expired-items.html)
    """
    expiry = row.get("expires_at")
    return isinstance(expiry, int | float) and expiry < now


def to_iso(time: datetime) -> str:
    """Format a time in the project's form: ISO 8601 in UTC, to the second, with a Z.

    boto3 returns dates in the machine's time zone, so this converts them to UTC.
    """
    # strftime would write the year 33 with two digits.
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_timestamp(value: object) -> datetime:
    """A timestamp of a file or a table: ISO 8601, in UTC unless it has an offset, or epoch seconds.

    Raises ValueError.
    """
    try:
        if isinstance(value, str):
            timestamp = datetime.fromisoformat(value.strip())
            return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError):
        pass
    raise ValueError(value)


def read_timestamp(value: object) -> datetime | None:
    """The same; None if it is missing or invalid."""
    try:
        return parse_timestamp(value) if value else None
    except ValueError:
        return None


def add_days(start: datetime | None, days: int | None) -> datetime | None:
    """The date so many days later; None if either is unknown, or if the result is out of range."""
    try:
        return None if start is None or days is None else start + timedelta(days=days)
    except OverflowError:
        return None


def state_entered_at(event: Mapping[str, Any], now: datetime) -> datetime:
    """When Step Functions entered the state that called a step, by AWS's clock; `now` if it is not in the event.

    Event times are AWS's, and a function's clock may be minutes off, so event times are compared with this. It is
    slightly early, so that in doubt an event counts as later
    (https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html).
    """
    entered_at = event.get("entered_at")
    return datetime.fromisoformat(entered_at) if isinstance(entered_at, str) else now


def read_scheduled_time(event: object, now: datetime) -> datetime:
    """The time that Scheduler's schedule was for, from the event of an invocation; `now` for any other event."""
    scheduled = event.get("scheduled_time") if isinstance(event, Mapping) else None
    try:
        return parse_timestamp(scheduled) if isinstance(scheduled, str) else now
    except ValueError:
        return now
