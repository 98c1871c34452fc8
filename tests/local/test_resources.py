"""The table: what it creates, and what it refuses to pass over."""

import io
import re
import zipfile
from typing import Any

import pulumi
import pytest

from local.errors import LocalError
from local.resources import TABLE, Resource, entry_for
from local.resources.archive import zipped

QUEUE = "aws:sqs/queue:Queue"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"


def test_a_type_that_the_table_lacks_is_an_error_that_names_it():
    with pytest.raises(LocalError, match=r"aws:s3/bucket:Bucket"):
        entry_for("aws:s3/bucket:Bucket")


def test_an_input_that_an_entry_does_not_know_is_an_error_that_names_both():
    with pytest.raises(LocalError, match=r"aws:sqs/queue:Queue.*deduplicationScope"):
        entry_for(QUEUE).refuse_unknown({"name": "orders", "deduplicationScope": "queue"})


def test_an_unknown_key_inside_an_object_is_named_with_its_path():
    inputs = {"rule": "r", "arn": "a", "retryPolicy": {"maximumRetryAttempts": 2, "jitter": True}}
    with pytest.raises(LocalError, match=r"retryPolicy\.jitter"):
        entry_for(TARGET).refuse_unknown(inputs)


def test_an_unknown_key_inside_a_list_of_objects_is_named():
    with pytest.raises(LocalError, match=r"attributes\.colour"):
        entry_for("aws:dynamodb/table:Table").refuse_unknown({"attributes": [{"name": "id", "colour": "red"}]})


def test_what_was_left_out_is_no_unknown_input():
    entry_for(QUEUE).refuse_unknown({"name": "orders", "deduplicationScope": None, "tags": {"any": "thing"}})


def test_a_name_is_generated_as_the_engine_does_unless_the_program_gives_one():
    entry = entry_for(QUEUE)
    assert re.fullmatch(r"orders-[0-9a-f]{7}", entry.named("orders", {})["name"])
    assert entry.named("orders", {"name": "mine"})["name"] == "mine"


def test_what_is_created_is_listed_until_it_is_deleted(aws):
    entry = entry_for(QUEUE)
    created = entry.create(aws, {"name": "listed", "messageRetentionSeconds": 60, "sqsManagedSseEnabled": True})
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=created.id, AttributeNames=["All"])["Attributes"]
    assert attributes["MessageRetentionPeriod"] == "60"
    assert attributes["QueueArn"] == created.outputs["arn"]
    assert created.id in set(entry.lists(aws))

    Resource(QUEUE, "listed", created.id, created.outputs).delete(aws)
    assert created.id not in set(entry.lists(aws))


def test_a_permission_of_an_alias_is_given_and_taken_back_with_its_qualifier():
    calls = []

    class Recorder:
        def client(self, _):
            return self

        def add_permission(self, **given):
            calls.append(given)

        def remove_permission(self, **given):
            calls.append(given)

    entry = entry_for("aws:lambda/permission:Permission")
    given = {"function": "pager", "qualifier": "live", "action": "lambda:InvokeFunction", "principal": "sns"}
    entry.refuse_unknown(given)
    aws: Any = Recorder()
    created = entry.create(aws, {**given, "statementId": "told"})
    Resource(entry.token, "told", created.id, created.outputs).delete(aws)

    assert [(call["FunctionName"], call["Qualifier"], call["StatementId"]) for call in calls] == [
        ("pager", "live", "told"),
        ("pager", "live", "told"),
    ]


def test_every_entry_stands_under_its_own_token_and_says_what_it_understands():
    assert TABLE
    for token, entry in TABLE.items():
        assert token == entry.token
        assert entry.understands


def test_the_zip_of_an_archive_is_the_same_bytes_for_the_same_contents(tmp_path):
    (tmp_path / "a.py").write_text("A = 1")
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        "pkg/a.py": pulumi.FileAsset(str(tmp_path / "a.py")),
        "b.py": pulumi.StringAsset("B = 2"),
    }
    first = zipped(pulumi.AssetArchive(assets))
    assert first == zipped(pulumi.AssetArchive(dict(reversed(assets.items()))))
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == ["b.py", "pkg/a.py"]


def test_an_archive_from_elsewhere_is_refused():
    with pytest.raises(LocalError, match="RemoteArchive"):
        zipped(pulumi.RemoteArchive("https://example.com/code.zip"))
