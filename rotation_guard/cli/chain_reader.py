"""Reads a table whose rows are chains, and verifies them: all secrets by one Scan, or one secret by a Query.

The Scan is cheap and not a snapshot: rows are recorded while it runs. What looks wrong in it is therefore read again
with strong consistency, its head first, and only that is reported. A row is forgotten once its secret is verified, so
the memory needed grows with the number of secrets and not with that of rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from rotation_guard.domain.evidence.chained_tables import ChainedTable, read_text
from rotation_guard.domain.evidence.links import CHAIN_OF, HEAD, NO_HASH, Head, MalformedLink, build_head_key, follow
from rotation_guard.domain.evidence.verification import (
    GRACE,
    ChainRows,
    ChainVerification,
    Finding,
    FindingKind,
    SavedHead,
    verify_chain,
)
from rotation_guard.domain.rotation_event import secret_name_of

from .aws import CONNECTIONS
from .deployment import Deployment
from .dynamodb import DynamoDB
from .errors import Unreachable
from .parsing import parse_timestamp
from .terminal import progress

SEGMENTS = 4
"""Segments of a table that are scanned in parallel."""
_KEY = "secret_arn"
_NO_TIME = "~"
"""Sorts after every timestamp: a row that does not say when it was recorded is read again."""

Item = Mapping[str, Any]
"""A row in DynamoDB's JSON."""


@dataclass
class TableVerification:
    """What the chains of one table prove."""

    table: ChainedTable
    table_name: str
    rows: int = 0
    """Rows with a link."""
    secrets: int = 0
    """Secrets with such rows."""
    older: int = 0
    """Rows from before the chains began."""
    expired: int = 0
    """Rows that are gone because they expired."""
    findings: dict[str, Finding] = field(default_factory=dict)
    """By the key of a secret, the first of its rows that is not as it was written."""
    heads: dict[str, SavedHead] = field(default_factory=dict)
    """By the key of a secret, the end of its chain now."""

    def add(self, key: str, verified: ChainVerification, head: SavedHead) -> None:
        """Add the chain of one secret."""
        self.rows += verified.rows
        self.secrets += verified.rows > 0
        self.older += verified.older
        self.expired += verified.expired
        if verified.first:
            self.findings[key] = verified.first
        self.heads[key] = head


@dataclass(slots=True)
class _Sighting:
    """What the Scan saw of one secret."""

    verified: ChainVerification | None = None
    end: SavedHead | None = None
    """The end of the chain by its last row."""
    expected: Head | None = None
    """The head that follows from the last row, until the stored one is seen."""
    stored: Head | None = None
    """The stored head, until it is compared."""
    began_at: str = ""
    """When the chain began, by the stored head."""
    newest_unlinked: str = ""
    """When the newest row without a link was recorded."""
    is_doubtful: bool = False
    """Whether it must be read again."""

    def compare_heads(self) -> None:
        """Forget both heads if they are the same."""
        expected, stored = self.expected, self.stored
        if (
            expected
            and stored
            and (expected.sequence, expected.hash, expected.ancestors)
            == (
                stored.sequence,
                stored.hash,
                stored.ancestors,
            )
        ):
            self.expected = self.stored = None


