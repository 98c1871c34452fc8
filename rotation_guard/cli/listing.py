"""The output of `aws secretsmanager list-secrets`, as a file has it: anything may be in it."""

from collections.abc import Iterator, Mapping
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

from .files import read_json
from .moments import read
from .problems import Misused

_TEXTS = ("OwningService", "PrimaryRegion", "Type", "RotationLambdaARN")
_OPTION = "--from"
_LAST_YEAR = datetime.max.year
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


@dataclass(frozen=True)
class Listing:
    """The secrets of a file, each once, with what is known of the dates of their versions."""

    secrets: tuple[tuple[ListedSecret, VersionDates], ...]
    is_cut_short: bool
    """Whether AWS had more to list."""


def read_listing(name: str) -> Listing:
    """The secrets of a file, or of standard input: one answer of AWS, a list of such pages, or a list of entries."""
    content = read_json(_OPTION, name)
    pages = (
        content if _is_list_of_pages(content) else [content if isinstance(content, dict) else {"SecretList": content}]
    )
    secrets: dict[str, tuple[ListedSecret, VersionDates]] = {}
    for number, page in enumerate(pages, 1):
        where = f"{_OPTION}: page {number}, entry" if len(pages) > 1 else f"{_OPTION}: entry"
        entries = page.get("SecretList") if isinstance(page, dict) else None
        if not isinstance(entries, list):
            raise Misused(
                f"{_OPTION} must hold a SecretList, a list of such pages, or a list of entries, "
                f"got {_given(content, number, page)}."
            )
        secrets |= {one.arn: (one, dates) for one, dates in _read(entries, where)}
    # Each page but the last has the token of the next one.
    is_cut_short = bool(pages) and all(isinstance(page, dict) and page.get("NextToken") for page in pages)
    return Listing(tuple(secrets.values()), is_cut_short)


def _is_list_of_pages(content: Any) -> bool:
    """Whether one of its elements is an answer of ListSecrets: the others have to be one, too."""
    return isinstance(content, list) and any(isinstance(one, dict) and "SecretList" in one for one in content)


def _given(content: Any, number: int, page: Any) -> str:
    has_list = isinstance(page, dict) and "SecretList" in page
    what = f"{_kind(page['SecretList'])} as its SecretList" if has_list else f"{_kind(page)} without one"
    if not isinstance(content, list):
        if not isinstance(content, dict):
            return _kind(content)
        return f"an object with {what}" if has_list else what
    return f"a list of pages of which page {number} is {what}" if not has_list else f"page {number} with {what}"


def _read(entries: list[Any], prefix: str) -> Iterator[tuple[ListedSecret, VersionDates]]:
    for number, entry in enumerate(entries, 1):
        where = f"{prefix} {number}"
        if not isinstance(entry, dict):
            raise Misused(f"{where} must be an object, got {_kind(entry)}.")
        name, arn = (_text(entry, field, where, required=True) for field in ("Name", "ARN"))
        where = f"{where}, {name},"
        secret = parse_secret({**_clean(entry, where), "Name": name, "ARN": arn})
        dates = entry.get("VersionCreatedDates")
        yield secret, estimate_dates(secret) if dates is None else date_versions(secret, _version_dates(dates, where))


def _clean(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The entry as boto3 would give it."""
    rotates = entry.get("RotationEnabled")
    if rotates is not None and not isinstance(rotates, bool):
        raise Misused(f"{where} must have true or false as RotationEnabled, got {rotates!r}.")
    return {
        **{field: _date(entry[field], field, where) for field in DATE_FIELDS if entry.get(field) is not None},
        **{field: text for field in _TEXTS if (text := _text(entry, field, where))},
        "RotationEnabled": rotates,
        "RotationRules": _rules(entry.get("RotationRules"), where),
        "Tags": _tags(entry.get("Tags"), where),
        "SecretVersionsToStages": _stages(entry.get("SecretVersionsToStages"), where),
    }


def _version_dates(dates: Any, where: str) -> dict[str, datetime]:
    if not isinstance(dates, dict):
        raise Misused(f"{where} must have a date for each version id as VersionCreatedDates, got {_kind(dates)}.")
    read_dates = {version: _date(date, f"VersionCreatedDates of {version}", where) for version, date in dates.items()}
    return {version: date for version, date in read_dates.items() if date is not None}


def _rules(rules: Any, where: str) -> dict[str, Any]:
    if not rules:
        return {}
    days = rules.get("AutomaticallyAfterDays") if isinstance(rules, dict) else None
    if not isinstance(rules, dict) or isinstance(days, bool) or not isinstance(days or 0, int):
        raise Misused(f"{where} must have a whole number of AutomaticallyAfterDays in RotationRules, got {rules!r}.")
    if not 0 <= (days or 0) <= LONGEST_PERIOD.days:
        raise Misused(
            f"{where} must have 0 to {LONGEST_PERIOD.days} as AutomaticallyAfterDays in RotationRules, got {days}."
        )
    return rules


def _stages(stages: Any, where: str) -> dict[str, list[str]]:
    if stages is None:
        return {}
    if isinstance(stages, dict) and all(
        isinstance(labels, list) and all(isinstance(label, str) for label in labels) for labels in stages.values()
    ):
        return stages
    raise Misused(f"{where} must have a list of labels for each version id as SecretVersionsToStages, got {stages!r}.")


def _tags(tags: Any, where: str) -> list[dict[str, str]]:
    if tags is None:
        return []
    if isinstance(tags, list) and all(_is_tag(tag) for tag in tags):
        return [{"Key": tag["Key"], "Value": tag.get("Value") or ""} for tag in tags]
    raise Misused(f"{where} must have a list of Key and Value as Tags, got {tags!r}.")


def _is_tag(tag: Any) -> bool:
    return isinstance(tag, dict) and isinstance(tag.get("Key"), str) and isinstance(tag.get("Value") or "", str)


def _date(value: Any, field: str, where: str) -> datetime | None:
    """A date; None for one that stands for none, where it cannot even be brought to UTC."""
    try:
        return read(value)
    except ValueError:
        if _is_at_the_edge_of_all_dates(value):
            return None
        raise Misused(f"{where} must have a date or epoch seconds as {field}, got {value!r}.") from None


def _is_at_the_edge_of_all_dates(value: Any) -> bool:
    """Whether it is the first or the last moment of some time zone, as .NET writes none and never."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value.strip()).year in (datetime.min.year, _LAST_YEAR)
    except ValueError:
        return False


def _text(entry: Mapping[str, Any], field: str, where: str, required: bool = False) -> str:
    text = entry.get(field)
    if (text is None and not required) or (isinstance(text, str) and (text or not required)):
        return text or ""
    raise Misused(f"{where} must have a text as {field}, got {_kind(text)}.")


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")
