"""What is true now of each secret: one table, and an index of what needs someone."""

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


def test_its_index_is_keyed_by_what_only_rows_that_need_someone_have_and_holds_the_whole_row(status):
    inputs = status.named(TABLE, "status").inputs

    assert inputs["globalSecondaryIndexes"] == [
        {"name": "attention", "hashKey": "attention", "rangeKey": "attention_since", "projectionType": "ALL"}
    ]
    assert inputs["attributes"] == [
        {"name": key, "type": "S"} for key in ("secret_name", "attention", "attention_since")
    ]


@pytest.mark.parametrize(("given", "protected"), [({}, True), ({"deletion_protection": False}, False)])
def test_it_is_protected_from_deletion_unless_said_otherwise(deploy, given, protected):
    inputs = deploy(AuditStatus, "status", given).named(TABLE, "status").inputs

    assert inputs["deletionProtectionEnabled"] is protected


def test_it_carries_the_tags_given(deploy):
    inputs = deploy(AuditStatus, "status", {"tags": {"team": "platform"}}).named(TABLE, "status").inputs

    assert inputs["tags"] == {"team": "platform"}


def test_the_outputs_lead_to_the_table(status):
    table = status.named(TABLE, "status")

    assert status.outputs == {"table_name": table.outputs["name"], "table_arn": table.arn}