class ChainReader:
    """Verifies one table of a deployment at a time, against the heads that were saved, by the key of a secret."""

    def __init__(
        self, deployment: Deployment, table: ChainedTable, now: datetime, saved: Mapping[str, SavedHead]
    ) -> None:
        self._table, self._now, self._saved = table, now, saved
        self._seconds = int(now.timestamp())
        self._name = deployment.output(table.output)
        self._dynamodb = DynamoDB(deployment)
        # Some DynamoDB emulators ignore segments.
        self._segments = 1 if deployment.session.endpoint_url else SEGMENTS
        self._sightings: dict[str, _Sighting] = {}
        self._began_at = ""
        """When the first chain of the table began."""

    def verify(self, secret: str | None) -> TableVerification:
        """Verify the chain of the secret with this ARN, those of this name, or all. Raises CommandError."""
        return self.verify_secret(secret) if secret and secret.startswith("arn:") else self.verify_all(secret)

    def verify_secret(self, key: str) -> TableVerification:
        """Verify the chain of one secret. Raises CommandError."""
        result = TableVerification(self._table, self._name)
        verified, head = self._read_again(key)
        if head.sequence or verified.rows or verified.older or verified.findings:
            result.add(key, verified, head)
        return result

    def verify_all(self, secret_name: str | None = None) -> TableVerification:
        """Verify all chains, or those of the secrets with this name. Raises CommandError."""
        with ThreadPoolExecutor(self._segments) as threads:
            list(threads.map(lambda segment: self._scan(segment, secret_name), range(self._segments)))
        for key in self._saved:
            if key not in self._sightings and _is_wanted(key, secret_name):
                self._sightings[key] = _Sighting(is_doubtful=True)
        self._began_at = min((one.began_at for one in self._sightings.values() if one.began_at), default="")
        result = TableVerification(self._table, self._name)
        doubtful: list[str] = []
        for key, sighting in self._sightings.items():
            if self._is_doubtful(sighting):
                doubtful.append(key)
            elif sighting.verified and sighting.end:
                result.add(key, sighting.verified, sighting.end)
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            for key, (verified, head) in zip(doubtful, threads.map(self._read_again, doubtful), strict=True):
                result.add(key, verified, head)
        return result

    def _scan(self, segment: int, secret_name: str | None) -> None:
        """Read one segment, in which the rows of a secret usually follow each other."""
        position = {"Segment": segment, "TotalSegments": self._segments}
        for key, items in groupby(self._pages("scan", **position), lambda item: read_text(item, _KEY)):
            rows, head_item = self._read_rows(items)
            owner = read_text(head_item, CHAIN_OF) if head_item else key
            if not _is_wanted(owner, secret_name):
                continue
            sighting = self._sightings.setdefault(owner, _Sighting())
            if head_item:
                self._see_head(sighting, head_item)
            if rows.linked or rows.unlinked or rows.malformed:
                self._see_rows(owner, sighting, rows)

    def _see_rows(self, key: str, sighting: _Sighting, rows: ChainRows) -> None:
        if sighting.verified:
            sighting.is_doubtful = True  # Its rows did not follow each other.
            return
        tip = rows.tip
        sighting.expected = follow(tip.link, tip.expires_at, "") if tip else None
        sighting.verified = verify_chain(rows, sighting.expected, self._seconds, self._saved.get(key))
        sighting.end = _save(sighting.expected, sighting.verified)
        sighting.newest_unlinked = max((at or _NO_TIME for at, _ in rows.unlinked), default="")
        sighting.is_doubtful |= bool(sighting.verified.findings)
        sighting.compare_heads()

    def _see_head(self, sighting: _Sighting, item: Item) -> None:
        try:
            sighting.stored = Head.from_item(item)
        except MalformedLink:
            sighting.is_doubtful = True
            return
        sighting.began_at = sighting.stored.began_at
        sighting.compare_heads()

    def _is_doubtful(self, sighting: _Sighting) -> bool:
        if sighting.stored and not sighting.verified:  # All its rows may have expired.
            sighting.verified = verify_chain(ChainRows(), sighting.stored, self._seconds)
            sighting.end = _save(sighting.stored, sighting.verified)
            return sighting.is_doubtful or bool(sighting.verified.findings)
        is_late = bool(self._began_at) and sighting.newest_unlinked > _add_grace(self._began_at)
        return sighting.is_doubtful or is_late or bool(sighting.expected or sighting.stored)

    def _read_again(self, key: str) -> tuple[ChainVerification, SavedHead]:
        """Verify one secret by strongly consistent reads."""
        head, problem = self._read_head(key)
        rows, _ = self._read_rows(
            self._pages(
                "query",
                KeyConditionExpression=f"{_KEY} = :key",
                ExpressionAttributeValues={":key": {"S": key}},
                ConsistentRead=True,
            )
        )
        if head and any(row.link.sequence > head.sequence for row in rows.linked):
            # They were recorded since the head was read, unless the head now does not know of them either.
            later, _ = self._read_head(key)
            known = range(head.sequence + 1, (later.sequence if later else 0) + 1)
            rows.linked = [row for row in rows.linked if row.link.sequence not in known]
        verified = verify_chain(rows, head, self._seconds, self._saved.get(key), self._began_at or None)
        if problem:
            finding = Finding(FindingKind.CHANGED, f"the head of the chain cannot be read: {problem}.")
            others = [other for other in verified.findings if other.sequence is not None or other.row]
            verified = ChainVerification(verified.rows, verified.older, verified.expired, (*others, finding))
        return verified, _save(head, verified)

    def _read_head(self, key: str) -> tuple[Head | None, str]:
        """The stored head, and why it cannot be read."""
        own_key = {_KEY: {"S": build_head_key(key)}, self._table.sort_key: {"S": HEAD}}
        response = self._dynamodb.call(self._name, "get_item", TableName=self._name, Key=own_key, ConsistentRead=True)
        try:
            return (Head.from_item(response["Item"]) if "Item" in response else None), ""
        except MalformedLink as error:
            return None, str(error)

    def _read_rows(self, items: Iterator[Item]) -> tuple[ChainRows, Item | None]:
        """The rows that are in a chain, and the head if it is one of them."""
        rows, head = ChainRows(), None
        for item in items:
            if self._table.is_head(item):
                head = item
                continue
            for linked in self._table.read(item, self._now):
                rows.add(linked.key, linked.content, linked.link, linked.recorded_at)
        return rows, head

    def _pages(self, operation: str, **parameters: Any) -> Iterator[Item]:
        position: Mapping[str, Any] = {}
        count = 0
        while True:
            page = self._dynamodb.call(self._name, operation, TableName=self._name, **parameters, **position)
            yield from page["Items"]
            count += len(page["Items"])
            progress.update(f"Verifying the {self._table.title}: {count} rows")
            if "LastEvaluatedKey" not in page:
                return
            position = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def verify_tables(
    deployment: Deployment,
    tables: Iterable[ChainedTable],
    now: datetime,
    saved: Mapping[str, Mapping[str, SavedHead]],
    secret: str | None = None,
) -> tuple[list[TableVerification], list[str]]:
    """Verify the chains of tables, and name those that could not be read, one sentence each.

    `saved` are heads by the name of their table; `secret` is a name or an ARN.
    """
    verified: list[TableVerification] = []
    unread: list[str] = []
    for table in tables:
        try:
            verified.append(ChainReader(deployment, table, now, saved.get(table.name, {})).verify(secret))
        except Unreachable as error:
            unread.append(f"The {table.title} was not verified. {error}")
    return verified, unread


def _save(head: Head | None, verified: ChainVerification) -> SavedHead:
    return SavedHead(head.sequence if head else 0, head.hash if head else NO_HASH, verified.older)


def _is_wanted(key: str, secret_name: str | None) -> bool:
    return secret_name is None or secret_name in (key, secret_name_of(key))


def _add_grace(began_at: str) -> str:
    try:
        return (parse_timestamp(began_at) + GRACE).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return began_at
