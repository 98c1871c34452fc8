"""Secrets Manager: metadata of secrets and versions, never a value."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rotation_guard.domain.remediation.diagnosis import (
    UNKNOWN_SECRET,
    UNREADABLE_SECRET,
    DescribedSecret,
    UnreadableSecret,
)
from rotation_guard.domain.rotation_event import secret_name_of
from rotation_guard.domain.secret import (
    DATE_FIELDS,
    DENIED,
    ListedSecret,
    VersionDates,
    date_versions,
    no_current_version,
    parse_secret,
    refused_dates,
    unanswered_dates,
)

from .clients import client

LISTING_ACTIONS = frozenset({"secretsmanager:ListSecrets", "secretsmanager:ListSecretVersionIds"})
VERSION_ACTIONS = frozenset({"secretsmanager:ListSecretVersionIds"})
DESCRIBING_ACTIONS = frozenset({"secretsmanager:DescribeSecret"})
PAGE_SIZE = 100
VERSION_SECONDS = 3
"""Maximum duration of `read_current_dates`: one attempt of 2 s to connect and 2 s to read."""
_UNREADABLE = {
    "ResourceNotFoundException": UNKNOWN_SECRET,
    **dict.fromkeys(DENIED, UNREADABLE_SECRET),
}


class Secrets:
    """The secrets of this account and Region."""

    def __init__(self) -> None:
        self._secretsmanager = client("secretsmanager")
        self._secretsmanager.meta.events.register(
            "before-parse.secrets-manager.ListSecrets", _extract_entries, unique_id="entries"
        )

    def list_page(self, token: str | None) -> tuple[list[ListedSecret], str | None]:
        """A page of all secrets, including those scheduled for deletion, and the token of the next page.

        Without a tag filter: it matches prefixes, and the number of all secrets is compared with CloudWatch's. A page
        may be empty and not be the last
        (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html).
        """
        position = {"NextToken": token} if token else {}
        response = self._secretsmanager.list_secrets(MaxResults=PAGE_SIZE, IncludePlannedDeletion=True, **position)
        return [parse_secret(entry) for entry in response["SecretList"]], response.get("NextToken") or None

    def read_version_dates(self, secret: ListedSecret) -> VersionDates:
        """The creation dates of its versions, or why they cannot be read."""
        if secret.current_version_id is None:
            return no_current_version()
        versions, refusal = self._try_list_versions(secret.arn)
        return refusal or date_versions(secret, _creation_dates(versions))

    def _try_list_versions(self, secret_arn: str) -> tuple[list[Mapping[str, Any]], VersionDates | None]:
        """Its versions, or why they cannot be listed."""
        try:
            return self._list_versions(secret_arn), None
        except ClientError as error:
            refusal = refused_dates(error.response["Error"]["Code"])
            if refusal is None:
                raise
            return [], refusal
        except BotoCoreError as error:
            return [], unanswered_dates(type(error).__name__)

    def _list_versions(self, secret_arn: str) -> list[Mapping[str, Any]]:
        """Every version with a label; boto3 has no paginator for this call."""
        versions: list[Mapping[str, Any]] = []
        position: dict[str, str] = {}
        while True:
            page = self._secretsmanager.list_secret_version_ids(SecretId=secret_arn, **position)
            versions += page["Versions"]
            if not page.get("NextToken"):
                return versions
            position = {"NextToken": page["NextToken"]}

    def read_creation_dates(self, secret_arn: str) -> Mapping[str, datetime]:
        """Version id -> creation date; empty if the versions cannot be listed."""
        versions, _ = self._try_list_versions(secret_arn)
        return _creation_dates(versions)

    def describe(self, secret_arn: str) -> DescribedSecret | UnreadableSecret:
        """The secret with its labels and tags, or why it cannot be read. Raises ClientError if a retry may help."""
        try:
            response = self._secretsmanager.describe_secret(SecretId=secret_arn)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _UNREADABLE:
                raise
            return UnreadableSecret(_UNREADABLE[code])
        labels = response.get("VersionIdsToStages") or {}
        return DescribedSecret(
            parse_secret(response | {"SecretVersionsToStages": labels}),
            {version: tuple(stages) for version, stages in labels.items()},
            response.get("RotationLambdaARN"),
        )


def read_current_dates(secret_arn: str) -> tuple[str | None, VersionDates]:
    """The version with AWSCURRENT and its dates, for callers that have only the ARN and little time.

    One call reads one page, which holds more versions than a secret can have labels (20:
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html). If there are more pages, the
    dates are unknown. Raises the errors of the call.
    """
    page = client("secretsmanager", answers_within=2).list_secret_version_ids(SecretId=secret_arn, MaxResults=PAGE_SIZE)
    if page.get("NextToken"):
        return None, VersionDates(None, problem="It has more than one page of versions.")
    stages = {version["VersionId"]: version.get("VersionStages", []) for version in page["Versions"]}
    secret = parse_secret({"Name": secret_name_of(secret_arn), "ARN": secret_arn, "SecretVersionsToStages": stages})
    return secret.current_version_id, date_versions(secret, _creation_dates(page["Versions"]))


def _creation_dates(versions: list[Mapping[str, Any]]) -> dict[str, datetime]:
    """Version id -> creation date, if AWS returns one."""
    return {version["VersionId"]: version["CreatedDate"] for version in versions if version.get("CreatedDate")}


def _extract_entries(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Bypasses botocore's parser, which takes most of the time of a page; dates arrive as Unix time."""
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    response = json.loads(response_dict["body"])
    entries = response.pop("SecretList", [])
    for entry in entries:
        entry |= {key: datetime.fromtimestamp(entry[key], UTC) for key in DATE_FIELDS if entry.get(key) is not None}
    customized_response_dict["SecretList"] = entries
    response_dict["body"] = json.dumps(response).encode()
