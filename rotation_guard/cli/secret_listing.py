"""The secrets of a file: from `aws secretsmanager list-secrets`, or from `rotation-guard collect`.

The file may contain anything, so every field is checked.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotation_guard.domain.secret import (
    DATE_FIELDS,
    LONGEST_PERIOD,
    ListedSecret,
    VersionDates,
    date_versions,
    estimate_dates,
    parse_secret,
)

from .account import DatedSecret, date_secret
from .collection import REFUSAL, Collection, read_collection
from .errors import UsageError
from .parsing import parse_timestamp, read_json

_STRINGS = ("OwningService", "PrimaryRegion", "Type", "RotationLambdaARN")
_OPTION = "--from"
_JSON_TYPES = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}


@dataclass(frozen=True)
class SecretListing:
    """The secrets of one account and Region in a file, each once, with the known dates of their versions."""

    secrets: tuple[DatedSecret, ...]
    is_truncated: bool = False
    """Whether AWS had more to list."""
    collection: Collection | None = None
    """Where, when and by whom it was collected; None if the AWS CLI wrote it."""


def read_listings(name: str) -> list[SecretListing]:
    """The secrets of a file, or of standard input, one listing for each account and Region that was collected.

    It is a response of AWS, a list of such pages, a list of entries, or what `rotation-guard collect` writes.
    """
    content = read_json(_OPTION, name)
    pages = (
        content if _is_list_of_pages(content) else [content if isinstance(content, dict) else {"SecretList": content}]
    )
    listed: dict[str, DatedSecret] = {}
    listings: list[SecretListing] = []
    for number, page in enumerate(pages, 1):
        where = f"{_OPTION}: page {number}, entry" if len(pages) > 1 else f"{_OPTION}: entry"
        entries = page.get("SecretList") if isinstance(page, dict) else None
        if not isinstance(entries, list):
            raise UsageError(
                f"{_OPTION} must contain a SecretList, a list of such pages, or a list of entries, "
                f"got {_describe(content, number, page)}."
            )
        collection = read_collection(page, _OPTION)
        read_dates = _read_estimated_dates if collection is None else _read_collected_dates
        secrets = {secret.arn: (secret, dates) for secret, dates in _parse_entries(entries, where, read_dates)}
        if collection is not None:
            listings.append(SecretListing(tuple(secrets.values()), collection=collection))
        else:
            listed |= secrets
    # Each page but the last has the token of the next one.
    is_truncated = bool(pages) and all(isinstance(page, dict) and page.get("NextToken") for page in pages)
    if listed or not listings:
        listings.append(SecretListing(tuple(listed.values()), is_truncated))
    return listings


def _is_list_of_pages(content: Any) -> bool:
    """Whether one of its elements is a response of ListSecrets; then all of them must be."""
    return isinstance(content, list) and any(isinstance(page, dict) and "SecretList" in page for page in content)


def _describe(content: Any, number: int, page: Any) -> str:
    has_list = isinstance(page, dict) and "SecretList" in page
    what = f"{_json_type(page['SecretList'])} as its SecretList" if has_list else f"{_json_type(page)} without one"
    if not isinstance(content, list):
        if not isinstance(content, dict):
            return _json_type(content)
        return f"an object with {what}" if has_list else what
    return f"a list of pages of which page {number} is {what}" if not has_list else f"page {number} with {what}"


def _parse_entries(
    entries: list[Any], prefix: str, read_dates: Callable[[ListedSecret, Mapping[str, Any], str], VersionDates]
) -> Iterator[DatedSecret]:
    for number, entry in enumerate(entries, 1):
        where = f"{prefix} {number}"
        if not isinstance(entry, dict):
            raise UsageError(f"{where} must be an object, got {_json_type(entry)}.")
        name, arn = (_require_string(entry, field, where, required=True) for field in ("Name", "ARN"))
        where = f"{where}, {name},"
        secret = parse_secret({**_check_entry(entry, where), "Name": name, "ARN": arn})
        yield secret, read_dates(secret, entry, where)


def _read_estimated_dates(secret: ListedSecret, entry: Mapping[str, Any], where: str) -> VersionDates:
    dates = entry.get("VersionCreatedDates")
    return estimate_dates(secret) if dates is None else date_versions(secret, _parse_version_dates(dates, where))


def _read_collected_dates(secret: ListedSecret, entry: Mapping[str, Any], where: str) -> VersionDates:
    """The dates as the account's own would be: what was not collected was not needed, or AWS refused it."""
    dates, refusal = entry.get("VersionCreatedDates"), _require_string(entry, REFUSAL, where)
    return date_secret(secret, refusal or (None if dates is None else _parse_version_dates(dates, where)))


