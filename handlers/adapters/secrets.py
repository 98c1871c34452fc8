"""Secrets Manager, for those who look at secrets and never at a value."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from ..domain.audit import AuditedSecret, ValueDate
from ..domain.rotation import SecretState
from .clients import client

LISTING_ACTIONS = frozenset({"secretsmanager:ListSecrets", "secretsmanager:ListSecretVersionIds"})
DESCRIBING_ACTIONS = frozenset({"secretsmanager:DescribeSecret"})
PAGE_SIZE = 100
_DENIED = ("AccessDeniedException", "AccessDenied")


class Secrets:
    """The secrets of this account and Region."""

    def __init__(self) -> None:
        self._secretsmanager = client("secretsmanager")

    def tagged(self, key: str) -> Iterator[list[AuditedSecret]]:
        """Pages of the secrets with a tag whose key begins with this one: the filter matches prefixes.

        A page may be empty and not be the last
        (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html).
        """
        pages = self._secretsmanager.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "tag-key", "Values": [key]}], PaginationConfig={"PageSize": PAGE_SIZE}
        )
        for page in pages:
            yield [_audited(entry) for entry in page["SecretList"]]

    def value_date(self, secret: AuditedSecret) -> ValueDate:
        """When the version that holds AWSCURRENT was made. What cannot be read of one secret is told, not raised."""
        if secret.current_version_id is None:
            return ValueDate(None, "No version holds AWSCURRENT.")
        try:
            for version in self._versions(secret.arn):
                if version["VersionId"] == secret.current_version_id:
                    return ValueDate(version["CreatedDate"])
        except self._secretsmanager.exceptions.ResourceNotFoundException:
            return ValueDate(None, "The secret was gone when its versions were listed.")
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                raise
            return ValueDate(None, "The secret's versions may not be listed: access denied.")
        return ValueDate(None, f"Version {secret.current_version_id}, which holds AWSCURRENT, is not in the list.")

    def _versions(self, secret_arn: str) -> Iterator[Mapping[str, Any]]:
        """Every version that holds a label, page by page: boto3 has no paginator for this call."""
        position: dict[str, str] = {}
        while True:
            page = self._secretsmanager.list_secret_version_ids(SecretId=secret_arn, **position)
            yield from page["Versions"]
            if "NextToken" not in page:
                return
            position = {"NextToken": page["NextToken"]}

    def state(self, secret_arn: str) -> SecretState | None:
        """The secret's labels now; None where it is gone or may not be looked at."""
        try:
            described = self._secretsmanager.describe_secret(SecretId=secret_arn)
        except self._secretsmanager.exceptions.ResourceNotFoundException:
            return None
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                raise
            return None
        labels = described.get("VersionIdsToStages", {})
        return SecretState(described["Name"], {version: tuple(stages) for version, stages in labels.items()})


def _audited(entry: Mapping[str, Any]) -> AuditedSecret:
    versions = entry.get("SecretVersionsToStages", {})
    return AuditedSecret(
        name=entry["Name"],
        arn=entry["ARN"],
        tags={tag["Key"]: tag.get("Value", "") for tag in entry.get("Tags", [])},
        current_version_id=next((version for version, labels in versions.items() if "AWSCURRENT" in labels), None),
    )
