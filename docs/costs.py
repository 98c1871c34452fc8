"""What the audit costs a month, by AWS's list prices and the rows that it really writes."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from handlers.adapters.items import Item, to_item
from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.reconciliation import read_reconciled_state
from rotation_guard.domain.audit.run import CHANGES, EVERY_RUN
from rotation_guard.domain.audit.secret_status import build_history_row, build_status_row, has_significant_change
from rotation_guard.domain.audit.verdicts import judge
from rotation_guard.domain.audit_trail import build_trail_row
from rotation_guard.domain.event_parser import parse_text
from rotation_guard.domain.evidence.links import LINK, add_link
from rotation_guard.domain.metrics import AUDIT_RUN_METRICS, HEALTHY_METRICS, PROBLEM_METRICS
from rotation_guard.domain.secret import date_versions, parse_secret
from rotation_guard.domain.timestamps import to_iso
from tests.bench import population

# List prices of us-east-1 in US dollars, in November 2026, without what is free.
WRITE_UNIT = 0.625 / 1_000_000
READ_UNIT = 0.125 / 1_000_000
"""On demand (https://aws.amazon.com/dynamodb/pricing/on-demand/), halved in November 2024
(https://aws.amazon.com/about-aws/whats-new/2024/11/amazon-dynamo-db-reduces-prices-on-demand-throughput-global-tables/)."""
STORED_GIGABYTE = 0.25 + 0.20
"""A month of it, and of its point-in-time recovery (the same page)."""
SECRETS_MANAGER_CALL = 0.05 / 10_000
"""https://aws.amazon.com/secrets-manager/pricing/."""
LAMBDA_GIGABYTE_SECOND = 0.0000133334
"""On arm64 (https://aws.amazon.com/lambda/pricing/)."""
METRIC = 0.30
"""A month of a custom metric (https://aws.amazon.com/cloudwatch/pricing/)."""
ALARM, COMPOSITE_ALARM, DASHBOARD = 0.10, 0.50, 3.00
"""A month of an alarm on one metric at standard resolution, of one on alarms, and of a dashboard (the same page)."""

WRITE_BYTES, READ_BYTES = 1024, 4096
"""Of one unit; reads that need not be the latest take half of one
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)."""
STORED_WITH_A_ROW = 100
"""Bytes (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)."""

# What is taken as given.
SIZES = (1_000, 100_000, 500_000)
HOURS, DAYS = 730, 730 / 24
HISTORY_DAYS = 400
CHANGES_A_MONTH = 3
"""Of a secret: a rotation, soon due before it, and fresh after it."""
ATTENTION = 0.05
"""The share of secrets that need someone, whose status is in the index too."""
SECONDS_A_PAGE, GIGABYTES = 0.2, 0.5
ROTATIONS, EVENTS_A_ROTATION = 1_000, 8
"""Started, succeeded, two labels that move, and the calls of the rotation function."""

_EVENTS = Path(__file__).resolve().parent.parent / "tests" / "events"
_MIDNIGHT = datetime(2026, 11, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Costs:
    """US dollars a month."""

    writes: float
    reads: float
    storage: float
    """Once the history is as long as it is kept."""
    secrets_manager: float
    function: float
    metrics: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class Written:
    """Rows of one secret: their bytes, and how often a month they are written."""

    history_bytes: int
    status_bytes: int
    history_rows: float
    status_rows: float


def monthly(secrets: int, written: Written) -> Costs:
    """An audit every hour of so many secrets."""
    history, status = (math.ceil(size / WRITE_BYTES) for size in (written.history_bytes, written.status_bytes))
    units = written.history_rows * history + written.status_rows * status * (1 + ATTENTION)
    read = 0.5 * math.ceil(written.status_bytes / READ_BYTES) * HOURS
    kept_rows = written.history_rows / DAYS * HISTORY_DAYS
    stored = kept_rows * (written.history_bytes + STORED_WITH_A_ROW)
    stored += (1 + ATTENTION) * (written.status_bytes + STORED_WITH_A_ROW)
    pages = math.ceil(secrets / 100) * HOURS
    return Costs(
        writes=secrets * units * WRITE_UNIT,
        reads=secrets * read * READ_UNIT,
        storage=secrets * stored / 1e9 * STORED_GIGABYTE,
        # A new version is dated once.
        secrets_manager=(pages + secrets) * SECRETS_MANAGER_CALL,
        function=pages * SECONDS_A_PAGE * GIGABYTES * LAMBDA_GIGABYTE_SECOND,
        metrics=len(AUDIT_RUN_METRICS) * METRIC,
    )


@cache
def written(mode: str) -> Written:
    """The rows of a secret with a healthy rotation, as the product makes them."""
    history, statuses = zip(*_day(), strict=True)
    every_run = mode == EVERY_RUN
    status_rows = sum(
        has_significant_change(new, before, ages=every_run) for before, new in itertools.pairwise(statuses)
    )
    return Written(
        history_bytes=item_bytes(to_item(history[-1])),
        status_bytes=item_bytes(to_item(statuses[-1])),
        history_rows=HOURS if every_run else DAYS + CHANGES_A_MONTH,
        status_rows=status_rows * DAYS + CHANGES_A_MONTH,
    )


@cache
def status_rows() -> list[dict[str, Any]]:
    """The status of a secret with a healthy rotation, after each run of a day."""
    return [status for _, status in _day()]


def _day() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What the runs of a day, and the last one before it, write of one secret."""
    # Its value is another day old in between, not at midnight.
    birthday = _MIDNIGHT + timedelta(hours=10, minutes=30)
    secret = parse_secret(population.entry(0, birthday))
    dates = date_versions(secret, population.version_dates(0, birthday))
    before: Mapping[str, Any] = {}
    for hour in range(-1, 24):
        now = _MIDNIGHT + timedelta(hours=hour, minutes=5)
        finding = judge(secret, dates, AuditSettings(), now)
        before = build_status_row(finding, before, read_reconciled_state(before, secret, now), now, None)
        yield build_history_row(to_iso(now), before, int(now.timestamp())), dict(before)


def item_bytes(row: Item) -> int:
    """The size of a row (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)."""
    return sum(len(name.encode()) + _value_bytes(*value.items()) for name, value in row.items())


def _value_bytes(value: tuple[str, Any]) -> int:
    kind, held = value
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            # Two digits a byte, and one more; without a sign, a point and zeros at either end, which is at most this.
            return len(held) // 2 + 2
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + _value_bytes(*entry.items()) for entry in held)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(*inner.items()) for name, inner in held.items())
    raise ValueError(f"a row must hold texts, numbers, truths, lists and maps, got {kind}")


def rows() -> Iterator[tuple[str, ...]]:
    """The table of the README."""
    for secrets in SIZES:
        for mode in (EVERY_RUN, CHANGES):
            costs = monthly(secrets, written(mode))
            parts = [_dollars(getattr(costs, field.name)) for field in fields(costs)]
            yield (f"{secrets:,}".replace(",", " "), f"`{mode}`", *parts, f"**{_dollars(costs.total)}**")


HEADS = ("secrets", "`history`", "writes", "reads", "storage", "Secrets Manager", "Lambda", "metrics", "together")


def list_other_costs(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """The table of what else costs, for a stack with so many `alarms`, `composite_alarms` and `dashboards`."""
    alarms, composite_alarms, dashboards = (counts[name] for name in ("alarms", "composite_alarms", "dashboards"))
    yield f"CloudWatch: {alarms} alarms at ${ALARM:.2f} (10 are free)", _dollars(alarms * ALARM)
    yield f"{composite_alarms} composite alarms at ${COMPOSITE_ALARM:.2f}", _dollars(composite_alarms * COMPOSITE_ALARM)
    yield f"{dashboards} dashboard (3 are free)", _dollars(dashboards * DASHBOARD)
    yield (
        f"{len(HEALTHY_METRICS)} metrics of events and incidents; ${METRIC:.2f} for each of {len(PROBLEM_METRICS)} "
        "others in a month in which it is emitted",
        _dollars(len(HEALTHY_METRICS) * METRIC),
    )
    yield (
        f"{ROTATIONS:,} rotations".replace(",", " ")
        + f" of some {EVENTS_A_ROTATION} events in the audit trail: a transaction with a row and its chain's head each",
        f"${ROTATIONS * EVENTS_A_ROTATION * trail_event_cost():.2f}",
    )
    yield "SQS: the polling of one queue; SNS, Scheduler, Step Functions at this size, and a little log", "$0 to $0.50"


@cache
def trail_event_cost() -> float:
    """US dollars for one event in the audit trail: the head is read, and replaced in the transaction that adds the row.

    A transaction takes twice the units of its writes, and a strongly consistent read a whole one
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
    """
    text = (_EVENTS / "rotation-succeeded.json").read_text(encoding="utf-8")
    event = parse_text(text)
    row = to_item(build_trail_row(event, text, _MIDNIGHT, int(_MIDNIGHT.timestamp())))
    _, head = add_link(row, None, to_iso(_MIDNIGHT))
    link, head = add_link(row, head, to_iso(_MIDNIGHT))
    stored = [{**row, LINK: link.to_value()}, {**head.to_item(event.subject), "secret_arn": row["secret_arn"]}]
    units = sum(math.ceil(item_bytes(item) / WRITE_BYTES) for item in stored)
    return 2 * units * WRITE_UNIT + READ_UNIT


OTHER_HEADS = ("what else costs", "about, per month")


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount < 100 else f"${amount:,.0f}"
