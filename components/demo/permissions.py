"""What the demo's functions may do: pure functions from ARNs to statements."""

from ..iam_policies import Statement, allow


def rotation(secret_arn: str, database_arn: str) -> list[Statement]:
    """Rotates one demo secret: reads and writes its value, moves its labels, makes passwords, and sets them.

    GetRandomPassword has no resource-level permission.
    """
    return [
        allow(
            [
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            secret_arn,
        ),
        allow("secretsmanager:GetRandomPassword", "*"),
        allow(["ssm:GetParameter", "ssm:PutParameter"], database_arn),
    ]


def probe(database_arn: str) -> list[Statement]:
    """Looks what the demo's database takes."""
    return [allow("ssm:GetParameter", database_arn)]


def probed_secret(secret_arn: str) -> list[Statement]:
    """Reads the value of the secret that it is the probe of."""
    return [allow("secretsmanager:GetSecretValue", secret_arn)]
