"""Exemptions from the audit: valid only with a reason, an owner and an end date."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from ..secret import ListedSecret
from ..tags import OWNER_TAG, REASON_TAG, UNTIL_TAG


@dataclass(frozen=True, slots=True)
class Exemption:
    """The exemption that a secret's tags request."""

    reason: str
    owner: str
    until: str
    """The end as written in the tag."""
    problem: str = ""
    """Why the exemption is invalid, in a sentence; empty if it is valid."""


def read_exemption(secret: ListedSecret, now: datetime) -> Exemption | None:
    """The exemption on a secret; None if there is none. An owner tag alone does not request an exemption."""
    tags = secret.tags
    if UNTIL_TAG not in tags and REASON_TAG not in tags:
        return None
    # A tag may contain line separators (any \p{Z}), but the reason is printed on one line.
    reason, until = " ".join(tags.get(REASON_TAG, "").split()), " ".join(tags.get(UNTIL_TAG, "").split())
    owner = secret.owner or ""
    missing = [tag for tag, text in ((REASON_TAG, reason), (OWNER_TAG, owner), (UNTIL_TAG, until)) if not text]
    if missing:
        return Exemption(reason, owner, until, f"The exemption lacks {' and '.join(missing)}.")
    return Exemption(reason, owner, until, _find_end_problem(until, now))


def _find_end_problem(until: str, now: datetime) -> str:
    try:
        end = parse_end(until)
    except ValueError:
        return f"The exemption's end must be a date such as 2030-01-31, got {until!r}."
    if end < now:
        return f"The exemption ended on {until}."
    if end.date() > _one_year_later(now.date()):
        return f"The exemption's end must be within a year, got {until}."
    return ""


def parse_end(text: str) -> datetime:
    """A date ends with its last moment; UTC is assumed if there is no time zone. Raises ValueError."""
    try:
        return datetime.combine(date.fromisoformat(text), time.max, UTC)
    except ValueError:
        end = datetime.fromisoformat(text)
        try:
            return end.replace(tzinfo=UTC) if end.tzinfo is None else end.astimezone(UTC)
        except OverflowError:
            raise ValueError(text) from None


def _one_year_later(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # February 29
        return day.replace(year=day.year + 1, day=28)
