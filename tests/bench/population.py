"""Any number of secrets, each generated from its number, so that none is stored."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

_DAY = timedelta(days=1)
_AGES = (1, 3, 5, 8, 12, 16, 20, 26, 45, 200)
"""Age of the value in days, by the number's last digit: one is due soon, two are over the limit of 30."""
_BY_HAND = frozenset({5, 9})
_OWNERS = ("payments", "search", "platform", "data", "identity")

Entry = dict[str, Any]


def name(number: int) -> str:
    """Return its name; `number_of` is the inverse."""
    return f"{_OWNERS[number % 5]}/production/orders-database-{number:07}"


def number_of(secret_name: str) -> int:
    """The number of the secret with this name."""
    return int(secret_name[-7:])


def arn(number: int) -> str:
    """Its ARN."""
    return f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name(number)}-Ab12Cd"


def version_id(number: int, label: str) -> str:
    """Return the version with a label."""
    return f"{number:08x}-{len(label):04x}-4000-8000-4f1c2a9b7d3e"


def version_dates(number: int, now: datetime) -> Mapping[str, datetime]:
    """Return the creation dates of its versions."""
    created_at = now - _AGES[number % 10] * _DAY
    return {version_id(number, "AWSCURRENT"): created_at, version_id(number, "AWSPREVIOUS"): created_at - 30 * _DAY}


def entry(number: int, now: datetime) -> Entry:
    """Return its entry in ListSecrets."""
    created_at = now - _AGES[number % 10] * _DAY
    rotated = {
        "RotationEnabled": True,
        "RotationLambdaARN": "arn:aws:lambda:eu-west-1:123456789012:function:rotate-orders-database",
        "RotationRules": {"AutomaticallyAfterDays": 30},
        "LastRotatedDate": created_at,
        "NextRotationDate": now + 5 * _DAY,
    }
    return {
        "ARN": arn(number),
        "Name": name(number),
        "Description": "The database of orders",
        "CreatedDate": created_at - 300 * _DAY,
        "LastChangedDate": created_at,
        "LastAccessedDate": now - _DAY,
        "Tags": [
            {"Key": "Managed", "Value": "true"},
            {"Key": "rotation-guard:owner", "Value": _OWNERS[number % 5]},
            {"Key": "Environment", "Value": "production"},
            {"Key": "CostCenter", "Value": f"{4000 + number % 100}"},
        ],
        "SecretVersionsToStages": {
            version_id(number, "AWSCURRENT"): ["AWSCURRENT"],
            version_id(number, "AWSPREVIOUS"): ["AWSPREVIOUS"],
        },
        **({"RotationEnabled": False} if number % 10 in _BY_HAND else rotated),
    }
