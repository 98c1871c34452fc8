"""Audits the secrets of one page of the list: reads what it has to, judges, reconciles, and writes it down."""

import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Self

from .adapters import event_bus
from .adapters.audit_runs import AuditRuns, Lease
from .adapters.audit_tables import AuditTables
from .adapters.audit_trail import AuditTrail
from .adapters.incidents import Incidents
from .adapters.secrets import Secrets
from .domain import reconciliation
from .domain.audit import CHANGES, EVERY_RUN
from .domain.history import expires_at
from .domain.reconciliation import Account, Discrepancy
from .domain.secrets import ListedSecret, VersionDates
from .domain.statuses import Row, belongs_in_history, cached_dates, history_row, says_something_new, status_row
from .domain.verdicts import Finding, judge
from .settings import RotationCheckSettings

STUCK = "Rotation Stuck"
"""Detail-type of the event that opens an incident for a rotation of which no failure was heard."""
_AT_ONCE = 8
"""Secrets whose versions are listed at the same time."""
_PAGES_AT_ONCE = 3
"""Pages that are read, and pages that are written, while another one is judged."""
_REMEMBERED = 5000
"""Names that are remembered, so that a secret which the list shows on two pages counts once."""
_NOT_RECONCILED = frozenset({"replica", "pending_deletion", "unknown"})


