"""A secret during its rotation, for the demo's functions: the only code in this project that handles a value."""

import json

from .clients import client

ACTIONS = frozenset(
    {
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
        "secretsmanager:GetRandomPassword",
    }
)
READING_ACTIONS = frozenset({"secretsmanager:GetSecretValue"})


def read_password(secret_id: str, version: str, label: str) -> str:
    """The password of the version with this label. Raises ClientError if it lacks the label or a value."""
    secret = client("secretsmanager").get_secret_value(SecretId=secret_id, VersionId=version, VersionStage=label)
    return json.loads(secret["SecretString"])["password"]


class RotatingSecret:
    """The secret with this ARN or name, and the version that this rotation creates."""

    def __init__(self, secret_id: str, token: str) -> None:
        self._secret_id, self._token = secret_id, token
        self._secretsmanager = client("secretsmanager")
        described = self._secretsmanager.describe_secret(SecretId=secret_id)
        self._labels: dict[str, list[str]] = described.get("VersionIdsToStages", {})
        self.tags: dict[str, str] = {tag["Key"]: tag.get("Value", "") for tag in described.get("Tags", [])}

    def labels(self) -> list[str]:
        """The labels of the version that this rotation creates."""
        return self._labels.get(self._token, [])

    def make_pending_value(self) -> None:
        """Store a value with a new password in the pending version, unless it has one: every step may run twice."""
        try:
            self._secretsmanager.get_secret_value(
                SecretId=self._secret_id, VersionId=self._token, VersionStage="AWSPENDING"
            )
            return
        except self._secretsmanager.exceptions.ResourceNotFoundException:
            pass
        current = self._secretsmanager.get_secret_value(SecretId=self._secret_id, VersionStage="AWSCURRENT")
        random = self._secretsmanager.get_random_password(PasswordLength=32, ExcludePunctuation=True)
        self._secretsmanager.put_secret_value(
            SecretId=self._secret_id,
            ClientRequestToken=self._token,
            SecretString=json.dumps({**json.loads(current["SecretString"]), "password": random["RandomPassword"]}),
            VersionStages=["AWSPENDING"],
        )

    def pending_password(self) -> str:
        """The new password."""
        return read_password(self._secret_id, self._token, "AWSPENDING")

    def make_current(self) -> None:
        """Move AWSCURRENT to the pending version."""
        current = next((version for version, labels in self._labels.items() if "AWSCURRENT" in labels), None)
        if current == self._token:
            return
        self._secretsmanager.update_secret_version_stage(
            SecretId=self._secret_id,
            VersionStage="AWSCURRENT",
            MoveToVersionId=self._token,
            **({"RemoveFromVersionId": current} if current else {}),
        )
