"""Which secrets are overdue."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

OK, NEEDS_ROTATION, UNKNOWN = "ok", "needs_rotation", "unknown"
AUDIT = "rotation"
"""Key of the runs of this audit."""

_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")


@dataclass(frozen=True)
class AuditedSecret:
    """A secret as the list of all secrets shows it."""

    name: str
    arn: str
    tags: Mapping[str, str]
    current_version_id: str | None
    """The version that holds AWSCURRENT, if one does."""

    def carries(self, key: str, value: str) -> bool:
        """Whether it has exactly this tag: AWS's filters match prefixes, so the exact pair is checked here."""
        return self.tags.get(key) == value


@dataclass(frozen=True)
class ValueDate:
    """When the value in use was made, or why that is not known."""

    created_at: datetime | None
    problem: str = ""


@dataclass(frozen=True)
class Finding:
    """What one run found about one secret."""

    secret: AuditedSecret
    status: str
    """`ok`, `needs_rotation`, or `unknown`, which is never counted as ok."""
    reason: str
    """Why, in a sentence."""
    value_created_at: datetime | None
    age_days: int | None
    """Whole days since the value in use was made."""

    @property
    def attention(self) -> bool:
        """Whether someone should look."""
        return self.status != OK


def judge(secret: AuditedSecret, value: ValueDate, max_age_days: int, now: datetime) -> Finding:
    """The finding for one secret. An age equal to the limit is still within it.

    Age is that of the value in use. The date of the last change would not do: any edit moves it, a tag included.
    """
    if value.created_at is None:
        return Finding(secret, UNKNOWN, value.problem, None, None)
    age = now - value.created_at
    if age < timedelta(0):
        return Finding(secret, UNKNOWN, "The value in use has a date in the future.", value.created_at, None)
    if age > timedelta(days=max_age_days):
        reason = f"The value in use is {age.days} days old; the limit is {max_age_days}."
        return Finding(secret, NEEDS_ROTATION, reason, value.created_at, age.days)
    reason = f"The value in use is {age.days} days old, within the limit of {max_age_days}."
    return Finding(secret, OK, reason, value.created_at, age.days)


def run_id(scheduled_time: object, request_id: str) -> str:
    """The time a run was scheduled for, the same for each retry of it; by hand, the id of the invocation."""
    if isinstance(scheduled_time, str) and _TIMESTAMP.fullmatch(scheduled_time):
        return scheduled_time
    return request_id
