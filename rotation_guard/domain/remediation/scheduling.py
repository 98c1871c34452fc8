"""When repairs run: the back-off between retries, and the change window."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Self

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def choose_backoff_seconds(number: int, base_minutes: int, cap_minutes: int, jitter: float) -> int:
    """Seconds to wait after try `number`, counted from 1: exponential back-off with a cap and full jitter.

    `jitter` is at least 0 and less than 1. Full jitter spreads the retries of secrets that failed at the same time best
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """
    longest = min(cap_minutes, base_minutes << (number - 1))
    return int(jitter * longest * 60)


@dataclass(frozen=True)
class ChangeWindow:
    """The hours in which repairs may run, in UTC: from `start` to just before `end`.

    An end that is not after the start is on the next day; `days` are the days on which the window begins.
    """

    days: frozenset[str]
    start: time
    end: time

    @classmethod
    def from_mapping(cls, setting: Mapping[str, Any]) -> Self | None:
        """Parse the setting `changeWindow`; None if it is empty.

        Raises ValueError with the reason if it is invalid.
        """
        if not setting:
            return None
        start, end = (_parse_time(name, setting.get(name)) for name in ("start", "end"))
        if start == end:
            raise ValueError(f"changeWindow: its start and end must differ, got {setting['start']} twice")
        days = frozenset(setting.get("days") or DAYS)
        if unknown := sorted(days.difference(DAYS)):
            raise ValueError(f"changeWindow.days: must be of {', '.join(DAYS)}, got {', '.join(unknown)}")
        return cls(days, start, end)

    def seconds_until_open(self, now: datetime) -> int:
        """Seconds until it opens, rounded up; 0 while it is open. Raises ValueError for a date without a time zone."""
        if now.tzinfo is None:
            raise ValueError("now: must have a time zone")
        now = now.astimezone(UTC)
        opens = [opening for opening in self._openings(now) if now < opening + self._length]
        return max(0, math.ceil((min(opens) - now) / timedelta(seconds=1)))

    @property
    def _length(self) -> timedelta:
        length = timedelta(hours=self.end.hour - self.start.hour, minutes=self.end.minute - self.start.minute)
        return length if length > timedelta(0) else length + timedelta(days=1)

    def _openings(self, now: datetime) -> list[datetime]:
        # From yesterday, whose window may last until today, to a week from today.
        first = datetime.combine(now.date(), self.start, UTC) - timedelta(days=1)
        week = (first + timedelta(days=number) for number in range(9))
        return [opening for opening in week if DAYS[opening.weekday()] in self.days]


def _parse_time(name: str, text: Any) -> time:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError(f"changeWindow.{name}: must be a time in UTC such as 22:00, got {text!r}")
    return time.fromisoformat(text)
