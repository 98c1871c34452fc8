"""What settings that are off by default cost a month, for 1 000 secrets."""

from collections.abc import Iterator, Mapping

from docs.costs import (
    ALARM,
    ATTENTION,
    CHANGES_A_MONTH,
    DAYS,
    HISTORY_DAYS,
    LAMBDA_GIGABYTE_SECOND,
    METRIC,
    READ_BYTES,
    READ_UNIT,
    ROTATIONS,
    item_bytes,
    status_rows,
)
from docs.organization_costs import (
    EVENT,
    GIGABYTES,
    INVOCATION,
    INVOCATION_SECONDS,
    QUEUE_REQUEST,
    REQUESTS_A_MESSAGE,
    SECRETS,
)
from handlers.adapters.items import to_item
from rotation_guard.domain.metrics import CANARY_METRICS
from rotation_guard.domain.organization.findings import REPEATED_DAYS

# List prices of us-east-1 in US dollars, in November 2026, without what is free.
STORED_FILE_GIGABYTE, STORED_FILE = 0.023, 0.005 / 1_000
"""A month of a GB in S3 Standard, and a PutObject (https://aws.amazon.com/s3/pricing/)."""
FINDING = 0.00003
"""A finding that is imported, after 10 000 in a month that are free (https://aws.amazon.com/security-hub/pricing/)."""
DELIVERY = 0.20 / 1_000_000
"""An invocation of an API destination (https://aws.amazon.com/eventbridge/pricing/)."""

# What is taken as given.
REPORT_SECONDS, REPORT_GIGABYTES = 10, 1.73
FILES, FILE_BYTES_A_SECRET = 2, 650
"""Of a report: its page is compressed, its CSV is not. `make bench` measures the size of both."""
EVENTS_AN_INCIDENT = 3
"""Opened, retried or escalated, and its end."""
INCIDENT_BYTES = 5_000
"""A row of 2 to 10 KB (docs/reports.md)."""

HEADS = ("setting", "what it costs", "about, per month")


def list_costs(alarms: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """The table, for settings that add so many alarms each."""
    prices = {name: count * ALARM for name, count in alarms.items()}
    counted = {name: f"{count} alarms at ${ALARM:.2f}" for name, count in alarms.items()}
    yield (
        "`reportSchedule`",
        f"{counted['reportSchedule']}, a report every day that is kept for {HISTORY_DAYS} days: reads of the status "
        f"and of {_group(ROTATIONS)} incidents a month, the function, and files in S3",
        f"${prices['reportSchedule'] + cost_of_reports():.2f}",
    )
    yield (
        "`securityHub`",
        f"{counted['securityHub']}; events of the audit, the queue and the function; "
        f"{_group(count_findings())} imports of findings",
        f"${prices['securityHub'] + cost_of_findings():.2f}",
    )
    yield (
        "`canarySchedule`",
        f"{counted['canarySchedule']} and {len(CANARY_METRICS)} metric",
        f"${prices['canarySchedule'] + len(CANARY_METRICS) * METRIC:.2f}",
    )
    yield (
        "`subscriptions`",
        f"the first for Slack, Teams, PagerDuty or a webhook: {counted['subscriptions']}; "
        f"{_group(ROTATIONS)} incidents of {EVENTS_AN_INCIDENT} events",
        f"${prices['subscriptions'] + ROTATIONS * EVENTS_AN_INCIDENT * DELIVERY:.2f}",
    )


def cost_of_reports() -> float:
    """US dollars for a report every day."""
    reads = SECRETS * 0.5 * item_bytes(to_item(status_rows()[-1])) / READ_BYTES * READ_UNIT
    incidents = ROTATIONS * HISTORY_DAYS / DAYS * 0.5 * INCIDENT_BYTES / READ_BYTES * READ_UNIT
    function = INVOCATION + REPORT_SECONDS * REPORT_GIGABYTES * LAMBDA_GIGABYTE_SECOND
    stored = HISTORY_DAYS * SECRETS * FILE_BYTES_A_SECRET / 1e9 * STORED_FILE_GIGABYTE
    return DAYS * (reads + incidents + function + FILES * STORED_FILE) + stored


def count_findings() -> float:
    """Imports of findings: of secrets that need attention once a day, and of each change, repeated for some days."""
    return SECRETS * (ATTENTION * DAYS + CHANGES_A_MONTH * (1 + REPEATED_DAYS))


def cost_of_findings() -> float:
    """US dollars for the events of the audit, their way to the function, and the findings."""
    events = SECRETS * (DAYS + CHANGES_A_MONTH)
    invocation = INVOCATION + INVOCATION_SECONDS * GIGABYTES * LAMBDA_GIGABYTE_SECOND
    return events * (EVENT + REQUESTS_A_MESSAGE * QUEUE_REQUEST + invocation) + count_findings() * FINDING


def _group(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")
