"""Values that operators give: JSON files, dates and time spans, and age classes.

A time span is a number with a unit: `12h`, `30d` or `2w`. A point in time is a date (`2026-03-01`), a timestamp
(`2026-03-01T12:00:00Z`), or a time span before now. Dates and timestamps are in UTC unless they have an offset.

An age class gives some secrets a limit of their own:

    name:PATTERN=DAYS                  names that match a pattern, in which * ? and [...] are wildcards
    tag:KEY=DAYS                       secrets with this tag, whatever its value
    tag:KEY=VALUE=DAYS                 secrets with this tag and value
    name:PATTERN tag:KEY=VALUE=DAYS    both

The days follow the last =, and a tag's key ends at its first =, so a pattern and a value may contain =.
"""

import json
import re
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NoReturn

from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS, AgeClass
from rotation_guard.domain.timestamps import parse_timestamp

from .errors import UsageError
from .terminal import progress

_SPAN = re.compile(r"([0-9]{1,6})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_AGE_CLASS_FORMS = "name:PATTERN=DAYS, tag:KEY=DAYS or tag:KEY=VALUE=DAYS"


def read_json(option: str, name: str) -> Any:
    """Parse a JSON file; `-` is standard input."""
    try:
        if name == "-":
            progress.update("Reading standard input")
            content = sys.stdin.buffer.read()
        else:
            content = Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{option} must be a readable file, got {name}: {error.strerror}.") from None
    try:
        return json.loads(_decode(content), parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        source = "standard input" if name == "-" else name
        raise UsageError(f"{option} must be JSON, got {source}: {_explain(error)}.") from None


def utc_now() -> datetime:
    """The current time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def parse_time(option: str, text: str, now: datetime) -> datetime:
    """A point in time: a date (its first second), a timestamp, or a time span before now."""
    if _SPAN.fullmatch(text.strip()):
        return now - parse_span(option, text)
    try:
        return parse_timestamp(text).replace(microsecond=0)
    except ValueError:
        raise UsageError(
            f"{option} must be a date such as 2026-03-01 or 2026-03-01T12:00:00Z, or a time span before now such as "
            f"90d, got {text!r}."
        ) from None


def parse_past_time(option: str, text: str, now: datetime, *, end_of_day: bool = False) -> datetime:
    """A point in time that is not in the future. With `end_of_day`, a date is its last second, and today is now."""
    day = _parse_date(text) if end_of_day else None
    if day == now.date():
        return now
    parsed = parse_time(option, text, now) if day is None else datetime.combine(day, time(23, 59, 59), UTC)
    if parsed > now:
        raise UsageError(f"{option} must not be in the future, got {text}.")
    return parsed


def parse_future_time(option: str, text: str, now: datetime) -> datetime:
    """A point in time: a time span from now, a date (its last second), or a timestamp; it may be in the past."""
    if _SPAN.fullmatch(text.strip()):
        return now + parse_span(option, text)
    if day := _parse_date(text):
        return datetime.combine(day, time(23, 59, 59), UTC)
    try:
        return parse_timestamp(text).replace(microsecond=0)
    except ValueError:
        raise UsageError(
            f"{option} must be a time span from now such as 4h or 2d, or a date such as 2026-03-01 or "
            f"2026-03-01T12:00:00Z, got {text!r}."
        ) from None


def parse_span(option: str, text: str) -> timedelta:
    """A time span such as `30d`, `12h` or `2w`."""
    match = _SPAN.fullmatch(text.strip())
    span = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if span is None or span > timedelta(days=MAX_LIMIT_DAYS):
        raise UsageError(
            f"{option} must be a time span such as 30d, 12h or 2w, at most {MAX_LIMIT_DAYS} days, got {text!r}."
        )
    return span


def parse_age_class(text: str) -> AgeClass:
    """The age class that `--max-age-class` describes."""
    criteria, sign, days = text.rpartition("=")
    if not sign:
        raise _invalid_age_class(text)
    if not (days.isascii() and days.isdigit() and len(days) <= 4 and int(days) <= MAX_LIMIT_DAYS):
        raise UsageError(f"--max-age-class must end with = and 0 to {MAX_LIMIT_DAYS} days, got {text!r}.")
    name = None
    if criteria.startswith("name:"):
        # Neither a name nor a sensible pattern contains a space.
        name, _, criteria = criteria.removeprefix("name:").partition(" ")
        if not name or (criteria and not criteria.startswith("tag:")):
            raise _invalid_age_class(text)
    key, sign, value = criteria.removeprefix("tag:").partition("=")
    if criteria and not (criteria.startswith("tag:") and key):
        raise _invalid_age_class(text)
    if not criteria and name is None:
        raise _invalid_age_class(text)
    return AgeClass(int(days), name, key or None, value if sign else None)


def _invalid_age_class(text: str) -> UsageError:
    return UsageError(f"--max-age-class must be {_AGE_CLASS_FORMS}, got {text!r}.")


def _parse_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _explain(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
        return f"line {error.lineno} begins a second document, and it must be one; `jq -s .` makes a list of several"
    if isinstance(error, json.JSONDecodeError) and not error.doc.strip():
        return "it is empty"
    return str(error)


def _decode(content: bytes) -> str:
    """The content as text: PowerShell's `>` writes UTF-16."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
