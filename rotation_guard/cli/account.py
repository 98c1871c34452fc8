"""Secrets Manager in one account and Region, read with the caller's own credentials; no value is."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.domain.secret import (
    DENIED,
    ListedSecret,
    VersionDates,
    date_versions,
    explain_refusal,
    no_current_version,
    parse_secret,
)

from .aws import CONNECTIONS, AwsSession, require_field, translate_aws_errors
from .errors import ListingDenied
from .secret_responses import read_lists_directly
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

DatedSecret = tuple[ListedSecret, VersionDates]
Entry = dict[str, Any]
"""An entry of ListSecrets."""
Versions = dict[str, datetime] | str
"""The versions of a secret with their dates, or AWS's error code if it did not list them."""


class Account:
    """Secrets Manager in one account and Region: it is only read."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._secretsmanager = session.client("secretsmanager", validated=False)
        read_lists_directly(self._secretsmanager)

    @property
    def region(self) -> str:
        """The Region of its client."""
        return self._secretsmanager.meta.region_name

    def entries(self) -> list[Entry]:
        """Every secret once, as ListSecrets returns it, including those that are scheduled for deletion."""
        position: dict[str, str] = {}
        entries: dict[str, Entry] = {}
        while True:
            progress.update(f"Listing secrets: {len(entries)} so far")
            page = self._list_page(position)
            entries |= {entry["ARN"]: entry for entry in page["SecretList"]}
            if not page.get("NextToken"):
                return list(entries.values())
            position = {"NextToken": page["NextToken"]}

    def secrets(self) -> list[ListedSecret]:
        """The same, parsed."""
        return [parse_secret(entry) for entry in self.entries()]

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

    def with_versions(self, secrets: Sequence[ListedSecret]) -> Iterator[tuple[ListedSecret, Versions | None]]:
        """Each secret with its versions, by one call for each secret whose verdict needs them; None for the others."""
        with translate_aws_errors(self._session), ThreadPoolExecutor(CONNECTIONS) as threads:
            all_versions = threads.map(self._read_versions, secrets)
            for number, (secret, versions) in enumerate(zip(secrets, all_versions, strict=True), 1):
                progress.update(f"Listing versions: {number} of {len(secrets)} secrets")
                yield secret, versions

    def with_dates(self, secrets: Sequence[ListedSecret]) -> Iterator[DatedSecret]:
        """Each secret with the dates of its versions."""
        for secret, versions in self.with_versions(secrets):
            yield secret, date_secret(secret, versions)

    def _list_page(self, position: dict[str, str]) -> Any:
        with translate_aws_errors(self._session):
            try:
                page = self._secretsmanager.list_secrets(MaxResults=_PAGE, IncludePlannedDeletion=True, **position)
                return require_field(page, "SecretList")
            except ClientError as error:
                if error.response["Error"]["Code"] not in DENIED:
                    raise
                raise ListingDenied("Access denied: the caller needs secretsmanager:ListSecrets on *.") from None

    def _read_versions(self, secret: ListedSecret) -> Versions | None:
        # The verdict of a secret without a value, or that is to be deleted, depends on nothing else.
        if secret.current_version_id is None or secret.deleted_at is not None:
            return None
        try:
            return dict(self._list_versions(secret.arn))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _INVALID_CREDENTIALS:
                raise
            return code

    def _list_versions(self, secret_arn: str) -> Iterator[tuple[str, datetime]]:
        position: dict[str, str] = {}
        while True:
            page = require_field(
                self._secretsmanager.list_secret_version_ids(SecretId=secret_arn, **position), "Versions"
            )
            # One without a date is as one that is not listed.
            yield from (
                (version["VersionId"], version["CreatedDate"])
                for version in page["Versions"]
                if version.get("CreatedDate") is not None
            )
            if not page.get("NextToken"):
                return
            position = {"NextToken": page["NextToken"]}


def date_secret(secret: ListedSecret, versions: Versions | None) -> VersionDates:
    """The dates of a secret, from its versions; None if they were not asked for."""
    if isinstance(versions, str):
        problem = explain_refusal(versions) or f"The secret's versions could not be listed: {versions}."
        return VersionDates(None, problem=problem)
    if versions is None and secret.current_version_id is not None:
        return VersionDates(None, problem="The versions were not listed.")
    return no_current_version() if versions is None else date_versions(secret, versions)
