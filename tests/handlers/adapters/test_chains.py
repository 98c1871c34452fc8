"""Chains under concurrent writers: a table with DynamoDB's transactions, in which other writers come in between."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.adapters import chains
from handlers.adapters.chains import ATTEMPTS, Chains
from rotation_guard.domain.evidence.links import LINK, Head, MalformedLink
from rotation_guard.domain.evidence.verification import ChainRows, verify_chain

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"


class Table:
    """A DynamoDB client with one table: a transaction is all or nothing, and its conditions see the latest rows."""

    def __init__(self):
        self.items, self.calls, self.interruptions = {}, [], []
        self.conflicts = 0

    class exceptions:  # noqa: N801 - as in a client of boto3
        class TransactionCanceledException(ClientError):
            pass

    def get_item(self, TableName, Key, ConsistentRead):  # noqa: N803
        assert ConsistentRead
        self.calls.append("GetItem")
        item = self.items.get(self._key(Key))
        return {"Item": dict(item)} if item else {}

    def transact_write_items(self, TransactItems):  # noqa: N803
        self.calls.append("TransactWriteItems")
        if self.interruptions:
            self.interruptions.pop()()
        puts = [write["Put"] for write in TransactItems]
        codes = ["None" if self._holds(put) else "ConditionalCheckFailed" for put in puts]
        if self.conflicts:
            self.conflicts -= 1
            codes = ["None", "TransactionConflict"]
        if set(codes) != {"None"}:
            response = {
                "Error": {"Code": "TransactionCanceledException", "Message": ""},
                "CancellationReasons": [{"Code": code} for code in codes],
            }
            raise self.exceptions.TransactionCanceledException(response, "TransactWriteItems")
        for put in puts:
            self.items[self._key(put["Item"])] = put["Item"]

    def rows(self):
        return {key[1]: item for key, item in self.items.items() if key[1] != "head"}

    def head(self):
        return next((Head.from_item(item) for key, item in self.items.items() if key[1] == "head"), None)

    def _holds(self, put):
        stored = self.items.get(self._key(put["Item"]))
        if "ExpressionAttributeValues" in put:
            assert put["ConditionExpression"] == "#hash = :expected"
            return stored is not None and stored["hash"] == put["ExpressionAttributeValues"][":expected"]
        assert put["ConditionExpression"] == "attribute_not_exists(secret_arn)"
        return stored is None

    def _key(self, item):
        return item["secret_arn"]["S"], item["recorded"]["S"]


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    taken = []
    monkeypatch.setattr(chains.time, "sleep", taken.append)
    return taken


class Writer:
    """One invocation of the writer: it remembers the heads that it wrote."""

    def __init__(self, table):
        self.table, self.chains = table, Chains("trail", "recorded")

    def append(self, event, day=0, kept_days=400, event_day=0):
        at, happened = (NOW + timedelta(days=number) for number in (day, event_day))
        content = {
            "secret_arn": {"S": ARN},
            "recorded": {"S": f"{happened:%Y-%m-%dT%H:%M:%SZ}#{event}"},
            "recorded_at": {"S": f"{at:%Y-%m-%dT%H:%M:%SZ}"},
            "full_event": {"S": str(event)},
        }
        if kept_days is not None:
            content["expires_at"] = {"N": str(int((at + timedelta(days=kept_days)).timestamp()))}

        def put(link):
            return {
                "Put": {
                    "Item": {**content, LINK: link.to_value()},
                    "ConditionExpression": "attribute_not_exists(secret_arn)",
                }
            }

        return self.chains.append(self.table, ARN, content, put, at)


def verify(table, day=0):
    rows = ChainRows()
    for key, item in table.rows().items():
        content = {name: value for name, value in item.items() if name != LINK}
        rows.add(key, content, item.get(LINK), item["recorded_at"]["S"])
    return verify_chain(rows, table.head(), int((NOW + timedelta(days=day)).timestamp()))


def expire(table, day):
    now = (NOW + timedelta(days=day)).timestamp()
    for key, item in list(table.items.items()):
        if key[1] != "head" and int(item.get("expires_at", {"N": "9" * 12})["N"]) <= now:
            del table.items[key]


events = st.tuples(
    st.integers(0, 12),  # few, so that copies arrive
    st.sampled_from([400, 30, 2, None]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), events, st.lists(st.tuples(st.integers(0, 2), events), max_size=3)), max_size=15
    )
)
def test_concurrent_writers_never_fork_a_chain(schedule):
    table = Table()
    writers = [Writer(table) for _ in range(3)]
    new = []

    def append(number, day, event):
        name, kept_days = event
        # An event always has the same time, and so the same key; some are late.
        if writers[number].append(name, day, kept_days, event_day=-(name % 4)) is not None:
            new.append(name)

    for day, (number, event, others) in enumerate(schedule):
        # The others come between the moment at which this writer reads the head and its transaction.
        table.interruptions = [lambda other=other, day=day: append(other[0], day, other[1]) for other in others]
        append(number, day, event)
        while table.interruptions:
            table.interruptions.pop()()

    recorded = [event[0] for _, event, _ in schedule] + [event[0] for *_, others in schedule for _, event in others]
    assert sorted(new) == sorted(set(recorded))  # each event once, however often it arrived
    verified = verify(table)
    assert (verified.first, verified.rows) == (None, len(set(recorded)))
    for day in (1, 3, 20, 29, 32, 50, 405, 450):
        expire(table, day)
        assert verify(table, day).first is None


def test_a_row_is_written_with_its_head_in_one_transaction():
    table = Table()

    link = Writer(table).append("event")

    assert table.calls == ["GetItem", "TransactWriteItems"]
    assert (link.sequence, table.head().hash) == (1, link.hash)


def test_a_writer_reads_the_head_of_a_secret_once():
    table = Table()
    writer = Writer(table)

    for number in range(3):
        writer.append(number)

    assert table.calls == ["GetItem", *["TransactWriteItems"] * 3]


def test_a_copy_adds_nothing(pauses):
    table = Table()
    Writer(table).append("event")
    before = dict(table.items)

    assert Writer(table).append("event") is None

    assert (table.items, pauses) == (before, [])


def test_a_lost_race_is_run_again_with_the_new_head(pauses):
    table = Table()
    first, second = Writer(table), Writer(table)
    first.append("a")
    second.append("b")

    assert first.append("c").sequence == 3  # its own head is that of row 1

    assert len(pauses) == 1
    assert verify(table).first is None


def test_a_conflict_is_retried_a_bounded_number_of_times(pauses):
    table = Table()
    table.conflicts = ATTEMPTS - 1
    assert Writer(table).append("a").sequence == 1

    table.conflicts = 10**6
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        Writer(table).append("b")

    assert len(pauses) == 2 * (ATTEMPTS - 1)
    assert max(pauses) <= chains.PAUSE_SECONDS
    assert set(table.rows()) == {"2026-03-01T12:00:00Z#a"}


def test_a_damaged_head_stops_the_chain_rather_than_beginning_another():
    table = Table()
    writer = Writer(table)
    writer.append("a")
    next(item for key, item in table.items.items() if key[1] == "head")["sequence"] = {"S": "1"}

    with pytest.raises(MalformedLink, match="sequence must be of DynamoDB's type N"):
        Writer(table).append("b")
