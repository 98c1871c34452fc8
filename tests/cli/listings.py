"""Entries of ListSecrets, as the AWS CLI writes them to a file."""

from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.timestamps import to_iso

from .stacks import ARN

NOW = "2026-03-01T12:00:00Z"


def entry(name: str, days: float = 10, /, **more: Any) -> dict[str, Any]:
    """An entry of a list whose value was created so many days before NOW, with the date of its version."""
    created_at = to_iso(datetime.fromisoformat(NOW) - timedelta(days=days))
    return {
        "Name": name,
        "ARN": f"{ARN}:{name}-AbCdEf",
        "CreatedDate": created_at,
        "SecretVersionsToStages": {"v1": ["AWSCURRENT"]},
        "VersionCreatedDates": {"v1": created_at},
        **more,
    }


def tags(**pairs: str) -> list[dict[str, str]]:
    """Tags as ListSecrets returns them; the prefix of the product's own tags is added."""
    own_tags = {"max_age_days", "exempt_until", "exempt_reason", "owner"}
    named = {
        f"rotation-guard:{key.replace('_', '-')}" if key in own_tags else key: value for key, value in pairs.items()
    }
    return [{"Key": key, "Value": value} for key, value in named.items()]
