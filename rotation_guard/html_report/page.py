"""What the page is made of: plain values that the caller has read, without AWS and without a format."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from rotation_guard.domain.audit.tally import Tally


class Secret(Protocol):
    """One secret, such as a `SecretRow` of the commands. Account and Region are those of its ARN."""

    @property
    def secret_name(self) -> str: ...
    @property
    def secret_arn(self) -> str:
        """Empty if it is unknown; then there is no link to the console."""
        ...

    @property
    def status(self) -> str:
        """`ok`, `needs_rotation` or `unknown`."""
        ...

    @property
    def verdict(self) -> str: ...
    @property
    def attention(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def age_days(self) -> int | None: ...
    @property
    def limit_days(self) -> int | None: ...
    @property
    def value_created_at(self) -> datetime | None: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def since(self) -> datetime | None:
        """When the verdict began; None if it is unknown."""
        ...

    @property
    def owner(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Run:
    """A complete run of an audit, for the trend."""

    started_at: datetime
    checked: int
    over_limit: int
    unknown: int
    deployment: str = ""
    """Which audit it belongs to, if the page is about several: points of the trend add them up."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened in an incident."""

    at: datetime | None
    what: str
    outcome: str = ""
    text: str = ""
    """The reason, the evidence and other details, in sentences."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident."""

    secret_name: str
    secret_arn: str
    opened_at: datetime
    status: str
    """Its outcome, or its state while it is not closed."""
    attention: bool
    closed_at: datetime | None = None
    recovered_at: datetime | None = None
    """When the secret had a working value again; None if it has none, or no rotation had failed."""
    failed_step: str = ""
    reason: str = ""
    entries: Sequence[TimelineEntry] = ()

    @property
    def recovery(self) -> timedelta | None:
        """How long the recovery took, from the opening; None without one."""
        return None if self.recovered_at is None else max(self.recovered_at - self.opened_at, timedelta(0))


@dataclass(frozen=True, slots=True)
class Exemption:
    """An accepted exception."""

    secret_name: str
    secret_arn: str
    owner: str
    reason: str
    until: str
    """The end, as the tag has it."""
    days_left: int | None
    """Negative if it has ended; None if the end is no date."""
    problem: str = ""
    """Why it is invalid, in a sentence; empty if it is not."""
    state: str = "valid"
    """`valid`, `invalid`, or `not applied` where another verdict comes first."""


@dataclass(frozen=True)
class ReportPage:
    """Everything that a page shows. What is None was not asked for, and has no section."""

    subject: str
    """Which deployment, account and Region."""
    headline: str
    """The result in one sentence."""
    at: datetime
    """The time that the report is about."""
    generated_at: datetime
    secrets: Sequence[Secret]
    """What needs attention first."""
    tally: Tally
    provenance: Sequence[tuple[str, str]] = ()
    """Account, Region, run, caller, version and so on: a label and its text, the most important first."""
    settings: Sequence[tuple[str, str]] = ()
    """Limits, settings and filters that the secrets were judged and chosen by."""
    warnings: Sequence[str] = ()
    """Why the report may be wrong or incomplete, one sentence each."""
    exemptions: Sequence[Exemption] = ()
    runs: Sequence[Run] | None = None
    """Complete runs in any order; `choose_weekly` leaves one a week of any number."""
    incidents: Sequence[Incident] | None = None
    """Those of the period of the trend, the ones that need attention first."""
    notes: Sequence[str] = ()
    """What is missing from the page, one sentence each."""
