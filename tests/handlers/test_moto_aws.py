"""moto's responses are the same with our caches."""

from typing import Any

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
            secrets.list_secret_version_ids(SecretId="orders/db"),
            tables.scan(TableName="status"),
            tables.describe_table(TableName="status"),
        ]
        return [{name: value for name, value in answer.items() if name != "ResponseMetadata"} for answer in responses]

    optimized = read()
    monkeypatch.setattr(ResponseSerializer, "_serialize_type_structure", moto_aws._serialize_slowly)

    assert optimized == read()
    assert optimized[3]["Items"]
