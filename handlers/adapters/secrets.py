"""Reads secrets' metadata from Secrets Manager, never their values."""

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
    DENIED,
    ListedSecret,
    VersionDates,
    date_versions,
    parse_secret,
    unanswered_dates,
    unreadable_dates,
    without_current,
)

from .clients import client

LISTING_ACTIONS = frozenset({"secretsmanager:ListSecrets", "secretsmanager:ListSecretVersionIds"})
DATING_ACTIONS = frozenset({"secretsmanager:ListSecretVersionIds"})
DESCRIBING_ACTIONS = frozenset({"secretsmanager:DescribeSecret"})
PAGE_SIZE = 100
DATING_SECONDS = 3
"""Maximum duration of `read_current_dates`: one attempt of 2 s to connect and 2 s to read."""
_UNREADABLE = {
    "ResourceNotFoundException": UNKNOWN_SECRET,
    **dict.fromkeys(DENIED, UNREADABLE_SECRET),
}
_DATES = ("CreatedDate", "LastChangedDate", "LastRotatedDate", "NextRotationDate", "DeletedDate")


class Secrets:
    """The secrets of this account and Region."""

    def __init__(self) -> None:
        self._secretsmanager = client("secretsmanager")
        self._secretsmanager.meta.events.register(
            "before-parse.secrets-manager.ListSecrets", _take_entries, unique_id="entries"
        )

    def page(self, token: str | None) -> tuple[list[ListedSecret], str | None]:
        """A page of all secrets, including those marked for deletion, and the token of the next page.

        It does not filter by tag: the filter matches prefixes, and the audit compares the total with the account's own
        count. A page may be empty without being the last
        (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html).
        """
        position = {"NextToken": token} if token else {}
        answer = self._secretsmanager.list_secrets(MaxResults=PAGE_SIZE, IncludePlannedDeletion=True, **position)
        return [parse_secret(entry) for entry in answer["SecretList"]], answer.get("NextToken") or None

    def version_dates(self, secret: ListedSecret) -> VersionDates:
        """The dates of a secret's versions. Errors of a single secret are part of the result, not raised."""
        if secret.current_version_id is None:
            return without_current()
        versions, unread = self._readable_versions(secret.arn)
        return unread or date_versions(secret, _created(versions))

    def _readable_versions(self, secret_arn: str) -> tuple[list[Mapping[str, Any]], VersionDates | None]:
        """A secret's versions, or why they cannot be read."""
        try:
            return self._versions(secret_arn), None
        except ClientError as error:
            unread = unreadable_dates(error.response["Error"]["Code"])
            if unread is None:
                raise
            return [], unread
        except BotoCoreError as error:
            return [], unanswered_dates(type(error).__name__)

    def _versions(self, secret_arn: str) -> list[Mapping[str, Any]]:
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
        """Version id -> its creation date; empty if the versions cannot be read."""
        versions, _ = self._readable_versions(secret_arn)
        return _created(versions)

    def describe(self, secret_arn: str) -> DescribedSecret | UnreadableSecret:
        """The secret with its labels and tags. Raises ClientError for transient errors."""
        try:
            answer = self._secretsmanager.describe_secret(SecretId=secret_arn)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _UNREADABLE:
                raise
            return UnreadableSecret(_UNREADABLE[code])
        labels = answer.get("VersionIdsToStages") or {}
        return DescribedSecret(
            parse_secret(answer | {"SecretVersionsToStages": labels}),
            {version: tuple(stages) for version, stages in labels.items()},
            answer.get("RotationLambdaARN"),
        )


def read_current_dates(secret_arn: str) -> tuple[str | None, VersionDates]:
    """The version with AWSCURRENT and its dates, for callers that have only the ARN and little time.

    One call reads one page, which is larger than the number of labels that a secret can have (20:
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html). If there are more pages, the
    dates are unknown. Raises what the call raises.
    """
    page = client("secretsmanager", answers_within=2).list_secret_version_ids(SecretId=secret_arn, MaxResults=PAGE_SIZE)
    if page.get("NextToken"):
        return None, VersionDates(None, problem="It has more than one page of versions.")
    stages = {version["VersionId"]: version.get("VersionStages", []) for version in page["Versions"]}
    secret = parse_secret({"Name": secret_name_of(secret_arn), "ARN": secret_arn, "SecretVersionsToStages": stages})
    return secret.current_version_id, date_versions(secret, _created(page["Versions"]))


def _created(versions: list[Mapping[str, Any]]) -> dict[str, datetime]:
    """Version id -> its creation date, if known."""
    return {version["VersionId"]: version["CreatedDate"] for version in versions if version.get("CreatedDate")}


def _take_entries(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Bypass botocore's parser for entries, where a page spends most of its time; dates are epoch seconds."""
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    answer = json.loads(response_dict["body"])
    entries = answer.pop("SecretList", [])
    for entry in entries:
        entry |= {key: datetime.fromtimestamp(entry[key], UTC) for key in _DATES if entry.get(key) is not None}
    customized_response_dict["SecretList"] = entries
    response_dict["body"] = json.dumps(answer).encode()
