"""The secrets that a scan evaluates: those of an account, or of a file from `aws secretsmanager list-secrets`.

The file may contain anything, so every field is checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.domain.secret import (
    DATE_FIELDS,
    DENIED,
    LONGEST_PERIOD,
    ListedSecret,
    VersionDates,
    date_versions,
    estimate_dates,
    explain_refusal,
    no_current_version,
    parse_secret,
)

from .aws import CONNECTIONS, AwsSession, translate_aws_errors
from .errors import ListingDenied, UsageError
from .parsing import parse_timestamp, read_json
from .terminal import progress

_PAGE = 100
_NO_SUCH_SECRET = ("ResourceNotFoundException", "ValidationException", "InvalidParameterException")
"""AWS's error codes for a name that no secret has, or could have."""
_INVALID_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "RequestExpired",
        "UnrecognizedClientException",
    }
)
"""AWS's error codes for invalid or expired credentials, which concern every secret."""
_STRINGS = ("OwningService", "PrimaryRegion", "Type", "RotationLambdaARN")
_OPTION = "--from"
_JSON_TYPES = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}

DatedSecret = tuple[ListedSecret, VersionDates]


class Account:
    """Secrets Manager in one account and Region: it is only read, and no value is."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._secretsmanager = session.client("secretsmanager")

    @property
    def region(self) -> str:
        """The Region of its client."""
        return self._secretsmanager.meta.region_name

    def secrets(self) -> list[ListedSecret]:
        """Every secret once, including those that are scheduled for deletion."""
        position: dict[str, str] = {}
        secrets: dict[str, ListedSecret] = {}
        while True:
            progress.update(f"Listing secrets: {len(secrets)} so far")
            page = self._list_page(position)
            secrets |= {secret.arn: secret for secret in map(parse_secret, page["SecretList"])}
            if not page.get("NextToken"):
                return list(secrets.values())
            position = {"NextToken": page["NextToken"]}

    def describe(self, secret_id: str) -> Mapping[str, Any] | None:
        """DescribeSecret's response about this name or ARN; None if it is denied or the secret does not exist."""
        progress.update("Describing the secret")
        with translate_aws_errors(self._session):
            try:
                return self._secretsmanager.describe_secret(SecretId=secret_id)
            except ClientError as error:
                if error.response["Error"]["Code"] not in (*DENIED, *_NO_SUCH_SECRET):
                    raise
                return None

    def with_dates(self, secrets: Sequence[ListedSecret]) -> Iterator[DatedSecret]:
        """Each secret with the dates of its versions, read by one call for each secret whose verdict needs them."""
        with translate_aws_errors(self._session), ThreadPoolExecutor(CONNECTIONS) as threads:
            all_dates = threads.map(self._read_dates, secrets)
            for number, (secret, dates) in enumerate(zip(secrets, all_dates, strict=True), 1):
                progress.update(f"Listing versions: {number} of {len(secrets)} secrets")
                yield secret, dates

    def _list_page(self, position: dict[str, str]) -> Any:
        with translate_aws_errors(self._session):
            try:
                return self._secretsmanager.list_secrets(MaxResults=_PAGE, IncludePlannedDeletion=True, **position)
            except ClientError as error:
                if error.response["Error"]["Code"] not in DENIED:
                    raise
                raise ListingDenied("Access denied: the caller needs secretsmanager:ListSecrets on *.") from None

    def _read_dates(self, secret: ListedSecret) -> VersionDates:
        if secret.current_version_id is None:
            return no_current_version()
        if secret.deleted_at is not None:
            # Its verdict depends on nothing else.
            return VersionDates(None, problem="The versions were not listed.")
        try:
            return date_versions(secret, dict(self._list_versions(secret.arn)))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _INVALID_CREDENTIALS:
                raise
            problem = explain_refusal(code) or f"The secret's versions could not be listed: {code}."
            return VersionDates(None, problem=problem)

    def _list_versions(self, secret_arn: str) -> Iterator[tuple[str, datetime]]:
        position: dict[str, str] = {}
        while True:
            page = self._secretsmanager.list_secret_version_ids(SecretId=secret_arn, **position)
            yield from ((version["VersionId"], version["CreatedDate"]) for version in page["Versions"])
            if not page.get("NextToken"):
                return
            position = {"NextToken": page["NextToken"]}


@dataclass(frozen=True)
class SecretListing:
    """The secrets of a file, each once, with the known dates of their versions."""

    secrets: tuple[DatedSecret, ...]
    is_truncated: bool
    """Whether AWS had more to list."""


def read_listing(name: str) -> SecretListing:
    """The secrets of a file, or of standard input: one response of AWS, a list of such pages, or a list of entries."""
    content = read_json(_OPTION, name)
    pages = (
        content if _is_list_of_pages(content) else [content if isinstance(content, dict) else {"SecretList": content}]
    )
    secrets: dict[str, DatedSecret] = {}
    for number, page in enumerate(pages, 1):
        where = f"{_OPTION}: page {number}, entry" if len(pages) > 1 else f"{_OPTION}: entry"
        entries = page.get("SecretList") if isinstance(page, dict) else None
        if not isinstance(entries, list):
            raise UsageError(
                f"{_OPTION} must contain a SecretList, a list of such pages, or a list of entries, "
                f"got {_describe(content, number, page)}."
            )
        secrets |= {secret.arn: (secret, dates) for secret, dates in _parse_entries(entries, where)}
    # Each page but the last has the token of the next one.
    is_truncated = bool(pages) and all(isinstance(page, dict) and page.get("NextToken") for page in pages)
    return SecretListing(tuple(secrets.values()), is_truncated)


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


def _parse_entries(entries: list[Any], prefix: str) -> Iterator[DatedSecret]:
    for number, entry in enumerate(entries, 1):
        where = f"{prefix} {number}"
        if not isinstance(entry, dict):
            raise UsageError(f"{where} must be an object, got {_json_type(entry)}.")
        name, arn = (_require_string(entry, field, where, required=True) for field in ("Name", "ARN"))
        where = f"{where}, {name},"
        secret = parse_secret({**_check_entry(entry, where), "Name": name, "ARN": arn})
        dates = entry.get("VersionCreatedDates")
        yield (
            secret,
            estimate_dates(secret) if dates is None else date_versions(secret, _parse_version_dates(dates, where)),
        )


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
