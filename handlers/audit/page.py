"""Audits the secrets of each page of the list: reads their dates, judges, reconciles, and writes their rows."""

import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from rotation_guard.domain.audit import reconciliation
from rotation_guard.domain.audit.reconciliation import Discrepancy, ReconciledState
from rotation_guard.domain.audit.run import BUSY_REASONS, CHANGES, EVERY_RUN
from rotation_guard.domain.audit.secret_status import (
    Row,
    add_pending_since,
    belongs_in_history,
    belongs_to_other_secret,
    build_history_row,
    build_status_row,
    find_previous_status,
    has_significant_change,
    read_cached_dates,
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
from . import status_reports
from .vanished import find_unreported_deletions

_VERSION_WORKERS = 8
"""Secrets whose versions are listed at the same time."""
_PAGE_WORKERS = 3
"""Pages that are read, and pages that are written, while another one is judged."""
_MAX_SEEN_NAMES = 5000
"""Names to remember, so that a secret that is listed on two pages is counted once."""
_MAX_BUSY_RESPONSES = 16
"""Secrets for which AWS may time out or throttle before an invocation requests no more versions."""
_SKIPPED_DATES = unanswered_dates("skipped after too many timeouts")
_NOT_RECONCILED = frozenset({"replica", "pending_deletion", "unknown"})

_PreviousStatuses = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class StuckRotation:
    """A stuck rotation that an event announces."""

    secret_arn: str
    detail: dict[str, Any]
    """The event's detail, the same each time the event is sent."""
    at: datetime
    """The event's time."""
    discrepancies: list[Discrepancy]
    """A discrepancy if the rotation has no incident, because no event reported a failure."""


class PageAudit:
    """Audits the pages of one run within one invocation."""

    def __init__(self, settings: RotationCheckSettings, lease: Lease, runs: AuditRuns, tables: AuditTables) -> None:
        self._settings, self._lease, self._runs, self._tables = settings, lease, runs, tables
        self._audit_settings = settings.audit()
        self._secrets_manager = Secrets()
        self._trail = AuditTrail(settings.audit_trail_table_name) if settings.audit_trail_table_name else None
        self._incidents = Incidents(settings.incidents_table_name) if settings.incidents_table_name else None
        self._version_readers = ThreadPoolExecutor(_VERSION_WORKERS)
        self._readers, self._writers = ThreadPoolExecutor(_PAGE_WORKERS), ThreadPoolExecutor(_PAGE_WORKERS)
        self._pages_to_judge: deque[tuple[dict[str, ListedSecret], Future[_PreviousStatuses]]] = deque()
        self._writes: deque[Future[None]] = deque()
        self._seen_names: dict[str, None] = {}
        self._busy_responses = 0
        self._readable_sample: ListedSecret | None = None
        self._expiry = expires_at(lease.started_at, settings.history_days)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stops all threads, also after an error, so that they do not interfere with a retry."""
        for threads in (self._readers, self._writers, self._version_readers):
            threads.shutdown(cancel_futures=True)

    def add(self, page: Iterable[ListedSecret]) -> None:
        """Queues the audited secrets of a page; their rows are written when `finish` returns, or earlier."""
        secrets = self._select_audited(page)
        self._pages_to_judge.append((secrets, self._readers.submit(self._tables.read_statuses, secrets)))
        if len(self._pages_to_judge) > _PAGE_WORKERS:
            self._judge_next_page()

    def finish(self) -> None:
        """Judges the queued pages, and waits until every row is written."""
        while self._pages_to_judge:
            self._judge_next_page()
        self._check_sample()
        while self._writes:
            self._writes.popleft().result()

    def _judge_next_page(self) -> None:
        secrets, reading = self._pages_to_judge.popleft()
        stored, progress = reading.result(), self._lease.progress
        previous = {name: find_previous_status(stored.get(name), secret) for name, secret in secrets.items()}
        dates = self._find_dates(secrets, previous)
        # The time of the judgement: a value created since the run began must not be in the future.
        now = datetime.now(UTC)
        findings = {name: judge(secret, dates[name], self._audit_settings, now) for name, secret in secrets.items()}
        rows: list[dict[str, Any]] = []
        stuck_rotations: list[StuckRotation] = []
        discrepancies = find_unreported_deletions(self._trail, _find_replaced(stored, secrets))
        for name, finding in findings.items():
            state, contradictions = self._reconcile(finding, previous[name], now)
            announced, to_announce = self._find_stuck_rotation(finding, previous[name])
            discrepancies += contradictions
            stuck_rotations += to_announce
            rows.append(build_status_row(finding, previous[name], state, self._lease.started_at, announced))
        discrepancies += [discrepancy for stuck in stuck_rotations for discrepancy in stuck.discrepancies]
        history = self._build_history(rows, previous)
        changed = [row["secret_name"] for row in history] if self._settings.history_mode == CHANGES else []
        # Saved before the events and rows: if the run fails in between, its retry does not find them again.
        if progress.add_discrepancies(discrepancies) | progress.add_changed(changed):
            self._runs.save_discrepancies(self._lease)
        for stuck in stuck_rotations:
            event_bus.publish_event(
                ROTATION_STUCK, stuck.secret_arn, stuck.detail, self._settings.incidents_table_name, stuck.at
            )
        ages = self._settings.history_mode == EVERY_RUN
        statuses = [row for row in rows if has_significant_change(row, previous[row["secret_name"]], ages=ages)]
        reports = status_reports.select_changed(self._settings, rows, previous)
        self._writes.append(self._writers.submit(self._write, history, statuses, reports))
        if len(self._writes) > _PAGE_WORKERS:
            self._writes.popleft().result()
        progress.count_findings(findings.values())
        progress.added += sum(row["first_seen"] == row["checked_at"] for row in rows)

    def _write(
        self, history: list[dict[str, Any]], statuses: list[dict[str, Any]], reports: list[event_bus.Event]
    ) -> None:
        # Reports first: once the new status is written, a retry of the run would not report it again.
        status_reports.publish(reports)
        self._tables.write(history, statuses)

    def _select_audited(self, page: Iterable[ListedSecret]) -> dict[str, ListedSecret]:
        key, value = self._settings.managed_tag_key, self._settings.managed_tag_value
        secrets = {
            secret.name: secret for secret in page if secret.carries(key, value) and secret.name not in self._seen_names
        }
        self._seen_names |= dict.fromkeys(secrets)
        for name in list(itertools.islice(self._seen_names, max(0, len(self._seen_names) - _MAX_SEEN_NAMES))):
            del self._seen_names[name]
        return secrets

    def _find_dates(self, secrets: Mapping[str, ListedSecret], previous: Mapping[str, Row]) -> dict[str, VersionDates]:
        """The dates of all secrets: from their previous status, or from AWS if that is about other versions."""
        cached = {name: read_cached_dates(previous[name], secret) for name, secret in secrets.items()}
        uncached = [name for name, dates in cached.items() if dates is None]
        results = self._version_readers.map(lambda name: self._read_dates(secrets[name]), uncached)
        read = dict(zip(uncached, results, strict=True))
        if self._readable_sample is None:
            self._readable_sample = next((secrets[name] for name in secrets if name not in read), None)
        for name, dates in read.items():
            if secrets[name].current_version_id is not None:
                self._lease.progress.calls += 1
                self._lease.progress.count_response(dates)
        return {
            name: add_pending_since(dates or read[name], secrets[name], previous[name], self._lease.started_at)
            for name, dates in cached.items()
        }

    def _read_dates(self, secret: ListedSecret) -> VersionDates:
        if self._busy_responses >= _MAX_BUSY_RESPONSES:
            # Each takes a minute or more, and secrets with cached dates are still to be judged.
            return _SKIPPED_DATES
        dates = self._secrets_manager.read_version_dates(secret)
        self._busy_responses += dates.refused in BUSY_REASONS
        return dates

    def _check_sample(self) -> None:
        """If AWS refused all requests for versions, requests those of a secret that was readable before.

        This tells secrets that deny access apart from an audit that lacks it.
        """
        progress = self._lease.progress
        if progress.refused and not progress.answered and self._readable_sample is not None:
            progress.calls += 1
            progress.count_response(self._read_dates(self._readable_sample))

    def _reconcile(self, finding: Finding, previous: Row, now: datetime) -> tuple[ReconciledState, list[Discrepancy]]:
        """The new reconciled state, and where labels and events contradict each other."""
        secret = finding.secret
        state = reconciliation.read_reconciled_state(previous, secret, now)
        if finding.verdict in _NOT_RECONCILED or self._trail is None:
            return state, []
        discrepancies: list[Discrepancy] = []
        if reconciliation.has_moved(state, secret):
            if reconciliation.is_move_reported(state, secret, now):
                return reconciliation.accept_reported_move(state, secret, now), []
            if not reconciliation.was_seen_in_earlier_run(previous, secret, self._lease.started_at):
                return state, []
            times = self._trail.last_event_times(secret.arn, reconciliation.earliest_report_time(state))
            reported_at = [at for kind, at in times.items() if kind in reconciliation.VALUE_EVENTS]
            if not reported_at:
                detail = f"AWSCURRENT is on version {secret.current_version_id}, but no event reported the move."
                discrepancies.append(Discrepancy(reconciliation.MOVED_WITHOUT_EVENT, secret.name, detail))
            state = reconciliation.accept_unreported_move(state, secret, now, max(reported_at, default=None))
        missing_move = reconciliation.describe_missing_move(state, secret, now)
        if missing_move:
            discrepancies.append(Discrepancy(reconciliation.EVENT_WITHOUT_MOVE, secret.name, missing_move))
        return reconciliation.drop_expired_report(state, now), discrepancies

    def _find_stuck_rotation(self, finding: Finding, previous: Row) -> tuple[str | None, list[StuckRotation]]:
        """The mark of the last announcement of a stuck rotation, and the rotation if it is to be announced now.

        The event opens an incident if no failure was reported. It is repeated each day while the rotation stays stuck:
        as a reminder of an escalated incident, or as a retry of a rate-limited one. It is not sent while an incident is
        being handled or after it ended otherwise; an incident whose execution failed is reported as stalled.
        """
        secret, version = finding.secret, finding.secret.pending_version_id
        if finding.without_exemption != "rotation_failing" or self._incidents is None:
            return None, []
        days = (datetime.now(UTC) - self._stuck_at(finding)) // timedelta(days=1)
        mark = f"{version}-{days}" if days > 0 else f"{version}"
        if previous.get("told_stuck_version_id") == mark or self._incidents.find_open(secret.arn) is not None:
            return mark, []
        # Not an incident of a later rotation test or a restart: it is not about this rotation.
        incidents = self._incidents.list_for_secret(secret.arn)
        latest = next((incident for incident in incidents if incident.is_about_rotation), None)
        has_incident = latest is not None and latest.pending_version_id == version
        # A label that was moved manually resolves an incident but not its rotation.
        if has_incident and latest.outcome not in (*UNRESOLVED, Outcome.RESOLVED):
            return mark, []
        at = self._stuck_at(finding) + timedelta(days=max(0, days))
        then = judge(secret, finding.dates, self._audit_settings, at)
        reason = then.reason if then.verdict == finding.verdict else describe_stuck(secret, finding.dates)
        discrepancies = (
            [] if has_incident else [Discrepancy(reconciliation.STUCK_WITHOUT_INCIDENT, secret.name, finding.reason)]
        )
        return mark, [StuckRotation(secret.arn, build_stuck_detail(secret, mark, reason), at, discrepancies)]

    def _stuck_at(self, finding: Finding) -> datetime:
        """When the rotation became stuck, whenever that is noticed."""
        since = finding.dates.pending_since or self._lease.started_at
        return since + timedelta(hours=self._audit_settings.stuck_hours, seconds=1)

    def _build_history(self, rows: list[dict[str, Any]], previous: Mapping[str, Row]) -> list[dict[str, Any]]:
        """The history rows of this page: all, or in a history of changes only the changed ones."""
        every_run = self._settings.history_mode == EVERY_RUN
        changed = [row for row in rows if every_run or belongs_in_history(row, previous[row["secret_name"]])]
        return [build_history_row(self._lease.run_id, row, self._expiry) for row in changed]


def build_stuck_detail(secret: ListedSecret, mark: str, reason: str) -> dict[str, Any]:
    """The detail of the event about a stuck rotation; `mark` is the version, and from the second day on the day."""
    return {
        "eventID": f"rotation-stuck-{mark}",
        "name": secret.name,
        "versionId": secret.pending_version_id,
        "errorMessage": reason,
    }


def _find_replaced(stored: Mapping[str, Row], secrets: Mapping[str, ListedSecret]) -> list[Row]:
    """The stored statuses of deleted secrets whose names other secrets have now."""
    return [
        row for name, row in stored.items() if "gone_since" not in row and belongs_to_other_secret(row, secrets[name])
    ]
