"""A portfolio of secrets with dates in the past, for every verdict of the audit.

A secret is an entry of ListSecrets with `VersionCreatedDates`, the format that `rotation-guard scan --from` reads.
"""

import itertools
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..deploy.deployment import RunningStack
from ..deploy.resources import Resource
from ..emulator import api
from ..errors import LocalError

SEED_ACTION = "RotationGuardSeed"
"""An action of the embedded AWS only: stores secrets as they are described, including their dates."""
OWNERS = ("payments", "search", "platform", "data", "identity")
SECRET_NAMES = ("db/orders", "api-key/mailer", "token/ci", "db/reporting")
_SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type, not a secret
_MANAGED = {"Key": "Managed", "Value": "true"}
_DAY = timedelta(days=1)

Entry = dict[str, Any]


def build_secrets(stack: RunningStack, now: datetime) -> Iterator[Entry]:
    """Yield the portfolio: four secrets for each verdict, with different owners."""
    owners = itertools.cycle(OWNERS)
    for verdict, template in _TEMPLATES.items():
        for number, secret_name in enumerate(SECRET_NAMES):
            yield _build_secret(
                stack, f"portfolio/{verdict.replace('_', '-')}/{secret_name}", next(owners), template, number, now
            )


def seed(stack: RunningStack, secrets: Iterable[Entry]) -> int:
    """Store these secrets in the embedded AWS, replacing those with the same names; return their number."""
    secrets = list(secrets)
    response = api.call_action(stack.aws, SEED_ACTION, {"Secrets": secrets})
    if "Seeded" not in response:
        raise LocalError(f"The embedded AWS did not accept the secrets: {response}")
    stack.adopt(Resource(_SECRET, secret["Name"], secret["ARN"], {"recoveryWindowInDays": 0}) for secret in secrets)
    return int(response["Seeded"])


def _build_secret(
    stack: RunningStack, name: str, owner: str, template: Mapping[str, Any], number: int, now: datetime
) -> dict[str, Any]:
    """Build a secret from a template: each further secret of a template is some days older."""
    current, previous, pending = (str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}#{label}")) for label in "cap")
    created_at = now - template["age"] - number * template.get("step", _DAY)
    stages, dates = {current: ["AWSCURRENT"]}, {current: created_at}
    if template.get("changed"):
        stages[previous], dates[previous] = ["AWSPREVIOUS"], created_at - 30 * _DAY
    if template.get("pending"):
        stages[pending], dates[pending] = ["AWSPENDING"], now - template["pending"]
    if template.get("empty"):
        stages, dates = {previous: ["AWSPREVIOUS"]}, {previous: created_at}
    tags = {"rotation-guard:owner": owner, **{key: value(now) for key, value in template.get("tags", {}).items()}}
    function = f"arn:aws:lambda:{stack.region}:{stack.account_id}:function:rotate-{owner}"
    return {
        "Name": name,
        "ARN": f"arn:aws:secretsmanager:{stack.region}:{stack.account_id}:secret:{name}-Pf{number:04d}",
        "Tags": [_MANAGED, *({"Key": key, "Value": value} for key, value in tags.items())],
        "SecretVersionsToStages": stages,
        "VersionCreatedDates": {version: _to_iso(date) for version, date in dates.items()},
        "CreatedDate": _to_iso(min(dates.values())),
        "LastChangedDate": _to_iso(now - timedelta(hours=number)),
        "RotationEnabled": template.get("rotation") == "on",
        **({"RotationLambdaARN": function} if template.get("rotation") else {}),
        **(
            {"LastRotatedDate": _to_iso(created_at)}
            if template.get("rotation") == "on" and template.get("changed")
            else {}
        ),
        **(
            {"NextRotationDate": _to_iso(now + template.get("next", 5 * _DAY))}
            if template.get("rotation") == "on"
            else {}
        ),
        **({"DeletedDate": _to_iso(now + 7 * _DAY)} if template.get("deleted") else {}),
        **({"PrimaryRegion": "us-east-1"} if template.get("replica") else {}),
        **({"OwningService": template["owned_by"]} if "owned_by" in template else {}),
    }


def _to_iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _shift_days(days: int) -> Any:
    return lambda now: (now + days * _DAY).date().isoformat()


def _constant(text: str) -> Any:
    return lambda now: text


_ROTATED: Mapping[str, Any] = {"rotation": "on", "changed": True}
_TEMPLATES: Mapping[str, Mapping[str, Any]] = {
    "pending_deletion": {"age": 50 * _DAY, "deleted": True},
    "replica": {"age": 10 * _DAY, "replica": True},
    "unknown": {"age": 20 * _DAY, "empty": True},
    "exempt": {
        "age": 200 * _DAY,
        "tags": {
            "rotation-guard:exempt-reason": _constant("the vendor rotates it by phone"),
            "rotation-guard:exempt-until": _shift_days(90),
        },
    },
    "exemption_invalid": {
        "age": 100 * _DAY,
        "tags": {
            "rotation-guard:exempt-reason": _constant("until the migration is over"),
            "rotation-guard:exempt-until": _shift_days(-10),
        },
    },
    "rotation_failing": {"age": 28 * _DAY, **_ROTATED, "pending": timedelta(hours=50)},
    "rotation_missed": {"age": 33 * _DAY, **_ROTATED, "next": -3 * _DAY},
    "managed_elsewhere": {"age": 60 * _DAY, **_ROTATED, "owned_by": "rds"},
    "never_rotated": {"age": 400 * _DAY, "step": 200 * _DAY},
    "overdue": {"age": 45 * _DAY, "changed": True, "step": 20 * _DAY},
    "rotation_disabled": {"age": 12 * _DAY, "rotation": "off", "changed": True},
    "due_soon": {"age": 25 * _DAY, **_ROTATED, "next": 2 * _DAY},
    "in_grace": {"age": 2 * _DAY},
    "manual_only": {"age": 6 * _DAY, "changed": True},
    "fresh": {"age": 3 * _DAY, **_ROTATED, "next": 20 * _DAY},
}
"""Verdict -> the properties of a secret that gets it with the dev stack's settings."""
VERDICTS = tuple(_TEMPLATES)
