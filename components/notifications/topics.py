"""The topics by their short names."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

TOPICS = ("failures", "remediation", "critical")
REPORTS = "reports"
"""The topic of reports, which is there with a schedule for them."""


def complain_about_reports(subscriptions: Any, has_reports: bool, format_key: Callable[[str], str]) -> Iterator[str]:
    """Which subscriptions are to the topic of reports where no reports are stored."""
    for index, subscription in enumerate(subscriptions if isinstance(subscriptions, (list, tuple)) else ()):
        if not has_reports and isinstance(subscription, Mapping) and subscription.get("topic") == REPORTS:
            yield (
                f"{format_key('subscriptions')}[{index}].topic must be one of {', '.join(TOPICS)} without "
                f"{format_key('report_schedule')}, which sends reports, got {REPORTS}"
            )