class PageAudit:
    """The audit of one run's pages, for as long as one invocation works on it."""

    def __init__(self, settings: RotationCheckSettings, lease: Lease, runs: AuditRuns, tables: AuditTables) -> None:
        self._settings, self._lease, self._runs, self._tables = settings, lease, runs, tables
        self._limits = settings.audit()
        self._vault = Secrets()
        self._trail = AuditTrail(settings.audit_trail_table_name) if settings.audit_trail_table_name else None
        self._incidents = Incidents(settings.incidents_table_name) if settings.incidents_table_name else None
        self._threads = ThreadPoolExecutor(_AT_ONCE)
        self._readers, self._writers = ThreadPoolExecutor(_PAGES_AT_ONCE), ThreadPoolExecutor(_PAGES_AT_ONCE)
        self._read: deque[tuple[dict[str, ListedSecret], Future[dict[str, dict[str, Any]]]]] = deque()
        self._written: deque[Future[None]] = deque()
        self._seen: dict[str, None] = {}
        self._expiry = expires_at(lease.started_at, settings.history_days)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is under way any more, also where something failed: a retry must not meet what was left behind."""
        for threads in (self._readers, self._writers, self._threads):
            threads.shutdown(cancel_futures=True)

    def audit(self, page: Iterable[ListedSecret]) -> None:
        """Judge the secrets of a page under audit, and write down what was found, at the latest by `settle`."""
        secrets = self._under_audit(page)
        self._read.append((secrets, self._readers.submit(self._tables.statuses, secrets)))
        if len(self._read) > _PAGES_AT_ONCE:
            self._audit_next()

    def settle(self) -> None:
        """Everything is judged and written."""
        while self._read:
            self._audit_next()
        while self._written:
            self._written.popleft().result()

    def _audit_next(self) -> None:
        secrets, reading = self._read.popleft()
        known, progress = reading.result(), self._lease.progress
        before = {name: {} if "gone_since" in known.get(name, {}) else known.get(name, {}) for name in secrets}
        dates = self._dates(secrets, before)
        # Judged now: a value made since the run began is new, and not from the future.
        now = datetime.now(UTC)
        findings = {name: judge(secret, dates[name], self._limits, now) for name, secret in secrets.items()}
        rows: list[dict[str, Any]] = []
        discrepancies: list[Discrepancy] = []
        for name, finding in findings.items():
            account, disagreements = self._reconciled(finding, before[name], now)
            told_stuck, stuck = self._told_stuck(finding, before[name])
            discrepancies += [*disagreements, *stuck]
            rows.append(status_row(finding, before[name], account, self._lease.started_at, told_stuck))
        history = self._history(rows, before)
        recorded = [row["secret_name"] for row in history] if self._settings.history_mode == CHANGES else []
        if progress.note(discrepancies) | progress.record(recorded):
            self._runs.note(self._lease)
        ages = self._settings.history_mode == EVERY_RUN
        news = [row for row in rows if says_something_new(row, before[row["secret_name"]], ages=ages)]
        self._written.append(self._writers.submit(self._tables.write, history, news))
        if len(self._written) > _PAGES_AT_ONCE:
            self._written.popleft().result()
        progress.count(findings.values())
        progress.added += sum(row["first_seen"] == row["checked_at"] for row in rows)

    def _under_audit(self, page: Iterable[ListedSecret]) -> dict[str, ListedSecret]:
        key, value = self._settings.managed_tag_key, self._settings.managed_tag_value
        secrets = {one.name: one for one in page if one.carries(key, value) and one.name not in self._seen}
        self._seen |= dict.fromkeys(secrets)
        for name in list(itertools.islice(self._seen, max(0, len(self._seen) - _REMEMBERED))):
            del self._seen[name]
        return secrets

    def _dates(self, secrets: Mapping[str, ListedSecret], before: Mapping[str, Row]) -> dict[str, VersionDates]:
        """The dates of all: those on record, and read for those of which there is none of these versions."""
        cached = {name: cached_dates(before[name], secret) for name, secret in secrets.items()}
        unread = [name for name, dates in cached.items() if dates is None]
        read = self._threads.map(lambda name: self._vault.version_dates(secrets[name]), unread)
        self._lease.progress.calls += sum(secrets[name].current_version_id is not None for name in unread)
        return {name: dates for name, dates in cached.items() if dates is not None} | dict(
            zip(unread, read, strict=True)
        )

    def _reconciled(self, finding: Finding, before: Row, now: datetime) -> tuple[Account, list[Discrepancy]]:
        """The record of what is accounted for, and where it does not agree with what was heard."""
        secret = finding.secret
        account = reconciliation.account_of(before, secret, now)
        if finding.verdict in _NOT_RECONCILED or self._trail is None:
            return account, []
        found = []
        if reconciliation.has_moved(account, secret):
            if reconciliation.is_heard(account, secret):
                return reconciliation.settled(secret, now), []
            if not reconciliation.was_there_before(before, secret, self._lease.started_at):
                return account, []
            since = datetime.fromisoformat(account.at) - reconciliation.LATE
            if not self._trail.heard_since(secret.arn, since) & reconciliation.TELLS_OF_MOVE:
                detail = f"AWSCURRENT is on version {secret.current_version_id}, and no event told of it."
                found.append(Discrepancy(reconciliation.MOVED_UNHEARD, secret.name, detail))
            account = reconciliation.moved_on(account, secret, now)
        in_vain = reconciliation.heard_in_vain(account, secret, now)
        if in_vain:
            found.append(Discrepancy(reconciliation.HEARD_UNMOVED, secret.name, in_vain))
        return reconciliation.without_old_news(account, now), found

    def _told_stuck(self, finding: Finding, before: Row) -> tuple[str | None, list[Discrepancy]]:
        """The stuck version that there is an incident about: one is opened where no failure was heard."""
        secret, told = finding.secret, before.get("told_stuck_version_id")
        if finding.verdict != "rotation_failing" or self._incidents is None:
            return None, []
        incident = self._incidents.claimed_for(secret.arn)
        has_died = incident is not None and incident.alive_until < datetime.now(UTC).timestamp()
        if not has_died and (incident is not None or told == secret.pending_version_id):
            return secret.pending_version_id, []
        event_bus.put(STUCK, secret.arn, _stuck(finding, incident.opened_at if incident else ""))
        return secret.pending_version_id, [
            Discrepancy(reconciliation.STUCK_WITHOUT_INCIDENT, secret.name, finding.reason)
        ]

    def _history(self, rows: list[dict[str, Any]], before: Mapping[str, Row]) -> list[dict[str, Any]]:
        """The rows of history of this page: all, or in a history of changes those that say something new."""
        every_run = self._settings.history_mode == EVERY_RUN
        told = [row for row in rows if every_run or belongs_in_history(row, before[row["secret_name"]])]
        return [history_row(self._lease.run_id, row, self._expiry) for row in told]


def _stuck(finding: Finding, died: str) -> dict[str, Any]:
    """What the event says: the identity is the same however often it is sent, unless an incident has `died` since."""
    secret = finding.secret
    return {
        "eventID": f"rotation-stuck-{secret.pending_version_id}{f'-{died}' if died else ''}",
        "name": secret.name,
        "versionId": secret.pending_version_id,
        "errorMessage": finding.reason,
    }
