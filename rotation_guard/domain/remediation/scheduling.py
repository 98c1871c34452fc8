"""When to act: how long to wait before trying again, and in which hours anything may be changed."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Self

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def backoff_seconds(number: int, base_minutes: int, cap_minutes: int, chance: float) -> int:
    """How long to wait after try `number`, counted from 1: anything up to a time that doubles until it reaches a cap.

    `chance` is at least 0 and less than 1. Waiting anything at all down to nothing ("full jitter") is what spreads
    best those that failed together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """
    longest = min(cap_minutes, base_minutes << (number - 1))
    return int(chance * longest * 60)


@dataclass(frozen=True)
class ChangeWindow:
    """The hours in which something may be changed, in UTC: from `start` to just before `end`.

    An end that is not after the start lies in the next day; `days` are those on which it begins.
    """

    days: frozenset[str]
    start: time
    end: time

    @classmethod
    def from_mapping(cls, written: Mapping[str, Any]) -> Self | None:
        """The window that the setting `changeWindow` asks for, or None where it asks for none.

        A ValueError names what is wrong with it.
        """
        if not written:
            return None
        start, end = (_time_of(name, written.get(name)) for name in ("start", "end"))
        if start == end:
            raise ValueError(f"changeWindow: its start and end must differ, got {written['start']} twice")
        days = frozenset(written.get("days") or DAYS)
        if unknown := sorted(days.difference(DAYS)):
            raise ValueError(f"changeWindow.days: must be of {', '.join(DAYS)}, got {', '.join(unknown)}")
        return cls(days, start, end)

    def seconds_until_open(self, now: datetime) -> int:
        """Whole seconds until it opens, rounded up; 0 while it is open. A date without a time zone is refused."""
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
        # From yesterday, whose window may last until today, to a week from now.
        first = datetime.combine(now.date(), self.start, UTC) - timedelta(days=1)
        week = (first + timedelta(days=number) for number in range(9))
        return [opening for opening in week if DAYS[opening.weekday()] in self.days]


def _time_of(name: str, written: Any) -> time:
    if not isinstance(written, str) or not _TIME.fullmatch(written):
        raise ValueError(f"changeWindow.{name}: must be a time in UTC such as 22:00, got {written!r}")
    return time.fromisoformat(written)
