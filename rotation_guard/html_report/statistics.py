"""What the page counts: verdicts, owners, ages, due dates and recoveries."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import mean, median

from rotation_guard.domain.audit.tally import Part
from rotation_guard.domain.audit.verdicts import VERDICT_NAMES
from rotation_guard.domain.timestamps import add_days

from .page import Incident, Secret
from .verdicts import NEVER_DUE, explain, part_of

HORIZON_DAYS = 90
"""How far ahead due dates are shown."""
_DAYS_PER_WEEK = 7
_AGE_EDGES = (7, 14, 30, 60, 90, 180, 365)
_WITHOUT_OWNER = ""
_LAST = datetime.max.replace(tzinfo=UTC)
"""Python knows no later time."""


@dataclass(frozen=True)
class VerdictCount:
    """One verdict, and how many secrets have it."""

    name: str
    total: int
    attention: int
    explanation: str


@dataclass(frozen=True)
class OwnerCount:
    """The secrets of one owner; every secret but an outdated replica is in exactly one of the four parts."""

    owner: str
    """Empty for the secrets without one."""
    total: int
    attention: int
    over_limit: int
    unknown: int
    accepted: int
    within_limit: int


@dataclass(frozen=True)
class AgeBin:
    """Secrets whose values have ages from `low` to `high` whole days, both included, by part of the tally."""

    low: int
    high: int | None
    """None for the last one, which has no end."""
    over_limit: int
    accepted: int
    within_limit: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.over_limit + self.accepted + self.within_limit

    @property
    def label(self) -> str:
        """The ages, for people."""
        return f"over {self.low - 1}" if self.high is None else f"{self.low} to {self.high}"


@dataclass(frozen=True)
class Ages:
    """The histogram of ages."""

    bins: Sequence[AgeBin]
    limit: int | None
    """The limit that most secrets have; None if no secret has one."""
    others: tuple[int, int] | None
    """The least and the greatest limit if there are several."""
    unknown: int
    """Secrets that are in no bin: their age, or whether it is over the limit, is unknown."""


@dataclass(frozen=True)
class DueWeek:
    """Secrets that reach their limit within one of the next weeks."""

    begins: datetime
    ends: datetime
    total: int


@dataclass(frozen=True)
class DueDates:
    """What reaches its limit within the horizon."""

    weeks: Sequence[DueWeek]
    secrets: Sequence[Secret]
    """The soonest first."""


@dataclass(frozen=True)
class Recovery:
    """How fast secrets had a working value again."""

    recovered: int
    mean: timedelta | None
    median: timedelta | None
    slowest: timedelta | None


def count_verdicts(secrets: Sequence[Secret]) -> list[VerdictCount]:
    """The verdicts that occur: those that need attention first, then in the order in which the audit evaluates them."""
    totals = Counter(secret.verdict for secret in secrets)
    attention = Counter(secret.verdict for secret in secrets if secret.attention)
    ordered = [*VERDICT_NAMES, *sorted(totals.keys() - set(VERDICT_NAMES))]
    counts = [VerdictCount(name, totals[name], attention[name], explain(name)) for name in ordered if totals[name]]
    return sorted(counts, key=lambda count: not count.attention)


def count_owners(secrets: Sequence[Secret]) -> list[OwnerCount]:
    """The owners: those with the most secrets that need attention first, then by name."""
    by_owner: dict[str, list[Secret]] = defaultdict(list)
    for secret in secrets:
        by_owner[secret.owner or _WITHOUT_OWNER].append(secret)
    counts = []
    for owner, owned in by_owner.items():
        parts = Counter(map(part_of, owned))
        in_parts = (parts[part] for part in (Part.OVER_LIMIT, Part.UNKNOWN, Part.ACCEPTED, Part.WITHIN_LIMIT))
        counts.append(OwnerCount(owner, len(owned), sum(secret.attention for secret in owned), *in_parts))
    return sorted(counts, key=lambda count: (-count.attention, -count.total, count.owner))


def count_ages(secrets: Sequence[Secret]) -> Ages:
    """The histogram; the limit that most secrets have is an edge of it. An age equal to the limit is within it."""
    limits = Counter(
        secret.limit_days for secret in secrets if secret.limit_days is not None and secret.verdict not in NEVER_DUE
    )
    limit = min(limits, key=lambda days: (-limits[days], days)) if limits else None
    counted: dict[tuple[int, str], int] = defaultdict(int)
    edges = sorted({*_AGE_EDGES, *((limit,) if limit is not None and limit > 0 else ())})
    unknown = 0
    for secret in secrets:
        part = part_of(secret)
        if part is Part.UNKNOWN or secret.age_days is None:
            unknown += 1
            continue
        position = next((index for index, edge in enumerate(edges) if secret.age_days <= edge), len(edges))
        # A replica with an old value is over the limit, although it is rotated elsewhere.
        counted[position, Part.OVER_LIMIT if part is Part.OUTDATED_REPLICA else part] += 1
    lows, highs = (0, *(edge + 1 for edge in edges)), (*edges, None)
    bins = [
        AgeBin(low, high, *(counted[index, part] for part in (Part.OVER_LIMIT, Part.ACCEPTED, Part.WITHIN_LIMIT)))
        for index, (low, high) in enumerate(zip(lows, highs, strict=True))
    ]
    return Ages(bins, limit, (min(limits), max(limits)) if len(limits) > 1 else None, unknown)


def find_due_dates(secrets: Sequence[Secret], at: datetime) -> DueDates:
    """The secrets that reach their limit within the horizon, and how many do in each week."""
    horizon = add_days(at, HORIZON_DAYS) or _LAST
    due = [(secret.due_at, secret) for secret in secrets if secret.due_at and secret.verdict not in NEVER_DUE]
    due = sorted(((due_at, secret) for due_at, secret in due if at <= due_at <= horizon), key=lambda pair: pair[0])
    weeks = []
    for days in range(0, HORIZON_DAYS, _DAYS_PER_WEEK):
        begins, ends = (add_days(at, min(start, HORIZON_DAYS)) or _LAST for start in (days, days + _DAYS_PER_WEEK))
        is_last = ends == horizon
        total = sum(begins <= due_at < ends or (is_last and due_at == ends) for due_at, _ in due)
        weeks.append(DueWeek(begins, ends, total))
    return DueDates(weeks, [secret for _, secret in due])


def measure_recovery(incidents: Iterable[Incident]) -> Recovery:
    """The time from the opening of an incident to a working value, of those that recovered."""
    durations = [incident.recovery for incident in incidents if incident.recovery is not None]
    if not durations:
        return Recovery(0, None, None, None)
    seconds = [duration.total_seconds() for duration in durations]
    average, middle, slowest = (timedelta(seconds=value) for value in (mean(seconds), median(seconds), max(seconds)))
    return Recovery(len(durations), average, middle, slowest)
