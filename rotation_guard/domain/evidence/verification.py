"""Verifies the chain of one secret: names the first row that was changed, removed or inserted.

The walk starts at the head and goes back: each link says what the hash of the row before it must be, so a row is
confirmed by the row after it, and the last one by the head. After a row that is not confirmed, what its link says is
used only where its two copies of the previous hash agree.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from .links import NO_HASH, Ancestor, Head, Item, Link, MalformedLink, compute_hash, follow, read_expiry

GRACE = timedelta(minutes=5)
"""How long after a chain began a row may be recorded without a link, by a function of an earlier release that was still
running during the update."""


class FindingKind(StrEnum):
    """What happened to a row."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"


@dataclass(frozen=True)
class Finding:
    """A row that is not as it was written."""

    kind: FindingKind
    reason: str
    """What was expected and what was found, in a sentence."""
    sequence: int | None = None
    """Its number in the chain, if it is known."""
    row: str = ""
    """Its sort key; empty if it is gone."""


@dataclass(frozen=True, slots=True)
class LinkedRow:
    """What verification needs of a row with a link; its content is not kept."""

    key: str
    """The sort key."""
    link: Link
    computed_hash: str
    """The hash of its content as it is now."""
    recorded_at: str
    expires_at: int | None

    @property
    def is_intact(self) -> bool:
        """Whether its content has the hash that its link says."""
        return self.link.hash == self.computed_hash


@dataclass(slots=True)
class ChainRows:
    """The rows of one secret, in any order."""

    linked: list[LinkedRow] = field(default_factory=list)
    malformed: list[tuple[str, str]] = field(default_factory=list)
    """Sort key and reason of rows whose links cannot be read."""
    unlinked: list[tuple[str, str]] = field(default_factory=list)
    """When rows without a link were recorded, and their sort keys."""

    def add(self, key: str, content: Item, link: Any, recorded_at: str) -> None:
        """Add a row: its content without the link, and the value of its link, None if it has none."""
        if link is None:
            self.unlinked.append((recorded_at, key))
            return
        try:
            parsed, expires_at = Link.from_value(link), read_expiry(content)
        except MalformedLink as error:
            self.malformed.append((key, str(error)))
            return
        self.linked.append(LinkedRow(key, parsed, compute_hash(content, link), recorded_at, expires_at))

    @property
    def tip(self) -> LinkedRow | None:
        """The last row of the chain."""
        return max(self.linked, key=lambda row: row.link.sequence, default=None)


@dataclass(frozen=True)
class SavedHead:
    """A head as it was at an earlier time, kept outside the table."""

    sequence: int
    hash: str
    unlinked: int = 0
    """How many rows without a link there were."""


@dataclass(frozen=True)
class ChainVerification:
    """What the chain of one secret proves."""

    rows: int
    """Rows with a link."""
    older: int
    """Rows from before the chain began, which have no link."""
    expired: int
    """Rows that are gone because they expired."""
    findings: tuple[Finding, ...]
    """The first one is the one to name."""

    @property
    def first(self) -> Finding | None:
        """The first row that is not as it was written; None if the chain is intact."""
        return next(iter(self.findings), None)


def verify_chain(
    rows: ChainRows, head: Head | None, now: int, saved: SavedHead | None = None, began_at: str | None = None
) -> ChainVerification:
    """Verify the chain of one secret at `now`, in epoch seconds.

    `began_at` is when the first chain of the table began, ISO 8601: from then on, no row is without a link.
    """
    walk = _Walk(rows, head, now)
    walk.run()
    late = _list_late(rows, head, began_at)
    findings = [*walk.findings, *(_check_saved(rows, head, saved, late) if saved else ())]
    findings += [
        Finding(FindingKind.CHANGED, f"its link cannot be read: {reason}.", row=key) for key, reason in rows.malformed
    ]
    findings += [
        Finding(FindingKind.INSERTED, f"it has no link, although it was recorded at {at or 'no time'}.", row=key)
        for at, key in late
    ]
    findings = _identify_missing(findings, walk, [key for key, _ in rows.malformed] + [key for _, key in late])
    # Stable: of equal numbers, what was found first.
    findings.sort(key=lambda finding: (finding.sequence is None, finding.sequence or 0))
    return ChainVerification(len(rows.linked), len(rows.unlinked) - len(late), walk.expired, tuple(findings))


def _identify_missing(findings: list[Finding], walk: "_Walk", loose: Sequence[str]) -> list[Finding]:
    """Take a row with an invalid link for the one that is missing from the chain, where there is one of each."""
    loose = [*loose, *walk.misplaced]
    gap = walk.single_gap
    if gap is None or len(loose) != 1 or sum(finding.kind is FindingKind.REMOVED for finding in findings) != 1:
        return findings
    reason = f"its link is not valid, and the chain's row {gap.sequence} is missing."
    changed = Finding(FindingKind.CHANGED, reason, gap.sequence, loose[0])
    return [changed, *(finding for finding in findings if finding is not gap and finding.row != loose[0])]


