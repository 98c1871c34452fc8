"""The trend of thirteen months: one run a week of each audit, and the incidents of each month."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .page import Incident, Run
from .statistics import Recovery, measure_recovery

MONTHS = 13
_MONTHS_PER_YEAR = 12
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class WeekPoint:
    """The last complete run of a week, or the sum of those of all audits."""

    at: datetime
    checked: int
    over_limit: int
    unknown: int


@dataclass(frozen=True)
class Month:
    """One calendar month: its last point, and its incidents."""

    begins: datetime
    point: WeekPoint | None
    """None in a month without a complete run."""
    incidents: int
    recovery: Recovery

    @property
    def label(self) -> str:
        """The month, as `2026-11`."""
        return f"{self.begins:%Y-%m}"


@dataclass(frozen=True)
class Trend:
    """What the runs and incidents say about the period."""

    begins: datetime
    ends: datetime
    points: Sequence[WeekPoint]
    """In order of time; a week without a complete run of every audit has none."""
    months: Sequence[Month]

    @property
    def is_partial(self) -> bool:
        """Whether the runs begin after the period does."""
        return not self.points or self.points[0].at >= self.begins + _WEEK


def first_month(at: datetime) -> datetime:
    """When the period begins: the first day of the month a year before."""
    return at.replace(year=max(at.year - 1, 1), day=1, hour=0, minute=0, second=0, microsecond=0)


def list_weeks(at: datetime) -> list[tuple[datetime, datetime]]:
    """The weeks of the period, counted back from its end: after the first time, until the second."""
    weeks, begins = [], first_month(at)
    until = at
    while until > begins:
        weeks.append((max(until - _WEEK, begins), until))
        until -= _WEEK
    return weeks[::-1]


def choose_weekly(runs: Iterable[Run], at: datetime) -> list[Run]:
    """The last run of each week of the period, of each audit. Holds no more than these, however many runs there are."""
    begins = first_month(at)
    chosen: dict[tuple[str, int], Run] = {}
    for run in runs:
        if not begins <= run.started_at <= at:
            continue
        key = run.deployment, (at - run.started_at) // _WEEK
        if key not in chosen or chosen[key].started_at < run.started_at:
            chosen[key] = run
    return sorted(chosen.values(), key=lambda run: run.started_at)


def build_trend(runs: Iterable[Run], incidents: Sequence[Incident], at: datetime) -> Trend:
    """The trend until this time."""
    begins, weekly = first_month(at), choose_weekly(runs, at)
    deployments = {run.deployment for run in weekly}
    by_week: dict[int, list[Run]] = {}
    for run in weekly:
        by_week.setdefault((at - run.started_at) // _WEEK, []).append(run)
    points = [
        WeekPoint(
            max(run.started_at for run in of_week),
            sum(run.checked for run in of_week),
            sum(run.over_limit for run in of_week),
            sum(run.unknown for run in of_week),
        )
        for _, of_week in sorted(by_week.items(), reverse=True)
        if len(of_week) == len(deployments)
    ]
    return Trend(begins, at, points, [_month(start, end, points, incidents) for start, end in _list_months(begins, at)])


def _list_months(begins: datetime, at: datetime) -> list[tuple[datetime, datetime]]:
    starts = []
    year, month = begins.year, begins.month
    while (year, month) <= (at.year, at.month):
        starts.append(begins.replace(year=year, month=month))
        year, month = (year + 1, 1) if month == _MONTHS_PER_YEAR else (year, month + 1)
    return list(zip(starts, [*starts[1:], at + timedelta(microseconds=1)], strict=True))


def _month(start: datetime, end: datetime, points: Sequence[WeekPoint], incidents: Sequence[Incident]) -> Month:
    opened = [incident for incident in incidents if start <= incident.opened_at < end]
    point = next((point for point in reversed(points) if start <= point.at < end), None)
    return Month(start, point, len(opened), measure_recovery(opened))
