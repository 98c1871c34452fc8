"""Secrets Manager: secrets, their values and their rotation."""

from collections.abc import Iterable

from ...aws import Aws
from .entry import Created, Entry, Inputs, capitalised, given, tag_list, understands


def _create_secret(aws: Aws, inputs: Inputs) -> Created:
    answer = aws.client("secretsmanager").create_secret(
        Name=inputs["name"], **given(inputs, Description="description", KmsKeyId="kmsKeyId"), Tags=tag_list(inputs)
    )
    return Created(answer["ARN"], {"arn": answer["ARN"], "recoveryWindowInDays": inputs.get("recoveryWindowInDays")})


def _delete_secret(aws: Aws, secret: Created) -> None:
    days = secret.outputs["recoveryWindowInDays"]
    window = {"ForceDeleteWithoutRecovery": True} if days == 0 else {"RecoveryWindowInDays": days or 30}
    aws.client("secretsmanager").delete_secret(SecretId=secret.id, **window)


def _list_secrets(aws: Aws) -> Iterable[str]:
    """What exists; a secret that is only waiting for its recovery window to end is as gone as AWS lets it be."""
    pages = aws.client("secretsmanager").get_paginator("list_secrets").paginate()
    return (secret["ARN"] for page in pages for secret in page["SecretList"])


def _create_version(aws: Aws, inputs: Inputs) -> Created:
    answer = aws.client("secretsmanager").put_secret_value(
        SecretId=inputs["secretId"],
        **given(inputs, SecretString="secretString", VersionStages="versionStages"),
    )
    outputs = {"arn": answer["ARN"], "versionId": answer["VersionId"]}
    return Created(f"{answer['ARN']}|{answer['VersionId']}", outputs)


def _create_rotation(aws: Aws, inputs: Inputs) -> Created:
    """Where `rotateImmediately` is left out AWS rotates at once, and so does the provider."""
    secret_id = inputs["secretId"]
    aws.client("secretsmanager").rotate_secret(
        SecretId=secret_id,
        **given(inputs, RotationLambdaARN="rotationLambdaArn", RotateImmediately="rotateImmediately"),
        RotationRules=capitalised(inputs["rotationRules"]),
    )
    return Created(secret_id, {"rotationEnabled": True})


def _delete_rotation(aws: Aws, rotation: Created) -> None:
    aws.client("secretsmanager").cancel_rotate_secret(SecretId=rotation.id)


ENTRIES = (
    Entry(
        "aws:secretsmanager/secret:Secret",
        understands("name", "description", "recoveryWindowInDays", "kmsKeyId", "tags"),
        _create_secret,
        _delete_secret,
        autonamed="name",
        lists=_list_secrets,
    ),
    Entry(
        "aws:secretsmanager/secretVersion:SecretVersion",
        understands("secretId", "secretString", "versionStages"),
        _create_version,
    ),
    Entry(
        "aws:secretsmanager/secretRotation:SecretRotation",
        understands(
            "secretId",
            "rotationLambdaArn",
            "rotateImmediately",
            "rotationRules.automaticallyAfterDays",
            "rotationRules.duration",
            "rotationRules.scheduleExpression",
        ),
        _create_rotation,
        _delete_rotation,
    ),
)