class _Walk:
    """The walk from the head to the first row."""

    def __init__(self, rows: ChainRows, head: Head | None, now: int) -> None:
        self._rows, self._head, self._now = rows, head, now
        self.findings: list[Finding] = []
        self.misplaced: list[str] = []
        """Sort keys of rows that are not intact and whose numbers belong to other rows, or to none."""
        self.expired = 0
        self.single_gap: Finding | None = None
        """The finding about exactly one missing row, if there is one."""
        tip = rows.tip
        self._began_at = head.began_at if head else ""
        self._next = head.sequence if head else tip.link.sequence if tip else 0
        """The number that the next row back must have."""
        self._expected_hash: str | None = head.hash if head else None
        """Its hash; None if nothing confirms it."""
        self._ancestors: Sequence[Ancestor] | None = head.ancestors if head else None
        """The rows before the last one that outlast those between; None if nothing confirms them."""
        self._confirmed_by = "the head"
        self._later: LinkedRow | None = None

    def run(self) -> None:
        by_sequence: dict[int, list[LinkedRow]] = {}
        for row in self._rows.linked:
            by_sequence.setdefault(row.link.sequence, []).append(row)
        self._check_head(by_sequence)
        for sequence in sorted(by_sequence, reverse=True):
            if self._head and sequence > self._head.sequence:
                self._report_beyond_head(by_sequence[sequence])
                continue
            if sequence < self._next:
                self._judge_gap(sequence + 1, by_sequence[sequence][0])
            self._visit(by_sequence[sequence])
        if self._next > 0:
            self._judge_gap(1, None)
        elif self._expected_hash not in (None, NO_HASH) and self._later:
            reason = f"it is the first row, and its link says that a row with the hash {self._expected_hash} precedes."
            self._report(FindingKind.CHANGED, reason, 1, self._later.key)

    def _check_head(self, by_sequence: Mapping[int, Sequence[LinkedRow]]) -> None:
        if self._head is None:
            if by_sequence:
                number = max(by_sequence)
                self._report(FindingKind.REMOVED, f"the head of the chain is missing, whose last row is {number}.")
            return
        for row in by_sequence.get(self._head.sequence, ()):
            expected = follow(row.link, row.expires_at, self._began_at)
            if row.is_intact and row.link.hash == self._head.hash and expected.ancestors != self._head.ancestors:
                reason = f"the head of the chain does not follow from its last row, {self._head.sequence}."
                self._report(FindingKind.CHANGED, reason)

    def _report_beyond_head(self, rows: Sequence[LinkedRow]) -> None:
        sequence = rows[0].link.sequence
        for row in rows:
            self._note_misplaced(row)
            reason = (
                f"it is row {sequence}, and the head says that the chain has {self._next}: either the row was inserted "
                "or an earlier head was put back."
            )
            self._report(FindingKind.INSERTED, reason, sequence, row.key)

    def _visit(self, candidates: Sequence[LinkedRow]) -> None:
        """Check the rows with the next number, of which there should be one."""
        row = self._choose(candidates)
        for other in candidates:
            if other is not row:
                self._note_misplaced(other)
                reason = f"the chain's row {row.link.sequence} is {row.key}."
                self._report(FindingKind.INSERTED, reason, row.link.sequence, other.key)
        is_confirmed = row.is_intact and self._expected_hash in (None, row.link.hash)
        if not row.is_intact:
            reason = f"its link says the hash {row.link.hash}, and its content has the hash {row.computed_hash}."
            self._report(FindingKind.CHANGED, reason, row.link.sequence, row.key)
        elif not is_confirmed:
            reason = f"{self._confirmed_by} says that its hash is {self._expected_hash}, and it is {row.link.hash}."
            self._report(FindingKind.CHANGED, reason, row.link.sequence, row.key)
        link = row.link
        copies = [(entry.sequence, entry.hash) for entry in link.ancestors[-1:]] or [(0, NO_HASH)]
        agrees = copies == [(link.sequence - 1, link.previous_hash)]
        self._next = link.sequence - 1
        self._expected_hash = link.previous_hash if is_confirmed or agrees else None
        self._ancestors = link.ancestors if is_confirmed else None
        self._confirmed_by, self._later = f"row {link.sequence}", row

    def _note_misplaced(self, row: LinkedRow) -> None:
        if not row.is_intact:
            self.misplaced.append(row.key)

    def _choose(self, candidates: Sequence[LinkedRow]) -> LinkedRow:
        """The row of the chain among those with one number: the one that is confirmed, or else the likeliest."""

        def rank(row: LinkedRow) -> tuple[bool, bool, str]:
            is_expected = row.link.hash == self._expected_hash
            return not (is_expected and row.is_intact), not (is_expected or row.is_intact), row.key

        return min(candidates, key=rank)

    def _judge_gap(self, low: int, earlier: LinkedRow | None) -> None:
        """Judge whether the rows from `low` to the next number may all be gone; `earlier` is the row before them."""
        high, ancestors = self._next, self._ancestors
        self._confirmed_by = f"the link of row {high + 1}" if self._later else "the head"
        last = next((entry for entry in ancestors or () if entry.sequence >= low), None)
        confirming = next((entry for entry in ancestors or () if entry.sequence == low - 1), None)
        self._expected_hash = confirming.hash if confirming else None
        self._next, self._ancestors = low - 1, None
        if ancestors is None:
            return  # The row after the gap is itself not confirmed, so nothing says when these rows expire.
        if last is not None and last.is_expired(self._now):
            self.expired += high - low + 1
            return
        lowest = low if last is None or not self._may_begin_expired(low, earlier) else last.sequence
        kept = "for ever" if last is None or last.expires_at is None else f"until {_to_date(last.expires_at)}"
        rows = f"row {lowest} is" if lowest == high else f"rows {lowest} to {high} are"
        reason = f"{rows} missing from the chain, and row {last.sequence if last else high} was to be kept {kept}."
        finding = Finding(FindingKind.REMOVED, reason, lowest)
        self.findings.append(finding)
        self.single_gap = finding if lowest == high else None

    def _may_begin_expired(self, low: int, earlier: LinkedRow | None) -> bool:
        """Whether the first rows of a gap may have expired before the others were removed."""
        if earlier is not None:
            return earlier.expires_at is not None and earlier.expires_at <= self._now
        later = self._later
        if low > 1 or later is None or later.expires_at is None:
            return True
        try:
            retention = later.expires_at - datetime.fromisoformat(later.recorded_at).timestamp()
            return datetime.fromisoformat(self._began_at).timestamp() + retention <= self._now
        except ValueError:
            return True

    def _report(self, kind: FindingKind, reason: str, sequence: int | None = None, row: str = "") -> None:
        self.findings.append(Finding(kind, reason, sequence, row))