def _check_entry(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The entry's fields with the types that boto3 returns."""
    rotates = entry.get("RotationEnabled")
    if rotates is not None and not isinstance(rotates, bool):
        raise UsageError(f"{where} must have true or false as RotationEnabled, got {rotates!r}.")
    return {
        **{field: _parse_date(entry[field], field, where) for field in DATE_FIELDS if entry.get(field) is not None},
        **{field: text for field in _STRINGS if (text := _require_string(entry, field, where))},
        "RotationEnabled": rotates,
        "RotationRules": _check_rules(entry.get("RotationRules"), where),
        "Tags": _check_tags(entry.get("Tags"), where),
        "SecretVersionsToStages": _check_stages(entry.get("SecretVersionsToStages"), where),
    }


def _parse_version_dates(dates: Any, where: str) -> dict[str, datetime]:
    if not isinstance(dates, dict):
        raise UsageError(
            f"{where} must have a date for each version id as VersionCreatedDates, got {_json_type(dates)}."
        )
    parsed = {version: _parse_date(date, f"VersionCreatedDates of {version}", where) for version, date in dates.items()}
    return {version: date for version, date in parsed.items() if date is not None}


def _check_rules(rules: Any, where: str) -> dict[str, Any]:
    if not rules:
        return {}
    days = rules.get("AutomaticallyAfterDays") if isinstance(rules, dict) else None
    if not isinstance(rules, dict) or isinstance(days, bool) or not isinstance(days or 0, int):
        raise UsageError(f"{where} must have a whole number of AutomaticallyAfterDays in RotationRules, got {rules!r}.")
    if not 0 <= (days or 0) <= LONGEST_PERIOD.days:
        raise UsageError(
            f"{where} must have 0 to {LONGEST_PERIOD.days} as AutomaticallyAfterDays in RotationRules, got {days}."
        )
    return rules


def _check_stages(stages: Any, where: str) -> dict[str, list[str]]:
    if stages is None:
        return {}
    if isinstance(stages, dict) and all(
        isinstance(labels, list) and all(isinstance(label, str) for label in labels) for labels in stages.values()
    ):
        return stages
    raise UsageError(
        f"{where} must have a list of labels for each version id as SecretVersionsToStages, got {stages!r}."
    )


def _check_tags(tags: Any, where: str) -> list[dict[str, str]]:
    if tags is None:
        return []
    if isinstance(tags, list) and all(_is_tag(tag) for tag in tags):
        return [{"Key": tag["Key"], "Value": tag.get("Value") or ""} for tag in tags]
    raise UsageError(f"{where} must have a list of Key and Value as Tags, got {tags!r}.")


def _is_tag(tag: Any) -> bool:
    return isinstance(tag, dict) and isinstance(tag.get("Key"), str) and isinstance(tag.get("Value") or "", str)


def _parse_date(value: Any, field: str, where: str) -> datetime | None:
    """A date; None for a placeholder that cannot be converted to UTC."""
    try:
        return parse_timestamp(value)
    except ValueError:
        if _is_placeholder_date(value):
            return None
        raise UsageError(f"{where} must have a date or epoch seconds as {field}, got {value!r}.") from None


def _is_placeholder_date(value: Any) -> bool:
    """Whether it is in the first or the last year, as .NET writes *none* and *never*."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value.strip()).year in (
            datetime.min.year,
            datetime.max.year,
        )
    except ValueError:
        return False


def _require_string(entry: Mapping[str, Any], field: str, where: str, required: bool = False) -> str:
    """The string of this field; an empty one if it is absent and not required."""
    text = entry.get(field)
    if (text is None and not required) or (isinstance(text, str) and (text or not required)):
        return text or ""
    raise UsageError(f"{where} must have a string as {field}, got {_json_type(text)}.")


def _json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "a number")
