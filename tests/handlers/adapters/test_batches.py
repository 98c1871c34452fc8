"""Rows that DynamoDB leaves unprocessed."""

import pytest

from handlers.adapters import batches


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs")


def test_unprocessed_rows_are_written_again(aws, create_aged_secret, run, history, status, monkeypatch):
    monkeypatch.setattr(batches, "_pause", lambda attempt: None)
    create_aged_secret("fresh")
    create_aged_secret("stale", days=31)

    def reject_first_batch(request):
        return None if len(aws.requests("BatchWriteItem")) > 1 else {"UnprocessedItems": request["RequestItems"]}

    aws.answer("BatchWriteItem", reject_first_batch)

    assert run()["checked"] == 2

    assert set(history()) == set(status()) == {"fresh", "stale"}
    assert len(aws.requests("BatchWriteItem")) == 3


def test_only_unprocessed_rows_are_written_again(aws, create_aged_secret, run, monkeypatch):
    monkeypatch.setattr(batches, "_pause", lambda attempt: None)
    create_aged_secret("fresh")
    create_aged_secret("stale", days=31)

    def leave_first_row(request):
        rows = next(iter(request["RequestItems"].items()))
        return {"UnprocessedItems": {rows[0]: rows[1][1:]} if len(rows[1]) > 1 else {}}

    aws.answer("BatchWriteItem", leave_first_row)

    run()

    sizes = [
        {table: len(rows) for table, rows in request["RequestItems"].items()}
        for request in aws.requests("BatchWriteItem")
    ]
    assert sizes == [{"history": 2}, {"history": 1}, {"status": 2}, {"status": 1}]


def test_rows_that_are_never_written_fail_the_run_with_the_name_of_the_table(aws, create_aged_secret, run, monkeypatch):
    pauses = []
    monkeypatch.setattr(batches, "_pause", pauses.append)
    create_aged_secret("fresh")
    aws.answer("BatchWriteItem", lambda request: {"UnprocessedItems": request["RequestItems"]})

    with pytest.raises(batches.Throttled, match=r"^DynamoDB left rows of history unwritten after 8 attempts$"):
        run()

    assert len(aws.requests("BatchWriteItem")) == 8
    assert len(pauses) >= 7
    assert not any("finished_at" in row for row in aws.rows("runs"))


def test_unprocessed_keys_are_read_again(aws, create_aged_secret, run, monkeypatch):
    monkeypatch.setattr(batches, "_pause", lambda attempt: None)
    create_aged_secret("fresh")
    run()
    aws.forget()
    aws.answer(
        "BatchGetItem",
        lambda request: (
            None
            if len(aws.requests("BatchGetItem")) > 1
            else {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}
        ),
    )

    run()

    assert len(aws.requests("BatchGetItem")) == 2
    assert aws.requests("ListSecretVersionIds") == []


def test_rows_that_are_never_read_fail_the_run_with_the_name_of_the_table(aws, create_aged_secret, run, monkeypatch):
    monkeypatch.setattr(batches, "_pause", lambda attempt: None)
    create_aged_secret("fresh")
    aws.answer("BatchGetItem", lambda request: {"Responses": {}, "UnprocessedKeys": request["RequestItems"]})

    with pytest.raises(batches.Throttled, match=r"^DynamoDB left rows of status unread after 8 attempts$"):
        run()
