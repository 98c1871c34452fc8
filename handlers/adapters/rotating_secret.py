"""One secret under rotation, for the demo's functions: the only code here that handles a value."""

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


def password(secret_id: str, version: str, label: str) -> str:
    """The password of a version that holds this label. Raises ClientError where it does not, or has no value."""
    secret = client("secretsmanager").get_secret_value(SecretId=secret_id, VersionId=version, VersionStage=label)
    return json.loads(secret["SecretString"])["password"]


class RotatingSecret:
    """The secret of this ARN or name, and the version that this rotation is making."""

    def __init__(self, secret_id: str, token: str) -> None:
        self._secret_id, self._token = secret_id, token
        self._secretsmanager = client("secretsmanager")
        described = self._secretsmanager.describe_secret(SecretId=secret_id)
        self._labels: dict[str, list[str]] = described.get("VersionIdsToStages", {})
        self.tags: dict[str, str] = {tag["Key"]: tag.get("Value", "") for tag in described.get("Tags", [])}

    def labels(self) -> list[str]:
        """The labels of the version that this rotation is making."""
        return self._labels.get(self._token, [])

    def make_pending_value(self) -> None:
        """Gives the pending version a value with a new password, unless it has one: every step may come twice."""
        try:
            self._secretsmanager.get_secret_value(
                SecretId=self._secret_id, VersionId=self._token, VersionStage="AWSPENDING"
            )
            return
        except self._secretsmanager.exceptions.ResourceNotFoundException:
            pass
        current = self._secretsmanager.get_secret_value(SecretId=self._secret_id, VersionStage="AWSCURRENT")
        made = self._secretsmanager.get_random_password(PasswordLength=32, ExcludePunctuation=True)
        self._secretsmanager.put_secret_value(
            SecretId=self._secret_id,
            ClientRequestToken=self._token,
            SecretString=json.dumps({**json.loads(current["SecretString"]), "password": made["RandomPassword"]}),
            VersionStages=["AWSPENDING"],
        )

    def pending_password(self) -> str:
        """The password that this rotation is to bring in."""
        return password(self._secret_id, self._token, "AWSPENDING")

    def make_current(self) -> None:
        """Moves AWSCURRENT to the pending version, away from the one that holds it."""
        current = next((version for version, labels in self._labels.items() if "AWSCURRENT" in labels), None)
        if current == self._token:
            return
        self._secretsmanager.update_secret_version_stage(
            SecretId=self._secret_id,
            VersionStage="AWSCURRENT",
            MoveToVersionId=self._token,
            **({"RemoveFromVersionId": current} if current else {}),
        )
