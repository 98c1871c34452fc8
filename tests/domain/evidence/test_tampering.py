"""What the verification of a chain names after each kind of tampering, and what it cannot see."""

import contextlib
import copy
from typing import Any

import pytest

from rotation_guard.domain.evidence.links import LINK, Head, add_link
from rotation_guard.domain.evidence.verification import SavedHead
from tests.domain.evidence.chain import ARN, Chain, build, iso, rehash, seconds

TODAY = 10


def save(chain):
    head = Head.from_item(chain.head)
    return SavedHead(head.sequence, head.hash)


def rewrite(chain, number, change):
    """Change a row and compute everything after it anew, the head included: what an administrator could do."""
    head: Any = None
    ordered = sorted(chain.rows.values(), key=lambda row: int(row[LINK]["M"]["sequence"]["N"]))
    for row in ordered:
        content = {name: value for name, value in row.items() if name != LINK}
        if row[LINK]["M"]["sequence"]["N"] == str(number):
            content |= change
        link, head = add_link(content, head, iso(0))
        row.clear()
        row.update({**content, LINK: link.to_value()})
    chain.head |= head.to_item(ARN)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_chain_that_nobody_touched_is_intact(count):
    verified = build(count).verify(TODAY)

    assert (verified.first, verified.rows, verified.older, verified.expired) == (None, count, 0, 0)


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize(
    "change",
    [
        {"full_event": {"S": "{}"}},
        {"recorded_at": {"S": "2026-03-01T00:00:09Z"}},
        {"expires_at": {"N": str(seconds(5))}},
        {"note": {"S": "added"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_row_is_named(number, change):
    chain = build()
    key = chain.key(number)
    chain.rows[key] |= change

    assert chain.first(TODAY) == ("changed", number, key)


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("is_rehashed", [False, True])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("previous_hash", {"S": "0" * 63 + "1"}),
        ("previous_hash", {"N": "1"}),
        ("hash", {"S": "f" * 64}),
        ("hash", {"NULL": True}),
        ("sequence", {"N": "99"}),
        ("sequence", {"S": "1"}),
        ("sequence", {"N": "1e3"}),
        ("ancestors", {"L": [{"M": {"sequence": {"N": "1"}, "hash": {"S": "x"}, "expires_at": {"N": "1"}}}]}),
        ("ancestors", {"S": "x"}),
    ],
)
def test_a_changed_link_is_named(number, is_rehashed, name, value):
    chain = build()
    key = chain.key(number)
    chain.rows[key][LINK]["M"][name] = value
    if is_rehashed and name != "hash":
        # Of a link that cannot be read, nobody can compute a valid hash.
        with contextlib.suppress(ValueError):
            rehash(chain.rows[key])

    kind, sequence, row = chain.first(TODAY)

    assert (sequence, row) in {(number, key), (number, "")}
    assert (kind, row) in {("changed", key), ("removed", "")}
    assert row == key or is_rehashed


@pytest.mark.parametrize("number", range(1, 7))
def test_a_changed_row_whose_hash_is_computed_anew_is_named(number):
    chain = build()
    key = chain.key(number)
    chain.rows[key]["full_event"] = {"S": "{}"}
    rehash(chain.rows[key])

    assert chain.first(TODAY) == ("changed", number, key)


@pytest.mark.parametrize("numbers", [(1,), (2,), (3,), (6,), (1, 2), (3, 4), (5, 6), (2, 4), (1, 2, 3, 4, 5)])
def test_the_first_removed_row_is_named(numbers):
    chain = build()
    chain.remove(*numbers)

    assert chain.first(TODAY) == ("removed", numbers[0], "")


def test_the_removal_of_all_rows_is_named():
    chain = build()
    chain.remove(*range(1, 7))

    kind, number, _ = chain.first(TODAY)

    assert (kind, number) == ("removed", 6)  # the one that is certain: the others may have been kept for less


@pytest.mark.parametrize("number", range(1, 7))
def test_a_row_without_its_link_is_named(number):
    chain = build()
    key = chain.key(number)
    del chain.rows[key][LINK]

    kind, sequence, row = chain.first(TODAY)

    assert (kind, row) == ("changed", key) if number > 1 else (kind, row) in {("changed", key), ("removed", "")}
    assert sequence == number


def test_an_inserted_row_is_named():
    chain = build()
    chain.rows["inserted"] = {
        **chain.rows[chain.key(4)],
        "recorded": {"S": "inserted"},
        "full_event": {"S": "{}"},
    }

    assert chain.first(TODAY) == ("inserted", 4, "inserted")

    chain.rows["inserted"] = copy.deepcopy(chain.rows["inserted"])
    rehash(chain.rows["inserted"])
    assert chain.first(TODAY) == ("inserted", 4, "inserted")


def test_a_row_that_is_inserted_without_a_link_is_named():
    chain = build()
    chain.rows["inserted"] = {"recorded_at": {"S": iso(3)}, "full_event": {"S": "{}"}}

    assert chain.first(TODAY) == ("inserted", None, "inserted")
    del chain.rows["inserted"]["recorded_at"]
    assert chain.first(TODAY) == ("inserted", None, "inserted")


def test_a_row_that_is_appended_without_the_head_is_named():
    chain = build()
    content = {"recorded": {"S": "appended"}, "recorded_at": {"S": iso(7)}}
    link, _ = add_link(content, Head.from_item(chain.head), iso(7))
    chain.rows["appended"] = {**content, LINK: link.to_value()}

    assert chain.first(TODAY) == ("inserted", 7, "appended")


def test_rows_with_swapped_contents_are_named():
    chain = build()
    first, second = chain.key(2), chain.key(5)
    chain.rows[first]["full_event"], chain.rows[second]["full_event"] = (
        chain.rows[second]["full_event"],
        chain.rows[first]["full_event"],
    )

    assert chain.first(TODAY) == ("changed", 2, first)


def test_rows_with_swapped_links_are_named():
    chain = build()
    first, second = chain.key(2), chain.key(5)
    chain.rows[first][LINK], chain.rows[second][LINK] = chain.rows[second][LINK], chain.rows[first][LINK]

    assert chain.first(TODAY) == ("changed", 2, second)  # the row that says it is the second


def test_a_missing_head_is_named():
    chain = build()
    chain.head = None

    assert chain.first(TODAY) == ("removed", None, "")


def test_a_row_that_was_changed_is_named_before_a_missing_head():
    chain = build()
    key = chain.key(3)
    chain.rows[key]["full_event"] = {"S": "{}"}
    chain.head = None

    assert chain.first(TODAY) == ("changed", 3, key)


def test_a_head_that_was_put_back_is_noticed_by_the_rows_beyond_it():
    chain, earlier = build(), build(4)
    chain.head = earlier.head

    assert chain.first(TODAY) == ("inserted", 5, chain.key(5))


def test_a_chain_that_goes_on_after_its_head_was_removed_is_noticed():
    chain = build()
    chain.head = None
    key = chain.append(7, 400)

    kind, number, row = chain.first(TODAY)

    assert (kind, number) == ("inserted", 1)
    assert row in {key, build().key(1)}


@pytest.mark.parametrize("name", ["hash", "sequence", "ancestors"])
def test_a_changed_head_is_noticed(name):
    chain, other = build(), build(5, kept_days=4)
    chain.head[name] = other.head[name]

    assert chain.first(TODAY) is not None


def test_expired_rows_are_not_missed():
    chain = build(kept_days=7)
    chain.expire(TODAY)

    verified = chain.verify(TODAY)

    assert (verified.first, verified.rows, verified.expired) == (None, 2, 4)


@pytest.mark.parametrize("kept", [set(), {1}, {2, 4}, {1, 2, 3, 4}])
def test_rows_that_dynamodb_has_not_deleted_yet_are_not_missed_in_any_order(kept):
    chain = build(kept_days=7)
    chain.remove(*{1, 2, 3, 4} - kept)

    verified = chain.verify(TODAY)

    assert (verified.first, verified.expired) == (None, 4 - len(kept))


def test_a_secret_whose_rows_have_all_expired_is_intact():
    chain = build(kept_days=7)
    chain.expire(100)

    assert chain.rows == {}
    assert chain.verify(100).first is None


def test_a_row_that_is_removed_before_it_expires_is_named_among_expired_ones():
    chain = build(kept_days=7)
    chain.expire(TODAY)
    chain.remove(5)

    assert chain.first(TODAY) == ("removed", 5, "")


def test_a_row_that_is_made_to_expire_early_is_missed_once_it_is_gone():
    chain = build()
    chain.rows[chain.key(3)]["expires_at"] = {"N": str(seconds(5))}
    chain.expire(6)

    assert chain.first(6) == ("removed", 3, "")


@pytest.mark.parametrize("longer", [100, None])
def test_rows_that_expire_before_earlier_ones_are_not_missed(longer):
    """The days of history were shortened: later rows are gone before earlier ones."""
    chain = Chain()
    for day in range(3):
        chain.append(day, longer)
    for day in range(3, 6):
        chain.append(day, 2)
    chain.append(9, 2)
    chain.expire(TODAY)

    assert len(chain.rows) == 4
    assert chain.verify(TODAY).first is None
    assert chain.verify(TODAY).expired == 3


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_lasting_row_is_missed_although_rows_after_it_have_expired(number):
    chain = Chain()
    for day in range(3):
        chain.append(day, 100)
    for day in range(3, 6):
        chain.append(day, 2)
    chain.append(9, 2)
    chain.expire(TODAY)
    lasting = chain.copy()
    chain.remove(number)

    kind, sequence, _ = chain.first(TODAY)

    assert (kind, sequence) == ("removed", number)
    key = lasting.key(number)
    lasting.rows[key]["full_event"] = {"S": "{}"}
    rehash(lasting.rows[key])
    assert lasting.first(TODAY) == ("changed", number, key)


def test_rows_from_before_the_chain_are_counted_and_not_judged():
    chain = build()
    chain.rows["older"] = {"recorded_at": {"S": iso(-1)}}
    chain.rows["during the update"] = {"recorded_at": {"S": "2026-03-01T00:04:59Z"}}

    verified = chain.verify(TODAY)

    assert (verified.first, verified.older) == (None, 2)


def test_a_secret_without_a_chain_is_judged_by_the_beginning_of_the_tables_first_chain():
    chain = Chain()
    chain.rows["row"] = {"recorded_at": {"S": iso(1)}}

    assert chain.first(TODAY) is None
    assert chain.first(TODAY, began_at=iso(2)) is None
    assert chain.first(TODAY, began_at=iso(0)) == ("inserted", None, "row")


def test_the_reason_says_what_was_expected_and_found():
    chain = build()
    row = chain.rows[chain.key(2)]
    stored = row[LINK]["M"]["hash"]["S"]
    row["full_event"] = {"S": "{}"}
    assert f"its link says the hash {stored}" in chain.verify(TODAY).first.reason

    chain.remove(2)
    reason = chain.verify(TODAY).first.reason
    assert reason == "row 2 is missing from the chain, and row 2 was to be kept until 2027-04-06."


# --- what only a head that is kept elsewhere can show -----------------------------------------------------------------


def rewritten(chain):
    rewrite(chain, 3, {"full_event": {"S": "{}"}})


def cut(chain):
    chain.head = build(4).head
    chain.remove(5, 6)


def emptied(chain):
    chain.rows, chain.head = {}, None


def backdated(chain):
    chain.rows["backdated"] = {"recorded_at": {"S": iso(-9)}, "full_event": {"S": "{}"}}


@pytest.mark.parametrize(
    ("tampering", "named"),
    [
        (rewritten, ("changed", 6)),
        (cut, ("removed", 5)),
        (emptied, ("removed", 1)),
        (backdated, ("inserted", None)),
    ],
)
def test_only_a_saved_head_shows_what_an_administrator_did(tampering, named):
    chain = build()
    saved = save(chain)
    assert chain.first(TODAY, saved=saved) is None
    tampering(chain)

    assert chain.first(TODAY) is None  # known limit: docs/evidence.md
    assert chain.first(TODAY, saved=saved)[:2] == named


def test_a_saved_head_still_confirms_the_chain_after_it_has_grown_and_expired():
    chain = build(kept_days=7)
    saved = save(chain)
    for day in range(7, 30):
        chain.append(day, 7)
        chain.expire(day)
        assert chain.first(day, saved=saved) is None
