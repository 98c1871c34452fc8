"""A collection: what an audit needs to know of an account's secrets, in a file, for somebody without access to it.

It has the entries of ListSecrets, the dates of versions, and no value. `scan --from` judges it as of its time, and as
exactly as it would judge the account.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rotation_guard.domain.secret import DATE_FIELDS, parse_secret

from .account import Account, Entry, Versions
from .errors import UsageError
from .identity import Identity, product_version
from .parsing import parse_timestamp

FORMAT = "rotation-guard.collection/1"
REFUSAL = "VersionListError"
"""Field of an entry whose versions AWS did not list: its error code."""
_FIELDS = (
    "Name",
    "ARN",
    "OwningService",
    "PrimaryRegion",
    "Type",
    "RotationLambdaARN",
    "RotationEnabled",
    "RotationRules",
    "Tags",
    "SecretVersionsToStages",
    *DATE_FIELDS,
)
"""Fields of an entry that a verdict depends on: descriptions and keys stay in the account."""


@dataclass(frozen=True)
class Collection:
    """Where, when and by whom a file was collected."""

    collected_at: datetime
    identity: Identity
    product_version: str | None = None


def build_collection(account: Account, identity: Identity, now: datetime) -> dict[str, Any]:
    """Read the account into a collection, which JSON can have. Raises CommandError."""
    entries = account.entries()
    by_arn = {entry["ARN"]: entry for entry in entries}
    secrets = [parse_secret(entry) for entry in entries]
    return {
        "format": FORMAT,
        "collected_at": _format_date(now),
        "product_version": product_version(),
        **identity.to_json(),
        "region": account.region,
        "SecretList": [_to_json(by_arn[secret.arn], versions) for secret, versions in account.with_versions(secrets)],
    }


def read_collection(page: Mapping[str, Any], option: str) -> Collection | None:
    """Where and when this part of a file was collected; None if it is a plain response of AWS."""
    if "format" not in page:
        return None
    if page["format"] != FORMAT:
        raise UsageError(f"{option} must have the format {FORMAT}, got {page['format']!r}.")
    try:
        collected_at = parse_timestamp(page.get("collected_at"))
    except ValueError:
        raise UsageError(f"{option} must have a time as collected_at, got {page.get('collected_at')!r}.") from None
    names = ("account_id", "account_alias", "region", "caller_arn", "product_version")
    texts = {name: text if isinstance(text := page.get(name), str) else None for name in names}
    version = texts.pop("product_version")
    return Collection(collected_at, Identity(**texts), version)


def _to_json(entry: Entry, versions: Versions | None) -> dict[str, Any]:
    fields = {name: entry[name] for name in _FIELDS if name in entry}
    fields = {name: _format_date(value) if isinstance(value, datetime) else value for name, value in fields.items()}
    if isinstance(versions, str):
        return {**fields, REFUSAL: versions}
    dates = {version: _format_date(date) for version, date in (versions or {}).items()}
    return {**fields, "VersionCreatedDates": dates} if versions is not None else fields


def _format_date(date: datetime) -> str:
    """ISO 8601 in UTC with every digit: a verdict may depend on a second."""
    return date.astimezone(UTC).isoformat().replace("+00:00", "Z")
