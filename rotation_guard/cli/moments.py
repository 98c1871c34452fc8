"""Dates and spans of time, as operators, the AWS CLI and our tables write them."""

import re
from datetime import UTC, date, datetime, time, timedelta

from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS

from .problems import Misused

_SPAN = re.compile(r"([0-9]{1,6})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def read(value: object) -> datetime:
    """A moment out of a file: ISO 8601, in UTC unless it says otherwise, or epoch seconds. Raises ValueError."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError):
        pass
    raise ValueError(value)


def moment(option: str, text: str) -> datetime:
    """A moment as an option gives it: a date alone is its first moment."""
    try:
        return read(text).replace(microsecond=0)
    except ValueError:
        raise Misused(_not_a_date(option, text)) from None


def past_moment(option: str, text: str, now: datetime) -> datetime:
    """A moment until now: a date alone is its last second, which for today is now."""
    try:
        found = datetime.combine(date.fromisoformat(text.strip()), time(23, 59, 59), UTC)
        if found.date() == now.date():
            return now
    except ValueError:
        found = moment(option, text)
    if found > now:
        raise Misused(f"{option} must not lie in the future, got {text}.")
    return found


def start(option: str, text: str, now: datetime) -> datetime:
    """A moment until now, or a span before now: a date alone is its first moment."""
    if _SPAN.fullmatch(text.strip()):
        return now - span(option, text)
    try:
        found = read(text)
    except ValueError:
        raise Misused(
            f"{option} must be a span of time such as 7d, or a date such as 2026-03-01, got {text!r}."
        ) from None
    if found > now:
        raise Misused(f"{option} must not lie in the future, got {text}.")
    return found.replace(microsecond=0)


def span(option: str, text: str) -> timedelta:
    """A span such as `30d`, `12h` or `2w`."""
    match = _SPAN.fullmatch(text.strip())
    found = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if found is None or found > timedelta(days=MAX_LIMIT_DAYS):
        raise Misused(
            f"{option} must be a span of time such as 30d, 12h or 2w, at most {MAX_LIMIT_DAYS} days, got {text!r}."
        )
    return found


def later(start: datetime | None, days: int | None) -> datetime | None:
    """So many days later; None where that is not known or beyond all dates."""
    try:
        return None if start is None or days is None else start + timedelta(days=days)
    except OverflowError:
        return None


def _not_a_date(option: str, text: str) -> str:
    return f"{option} must be a date such as 2026-03-01 or 2026-03-01T12:00:00Z, got {text!r}."
