"""Rows that DynamoDB leaves unprocessed."""

import pytest

from handlers.adapters import batches


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs")


def test_unprocessed_rows_are_written_again(aws, aged, run, history, status, monkeypatch):
    monkeypatch.setattr(batches, "_pause", lambda attempt: None)
    aged("fresh")
    aged("stale", days=31)

    def take_nothing_at_first(asked):
        return None if len(aws.asked("BatchWriteItem")) > 1 else {"UnprocessedItems": asked["RequestItems"]}

    aws.answer("BatchWriteItem", take_nothing_at_first)

    assert run()["checked"] == 2

    assert set(history()) == set(status()) == {"fresh", "stale"}
    assert len(aws.asked("BatchWriteItem")) == 3


def test_only_unprocessed_rows_are_written_again(aws, aged, run, monkeypatch):
    monkeypatch.setattr(batches, "_pause", lambda attempt: None)
    aged("fresh")
    aged("stale", days=31)

    def leave_one_of_two(asked):
        rows = next(iter(asked["RequestItems"].items()))
        return {"UnprocessedItems": {rows[0]: rows[1][1:]} if len(rows[1]) > 1 else {}}

    aws.answer("BatchWriteItem", leave_one_of_two)

    run()

    sizes = [
        {table: len(rows) for table, rows in asked["RequestItems"].items()} for asked in aws.asked("BatchWriteItem")
    ]
    assert sizes == [{"history": 2}, {"history": 1}, {"status": 2}, {"status": 1}]


def test_rows_that_are_never_written_fail_the_run_with_the_name_of_the_table(aws, aged, run, monkeypatch):
    pauses = []
    monkeypatch.setattr(batches, "_pause", pauses.append)
    aged("fresh")
    aws.answer("BatchWriteItem", lambda asked: {"UnprocessedItems": asked["RequestItems"]})

    with pytest.raises(batches.Throttled, match=r"^DynamoDB left rows of history unwritten after 8 attempts$"):
        run()

    assert len(aws.asked("BatchWriteItem")) == 8
    assert len(pauses) >= 7
    assert not any("finished_at" in row for row in aws.rows("runs"))


def test_unprocessed_keys_are_read_again(aws, aged, run, monkeypatch):
    monkeypatch.setattr(batches, "_pause", lambda attempt: None)
    aged("fresh")
    run()
    aws.forget()
    aws.answer(
        "BatchGetItem",
        lambda asked: (
            None if len(aws.asked("BatchGetItem")) > 1 else {"Responses": {}, "UnprocessedKeys": asked["RequestItems"]}
        ),
    )

    run()

    assert len(aws.asked("BatchGetItem")) == 2
    assert aws.asked("ListSecretVersionIds") == []


def test_rows_that_are_never_read_fail_the_run_with_the_name_of_the_table(aws, aged, run, monkeypatch):
    monkeypatch.setattr(batches, "_pause", lambda attempt: None)
    aged("fresh")
    aws.answer("BatchGetItem", lambda asked: {"Responses": {}, "UnprocessedKeys": asked["RequestItems"]})

    with pytest.raises(batches.Throttled, match=r"^DynamoDB left rows of status unread after 8 attempts$"):
        run()
