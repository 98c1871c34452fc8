"""Audits the secrets of one page of the list: reads what it has to, judges, reconciles, and writes it down."""

import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from rotation_guard.domain.audit import reconciliation
from rotation_guard.domain.audit.reconciliation import Discrepancy, ReconciledState
from rotation_guard.domain.audit.run import BUSY, CHANGES, EVERY_RUN
from rotation_guard.domain.audit.secret_status import (
    Row,
    belongs_in_history,
    cached_dates,
    history_row,
    is_of_another,
    known_of,
    says_something_new,
    status_row,
    with_pending_since,
)
from rotation_guard.domain.audit.verdicts import Finding, describe_stuck, judge
from rotation_guard.domain.remediation.incidents import UNRESOLVED, Outcome
from rotation_guard.domain.rotation_event import ROTATION_STUCK
from rotation_guard.domain.secret import ListedSecret, VersionDates, unanswered_dates
from rotation_guard.domain.timestamps import expires_at

from ..adapters import event_bus
from ..adapters.audit_runs import AuditRuns, Lease
from ..adapters.audit_tables import AuditTables
from ..adapters.audit_trail import AuditTrail
from ..adapters.incidents import Incidents
from ..adapters.secrets import Secrets
from ..environment import RotationCheckSettings
from .vanished import find_unannounced

