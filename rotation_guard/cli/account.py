"""The secrets of an account, read and nothing else: neither a value nor anything that leaves a trace in it."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
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

from .aws import CONNECTIONS, Way, said
from .problems import ListingDenied

_PAGE = 100
_NO_SUCH_SECRET = ("ResourceNotFoundException", "ValidationException", "InvalidParameterException")
"""What AWS answers to a name that no secret has, or could have."""
_NOBODY = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "RequestExpired",
        "UnrecognizedClientException",
    }
)
"""What AWS answers to credentials that are none, or none any more: not the fault of one secret."""


class Account:
    """Secrets Manager in one account and Region."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._secretsmanager = way.client("secretsmanager")

    @property
    def region(self) -> str:
        """Its Region."""
        return self._secretsmanager.meta.region_name

    def secrets(self) -> list[ListedSecret]:
        """All of them, those that are to be deleted among them, each once."""
        position: dict[str, str] = {}
        found: dict[str, ListedSecret] = {}
        while True:
            page = self._page(position)
            found |= {one.arn: one for one in map(parse_secret, page["SecretList"])}
            if not page.get("NextToken"):
                return list(found.values())
            position = {"NextToken": page["NextToken"]}

    def described(self, secret_id: str) -> Mapping[str, Any] | None:
        """What DescribeSecret answers of the secret of this name or ARN; None where it may not, or there is none."""
        with said(self._way):
            try:
                return self._secretsmanager.describe_secret(SecretId=secret_id)
            except ClientError as error:
                if error.response["Error"]["Code"] not in (*DENIED, *_NO_SUCH_SECRET):
                    raise
                return None

    def with_dates(self, secrets: Iterable[ListedSecret]) -> Iterator[tuple[ListedSecret, VersionDates]]:
        """Each secret with the dates of its versions, which is a call for each whose verdict may rest on them."""
        secrets, again = itertools.tee(secrets)
        with said(self._way), ThreadPoolExecutor(CONNECTIONS) as threads:
            yield from zip(secrets, threads.map(self._dates, again), strict=True)

    def _page(self, position: dict[str, str]) -> Any:
        with said(self._way):
            try:
                return self._secretsmanager.list_secrets(MaxResults=_PAGE, IncludePlannedDeletion=True, **position)
            except ClientError as error:
                if error.response["Error"]["Code"] not in DENIED:
                    raise
                raise ListingDenied(
                    "The caller must be allowed secretsmanager:ListSecrets on *, and access was denied."
                ) from None

    def _dates(self, secret: ListedSecret) -> VersionDates:
        if secret.current_version_id is None:
            return no_current_version()
        if secret.deleted_at is not None:
            # Its verdict rests on that alone.
            return VersionDates(None, problem="The versions were not asked for.")
        try:
            return date_versions(secret, dict(self._created(secret.arn)))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _NOBODY:
                raise
            return VersionDates(
                None, problem=explain_refusal(code) or f"The secret's versions could not be listed: {code}."
            )

    def _created(self, secret_arn: str) -> Iterator[tuple[str, datetime]]:
        position: dict[str, str] = {}
        while True:
            page = self._secretsmanager.list_secret_version_ids(SecretId=secret_arn, **position)
            yield from ((one["VersionId"], one["CreatedDate"]) for one in page["Versions"])
            if not page.get("NextToken"):
                return
            position = {"NextToken": page["NextToken"]}