def _list_late(rows: ChainRows, head: Head | None, began_at: str | None) -> list[tuple[str, str]]:
    """The rows without a link that were recorded when every row got one."""
    begins = [at for at in (head.began_at if head else None, began_at) if at]
    begins += [row.recorded_at for row in rows.linked if not begins]
    if not begins:
        return []
    try:
        limit = datetime.fromisoformat(min(begins)) + GRACE
    except ValueError:
        return []
    return sorted((at, key) for at, key in rows.unlinked if not _is_before(at, limit))


def _is_before(at: str, limit: datetime) -> bool:
    try:
        return datetime.fromisoformat(at) <= limit
    except (ValueError, TypeError):
        return False


def _check_saved(rows: ChainRows, head: Head | None, saved: SavedHead, late: Sequence[Any]) -> Iterator[Finding]:
    """Compare the chain with the head that was saved."""
    length = head.sequence if head else 0
    if length < saved.sequence:
        reason = f"the chain had {saved.sequence} rows when its head was saved, and now it has {length}."
        yield Finding(FindingKind.REMOVED, reason, length + 1)
    hashes = {saved.sequence: {row.link.hash for row in rows.linked if row.link.sequence == saved.sequence}}
    hashes[saved.sequence] |= {row.link.previous_hash for row in rows.linked if row.link.sequence == saved.sequence + 1}
    if head and head.sequence == saved.sequence:
        hashes[saved.sequence].add(head.hash)
    others = hashes[saved.sequence] - {saved.hash}
    if others:
        row = next((row.key for row in rows.linked if row.link.sequence == saved.sequence), "")
        reason = (
            f"row {saved.sequence} had the hash {saved.hash} when the head was saved, and now it has "
            f"{min(others)}: it or a row before it was changed."
        )
        yield Finding(FindingKind.CHANGED, reason, saved.sequence, row)
    unlinked = len(rows.unlinked) - len(late)
    if unlinked > saved.unlinked:
        reason = (
            f"there were {saved.unlinked} rows without a link when the head was saved, and now there are {unlinked}."
        )
        yield Finding(FindingKind.INSERTED, reason)


def _to_date(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).date()}"
    except (OverflowError, OSError, ValueError):
        return f"{seconds}"
