"""The current status of each secret: one table, with an index of the secrets that need attention."""

import pytest

from components.audit.audit_status import AuditStatus

TABLE = "aws:dynamodb/table:Table"


@pytest.fixture(scope="module")
def status(deploy):
    return deploy(AuditStatus, "status")


def test_there_is_one_row_for_each_secret(status):
    inputs = status.named(TABLE, "status").inputs

    assert inputs["hashKey"] == "secret_name"
    assert "rangeKey" not in inputs


def test_its_sparse_index_has_the_whole_rows_of_secrets_that_need_attention(status):
    inputs = status.named(TABLE, "status").inputs

    assert inputs["globalSecondaryIndexes"] == [
        {"name": "attention", "hashKey": "attention", "rangeKey": "attention_since", "projectionType": "ALL"}
    ]
    assert inputs["attributes"] == [
        {"name": key, "type": "S"} for key in ("secret_name", "attention", "attention_since")
    ]


@pytest.mark.parametrize(("args", "protected"), [({}, True), ({"deletion_protection": False}, False)])
def test_it_is_protected_from_deletion_by_default(deploy, args, protected):
    inputs = deploy(AuditStatus, "status", args).named(TABLE, "status").inputs

    assert inputs["deletionProtectionEnabled"] is protected


def test_it_has_the_configured_tags(deploy):
    inputs = deploy(AuditStatus, "status", {"tags": {"team": "platform"}}).named(TABLE, "status").inputs

    assert inputs["tags"] == {"team": "platform"}


def test_the_outputs_identify_the_table(status):
    table = status.named(TABLE, "status")

    assert status.outputs == {"table_name": table.outputs["name"], "table_arn": table.arn}
