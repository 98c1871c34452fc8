"""moto's responses are the same with our shortcuts."""

from typing import Any

from botocore.endpoint import Endpoint
from botocore.exceptions import ClientError
from moto.core.serialize import ResponseSerializer

from tests import moto_aws


def test_responses_equal_those_of_unmodified_moto(aws, create_secret, monkeypatch):
    create_secret("orders/db", {"Managed": "true"})
    aws.create_tables("status", "incidents")
    aws.put(
        "status", {"secret_name": "orders/db", "attention": "yes", "attention_since": "2026-01-01", "ages": {"d": 3}}
    )

    def read() -> list[dict[str, Any]]:
        secrets, tables = aws.client("secretsmanager"), aws.client("dynamodb")
        responses = [
            secrets.list_secrets(),
            secrets.describe_secret(SecretId="orders/db"),
            tables.scan(TableName="status"),
            tables.describe_table(TableName="status"),
        ]
        try:
            tables.put_item(
                TableName="status",
                Item={"secret_name": {"S": "orders/db"}},
                ConditionExpression="attribute_not_exists(secret_name)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            responses.append(error.response)
        return [{name: value for name, value in answer.items() if name != "ResponseMetadata"} for answer in responses]

    optimized = read()
    monkeypatch.setattr(ResponseSerializer, "_serialize_type_structure", moto_aws._serialize_slowly)
    monkeypatch.setattr(Endpoint, "_send_request", moto_aws._send_over_http)

    assert optimized == read()
    assert optimized[2]["Items"] == [optimized[4]["Item"]]
