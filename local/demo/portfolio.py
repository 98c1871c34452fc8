"""Some sixty secrets of every verdict, whose dates lie in the past: something for the audit to find.

A secret is written as an entry of ListSecrets with `VersionCreatedDates`, as `rotation-guard scan --from` reads it.
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

SEED = "RotationGuardSeed"
"""Action of the embedded AWS, and of no other: puts secrets there as they are, dates and all."""
OWNERS = ("payments", "search", "platform", "data", "identity")
KINDS = ("db/orders", "api-key/mailer", "token/ci", "db/reporting")
_SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type, not a secret
_MANAGED = {"Key": "Managed", "Value": "true"}
_DAY = timedelta(days=1)

Entry = dict[str, Any]


def entries(stack: RunningStack, now: datetime) -> Iterator[Entry]:
    """The portfolio: four secrets of each verdict, of different owners."""
    owners = itertools.cycle(OWNERS)
    for verdict, like in _LIKE.items():
        for index, kind in enumerate(KINDS):
            yield _entry(stack, f"portfolio/{verdict.replace('_', '-')}/{kind}", next(owners), like, index, now)


def seed(stack: RunningStack, secrets: Iterable[Entry]) -> int:
    """Put these secrets into the embedded AWS; those of the same names are replaced. How many there were."""
    secrets = list(secrets)
    told = api.call_action(stack.aws, SEED, {"Secrets": secrets})
    if "Seeded" not in told:
        raise LocalError(f"The embedded AWS did not take the secrets: {told}")
    stack.adopt(Resource(_SECRET, secret["Name"], secret["ARN"], {"recoveryWindowInDays": 0}) for secret in secrets)
    return int(told["Seeded"])


def _entry(
    stack: RunningStack, name: str, owner: str, like: Mapping[str, Any], index: int, now: datetime
) -> dict[str, Any]:
    """One secret: its value is as old as its kind says, and some days more for each further one."""
    current, previous, pending = (str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}#{label}")) for label in "cap")
    made = now - like["age"] - index * like.get("step", _DAY)
    stages, dates = {current: ["AWSCURRENT"]}, {current: made}
    if like.get("changed"):
        stages[previous], dates[previous] = ["AWSPREVIOUS"], made - 30 * _DAY
    if like.get("pending"):
        stages[pending], dates[pending] = ["AWSPENDING"], now - like["pending"]
    if like.get("empty"):
        stages, dates = {previous: ["AWSPREVIOUS"]}, {previous: made}
    tags = {"rotation-guard:owner": owner, **{key: value(now) for key, value in like.get("tags", {}).items()}}
    function = f"arn:aws:lambda:{stack.region}:{stack.account_id}:function:rotate-{owner}"
    return {
        "Name": name,
        "ARN": f"arn:aws:secretsmanager:{stack.region}:{stack.account_id}:secret:{name}-Pf{index:04d}",
        "Tags": [_MANAGED, *({"Key": key, "Value": value} for key, value in tags.items())],
        "SecretVersionsToStages": stages,
        "VersionCreatedDates": {version: _text(date) for version, date in dates.items()},
        "CreatedDate": _text(min(dates.values())),
        "LastChangedDate": _text(now - timedelta(hours=index)),
        "RotationEnabled": like.get("rotation") == "on",
        **({"RotationLambdaARN": function} if like.get("rotation") else {}),
        **({"LastRotatedDate": _text(made)} if like.get("rotation") == "on" and like.get("changed") else {}),
        **({"NextRotationDate": _text(now + like.get("next", 5 * _DAY))} if like.get("rotation") == "on" else {}),
        **({"DeletedDate": _text(now + 7 * _DAY)} if like.get("deleted") else {}),
        **({"PrimaryRegion": "us-east-1"} if like.get("replica") else {}),
        **({"OwningService": like["owned_by"]} if "owned_by" in like else {}),
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _days_from_now(days: int) -> Any:
    return lambda now: (now + days * _DAY).date().isoformat()


def _said(text: str) -> Any:
    return lambda now: text


_ROTATED: Mapping[str, Any] = {"rotation": "on", "changed": True}
_LIKE: Mapping[str, Mapping[str, Any]] = {
    "pending_deletion": {"age": 50 * _DAY, "deleted": True},
    "replica": {"age": 10 * _DAY, "replica": True},
    "unknown": {"age": 20 * _DAY, "empty": True},
    "exempt": {
        "age": 200 * _DAY,
        "tags": {
            "rotation-guard:exempt-reason": _said("the vendor rotates it by phone"),
            "rotation-guard:exempt-until": _days_from_now(90),
        },
    },
    "exemption_invalid": {
        "age": 100 * _DAY,
        "tags": {
            "rotation-guard:exempt-reason": _said("until the migration is over"),
            "rotation-guard:exempt-until": _days_from_now(-10),
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
"""What makes a secret one of each verdict, with the dev stack's settings."""
VERDICTS = tuple(_LIKE)
