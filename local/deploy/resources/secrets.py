"""Secrets Manager secrets, their values and their rotation."""

from collections.abc import Iterable

from ...aws import Aws
from .entry import CreatedResource, Entry, Inputs, build_tag_list, select_inputs, supported_inputs, to_api_case


def _create_secret(aws: Aws, inputs: Inputs) -> CreatedResource:
    answer = aws.client("secretsmanager").create_secret(
        Name=inputs["name"],
        **select_inputs(inputs, Description="description", KmsKeyId="kmsKeyId"),
        Tags=build_tag_list(inputs),
    )
    return CreatedResource(
        answer["ARN"], {"arn": answer["ARN"], "recoveryWindowInDays": inputs.get("recoveryWindowInDays")}
    )


def _delete_secret(aws: Aws, secret: CreatedResource) -> None:
    days = secret.outputs["recoveryWindowInDays"]
    window = {"ForceDeleteWithoutRecovery": True} if days == 0 else {"RecoveryWindowInDays": days or 30}
    aws.client("secretsmanager").delete_secret(SecretId=secret.id, **window)


def _list_secrets(aws: Aws) -> Iterable[str]:
    """List the secrets. One in its recovery window counts as deleted: AWS offers no more."""
    pages = aws.client("secretsmanager").get_paginator("list_secrets").paginate()
    return (secret["ARN"] for page in pages for secret in page["SecretList"])


def _create_version(aws: Aws, inputs: Inputs) -> CreatedResource:
    answer = aws.client("secretsmanager").put_secret_value(
        SecretId=inputs["secretId"],
        **select_inputs(inputs, SecretString="secretString", VersionStages="versionStages"),
    )
    outputs = {"arn": answer["ARN"], "versionId": answer["VersionId"]}
    return CreatedResource(f"{answer['ARN']}|{answer['VersionId']}", outputs)


def _create_rotation(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Turn on rotation. Without `rotateImmediately`, AWS and the provider rotate at once."""
    secret_id = inputs["secretId"]
    aws.client("secretsmanager").rotate_secret(
        SecretId=secret_id,
        **select_inputs(inputs, RotationLambdaARN="rotationLambdaArn", RotateImmediately="rotateImmediately"),
        RotationRules=to_api_case(inputs["rotationRules"]),
    )
    return CreatedResource(secret_id, {"rotationEnabled": True})


def _delete_rotation(aws: Aws, rotation: CreatedResource) -> None:
    aws.client("secretsmanager").cancel_rotate_secret(SecretId=rotation.id)


ENTRIES = (
    Entry(
        "aws:secretsmanager/secret:Secret",
        supported_inputs("name", "description", "recoveryWindowInDays", "kmsKeyId", "tags"),
        _create_secret,
        _delete_secret,
        name_input="name",
        list_names=_list_secrets,
    ),
    Entry(
        "aws:secretsmanager/secretVersion:SecretVersion",
        supported_inputs("secretId", "secretString", "versionStages"),
        _create_version,
    ),
    Entry(
        "aws:secretsmanager/secretRotation:SecretRotation",
        supported_inputs(
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
