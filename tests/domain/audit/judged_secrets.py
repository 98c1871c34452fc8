"""A secret for the tests of verdicts, with tags and with a value of any age."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rotation_guard.domain.audit.audit_settings import AuditSettings
from rotation_guard.domain.audit.verdicts import judge
from rotation_guard.domain.secret import (
    ListedSecret,
    VersionDates,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = ListedSecret(
    "orders/db", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd", {}, current_version_id="v2"
)
LIMIT, UNTIL, WHY, OWNER = (
    f"rotation-guard:{name}" for name in ("max-age-days", "exempt-until", "exempt-reason", "owner")
)


def with_tags(**tags):
    names = {"limit": LIMIT, "until": UNTIL, "why": WHY, "owner": OWNER}
    return replace(SECRET, tags={names.get(name, name): value for name, value in tags.items()})


def judge_at_age(days, secret=SECRET, settings=None, **seconds):
    dates = VersionDates(NOW - timedelta(days=days, **seconds))
    return judge(secret, dates, settings or AuditSettings(), NOW)