_AT_ONCE = 8
"""Secrets whose versions are listed at the same time."""
_PAGES_AT_ONCE = 3
"""Pages that are read, and pages that are written, while another one is judged."""
_REMEMBERED = 5000
"""Names that are remembered, so that a secret which the list shows on two pages counts once."""
_BUSY_AT_MOST = 16
"""Secrets of which AWS lets an invocation wait in vain for the versions, before it asks for no more."""
_NOT_ASKED = unanswered_dates("not asked, as it had not answered for others")
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
        self._unanswered = 0
        self._sample: ListedSecret | None = None
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
        self._try_sample()
        while self._written:
            self._written.popleft().result()

    def _audit_next(self) -> None:
        secrets, reading = self._read.popleft()
        known, progress = reading.result(), self._lease.progress
        before = {name: known_of(known.get(name), secret) for name, secret in secrets.items()}
        dates = self._dates(secrets, before)
        # Judged now: a value made since the run began is new, and not from the future.
        now = datetime.now(UTC)
        findings = {name: judge(secret, dates[name], self._limits, now) for name, secret in secrets.items()}
        rows: list[dict[str, Any]] = []
        stuck: list[Stuck] = []
        discrepancies = find_unannounced(self._trail, _replaced(known, secrets))
        for name, finding in findings.items():
            account, disagreements = self._reconciled(finding, before[name], now)
            told_stuck, unheard = self._announced_stuck(finding, before[name])
            discrepancies += disagreements
            stuck += unheard
            rows.append(status_row(finding, before[name], account, self._lease.started_at, told_stuck))
        discrepancies += [discrepancy for one in stuck for discrepancy in one.discrepancies]
        history = self._history(rows, before)
        recorded = [row["secret_name"] for row in history] if self._settings.history_mode == CHANGES else []
        # Noted before anything is done about it: a run that dies in between finds no more what was told already.
        if progress.note(discrepancies) | progress.record(recorded):
            self._runs.note(self._lease)
        for one in stuck:
            event_bus.publish_event(ROTATION_STUCK, one.secret_arn, one.detail, one.at)
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
        read = dict(zip(unread, self._threads.map(lambda name: self._read_dates(secrets[name]), unread), strict=True))
        self._sample = self._sample or next((secrets[name] for name in secrets if name not in read), None)
        for name, dates in read.items():
            if secrets[name].current_version_id is not None:
                self._lease.progress.calls += 1
                self._lease.progress.count_answer(dates)
        return {
            name: with_pending_since(dates or read[name], secrets[name], before[name], self._lease.started_at)
            for name, dates in cached.items()
        }

    def _read_dates(self, secret: ListedSecret) -> VersionDates:
        if self._unanswered >= _BUSY_AT_MOST:
            # Each waits for a minute or more, and the run has others to judge, by the dates on record.
            return _NOT_ASKED
        dates = self._vault.version_dates(secret)
        self._unanswered += dates.refused in BUSY
        return dates

    def _try_sample(self) -> None:
        """Where AWS refused all that were asked, ask for one that was readable before: is it they, or is it us?"""
        progress = self._lease.progress
        if progress.refused and not progress.answered and self._sample is not None:
            progress.calls += 1
            progress.count_answer(self._read_dates(self._sample))

    def _reconciled(self, finding: Finding, before: Row, now: datetime) -> tuple[ReconciledState, list[Discrepancy]]:
        """The record of what is accounted for, and where it does not agree with what was heard."""
        secret = finding.secret
        account = reconciliation.read_reconciled_state(before, secret, now)
        if finding.verdict in _NOT_RECONCILED or self._trail is None:
            return account, []
        found: list[Discrepancy] = []
        if reconciliation.has_moved(account, secret):
            if reconciliation.is_heard(account, secret, now):
                return reconciliation.settled(account, secret, now), []
            if not reconciliation.was_there_before(before, secret, self._lease.started_at):
                return account, []
            heard = self._trail.heard_since(secret.arn, reconciliation.news_begins_at(account))
            told_at = [at for kind, at in heard.items() if kind in reconciliation.TELLS_OF_MOVE]
            if not told_at:
                detail = f"AWSCURRENT is on version {secret.current_version_id}, and no event told of it."
                found.append(Discrepancy(reconciliation.MOVED_UNHEARD, secret.name, detail))
            account = reconciliation.moved_on(account, secret, now, max(told_at, default=None))
        in_vain = reconciliation.heard_in_vain(account, secret, now)
        if in_vain:
            found.append(Discrepancy(reconciliation.HEARD_UNMOVED, secret.name, in_vain))
        return reconciliation.without_old_news(account, now), found

    def _announced_stuck(self, finding: Finding, before: Row) -> tuple[str | None, list["Stuck"]]:
        """Of a stuck rotation, what is noted as announced, and the announcement that is due, if there is one.

        It opens an incident where no failure was heard. Each day that it stays stuck it is announced again, which is a
        reminder of an incident that was escalated, and another try for one that was rate limited. An incident that
        somebody works on, or that has ended otherwise, needs neither; one whose execution has died is reported as
        stalled.
        """
        secret, version = finding.secret, finding.secret.pending_version_id
        if finding.without_exemption != "rotation_failing" or self._incidents is None:
            return None, []
        days = (datetime.now(UTC) - self._stuck_at(finding)) // timedelta(days=1)
        mark = f"{version}-{days}" if days > 0 else f"{version}"
        if before.get("told_stuck_version_id") == mark or self._incidents.find_open(secret.arn) is not None:
            return mark, []
        # A test that failed since, or a restart, says nothing of this rotation.
        latest = next((one for one in self._incidents.list_for_secret(secret.arn) if one.is_about_rotation), None)
        is_known = latest is not None and latest.pending_version_id == version
        # A label that somebody moved has resolved an incident, and not its rotation.
        if is_known and latest.outcome not in (*UNRESOLVED, Outcome.RESOLVED):
            return mark, []
        at = self._stuck_at(finding) + timedelta(days=max(0, days))
        then = judge(secret, finding.dates, self._limits, at)
        reason = then.reason if then.verdict == finding.verdict else describe_stuck(secret, finding.dates)
        found = [] if is_known else [Discrepancy(reconciliation.STUCK_WITHOUT_INCIDENT, secret.name, finding.reason)]
        return mark, [Stuck(secret.arn, stuck_detail(secret, mark, reason), at, found)]

    def _stuck_at(self, finding: Finding) -> datetime:
        """When the rotation came to count as stuck: the same however often and late it is looked at."""
        since = finding.dates.pending_since or self._lease.started_at
        return since + timedelta(hours=self._limits.stuck_hours, seconds=1)

    def _history(self, rows: list[dict[str, Any]], before: Mapping[str, Row]) -> list[dict[str, Any]]:
        """The rows of history of this page: all, or in a history of changes those that say something new."""
        every_run = self._settings.history_mode == EVERY_RUN
        told = [row for row in rows if every_run or belongs_in_history(row, before[row["secret_name"]])]
        return [history_row(self._lease.run_id, row, self._expiry) for row in told]


@dataclass(frozen=True)
class Stuck:
    """A stuck rotation that is to be announced."""

    secret_arn: str
    detail: dict[str, Any]
    """What its event says: of one identity, time and text, however often it is put on the bus."""
    at: datetime
    """When that happened."""
    discrepancies: list[Discrepancy]
    """That no failure was heard, where there is no incident."""


def stuck_detail(secret: ListedSecret, mark: str, reason: str) -> dict[str, Any]:
    """What the event of a stuck rotation says; `mark` is the version, and the day where that is not the first."""
    return {
        "eventID": f"rotation-stuck-{mark}",
        "name": secret.name,
        "versionId": secret.pending_version_id,
        "errorMessage": reason,
    }


def _replaced(known: Mapping[str, Row], secrets: Mapping[str, ListedSecret]) -> list[Row]:
    """What is on record of secrets that were deleted, and whose names others have now."""
    return [row for name, row in known.items() if "gone_since" not in row and is_of_another(row, secrets[name])]
