"""Exemptions from the audit: with a reason, an owner and an end, or not at all."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from ..secret import OWNER_TAG, ListedSecret

UNTIL_TAG = "rotation-guard:exempt-until"
REASON_TAG = "rotation-guard:exempt-reason"


@dataclass(frozen=True, slots=True)
class Exemption:
    """What a secret's tags say of an exemption."""

    reason: str
    owner: str
    until: str
    """As it is written."""
    problem: str = ""
    """Why it does not hold, in a sentence; empty where it does."""


def read_exemption(secret: ListedSecret, now: datetime) -> Exemption | None:
    """The exemption on a secret; None where nobody asks for one. The owner's tag alone asks for none."""
    tags = secret.tags
    if UNTIL_TAG not in tags and REASON_TAG not in tags:
        return None
    # A tag may hold separators of lines (any \p{Z}), and a reason is one line.
    reason, until = " ".join(tags.get(REASON_TAG, "").split()), " ".join(tags.get(UNTIL_TAG, "").split())
    owner = secret.owner or ""
    lacking = [tag for tag, text in ((REASON_TAG, reason), (OWNER_TAG, owner), (UNTIL_TAG, until)) if not text]
    if lacking:
        return Exemption(reason, owner, until, f"The exemption lacks {' and '.join(lacking)}.")
    return Exemption(reason, owner, until, _wrong_end(until, now))


def _wrong_end(until: str, now: datetime) -> str:
    try:
        end = _end(until)
    except ValueError:
        return f"The exemption's end must be a date such as 2030-01-31, got {until!r}."
    if end < now:
        return f"The exemption ended on {until}."
    if end.date() > _in_a_year(now.date()):
        return f"The exemption's end must be within a year, got {until}."
    return ""


def _end(text: str) -> datetime:
    """The last moment of a day, or the moment itself; in UTC unless it says otherwise. Raises ValueError."""
    try:
        return datetime.combine(date.fromisoformat(text), time.max, UTC)
    except ValueError:
        moment = datetime.fromisoformat(text)
        try:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError:
            raise ValueError(text) from None


def _in_a_year(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + 1, day=28)
