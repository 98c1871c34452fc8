"""A row of the audit trail fits into DynamoDB, whatever the event."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation_guard.domain.audit_trail import build_trail_row
from rotation_guard.domain.rotation_event import RotationEvent

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-Ab12Cd"
MAXIMUM_ITEM = 400_000
"""AWS says 400 KB and that a KB is 1 024 bytes; the smaller reading is safe in both."""
LINK = 4_000
"""What the row's link may have of it."""


def item_bytes(row):
    """The size of an item by the rule of the developer guide: names and values in UTF-8, and numbers by their digits.

    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)
    """
    total = 0
    for name, value in row.items():
        if value is None:
            continue
        total += len(name.encode("utf-8"))
        if isinstance(value, bool):
            total += 1
        elif isinstance(value, int):
            total += (len(str(value)) + 1) // 2 + 1
        else:
            total += len(value.encode("utf-8"))  # raises for what is no UTF-8
    return total


def event(subject=ARN, identity="e3b69cfe", kind="RotationFailed", occurred_at="2026-03-01T00:50:20Z"):
    return RotationEvent(
        kind, "aws.secretsmanager", identity, occurred_at, "eu-west-1", None, subject, None, None, None
    )


def row_of(text="{}", **changes):
    return build_trail_row(event(**changes), text, NOW, 1_900_000_000)


def assert_fits(row):
    assert item_bytes(row) <= MAXIMUM_ITEM - LINK
    assert 0 < len(row["secret_arn"].encode()) <= 2048
    assert 0 < len(row["recorded"].encode()) <= 1024


def test_an_ordinary_row_is_stored_unchanged():
    assert build_trail_row(event(), '{"id": "x"}', NOW, None) == {
        "secret_arn": ARN,
        "recorded": "2026-03-01T00:50:20Z#e3b69cfe",
        "event_type": "RotationFailed",
        "timestamp": "2026-03-01T00:50:20Z",
        "full_event": '{"id": "x"}',
        "recorded_at": "2026-03-01T12:00:00Z",
        "rotation_id": None,
        "expires_at": None,
    }


@pytest.mark.parametrize("character", ["x", "é", "漢", "😀", "\x7f", "\0", '"'])
@pytest.mark.parametrize("size", [399_000, 400_000, 409_600, 450_000, 1_048_576])
def test_a_text_that_does_not_fit_is_truncated_and_its_size_and_digest_are_stored(character, size):
    text = f'"{character * (size // len(character.encode()))}"'

    row = row_of(text)

    assert_fits(row)
    if row["full_event"] == text:
        assert not {"truncated", "original_bytes", "original_sha256"} & set(row)
        return
    assert text.startswith(row["full_event"])
    assert item_bytes(row) > MAXIMUM_ITEM - LINK - 100  # as much as there is room for
    assert row["truncated"] is True
    assert row["original_bytes"] == len(text.encode())
    assert row["original_sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_a_text_is_truncated_only_if_necessary():
    assert "truncated" not in row_of("x" * 390_000)
    assert row_of("x" * 400_000)["truncated"] is True


def test_a_lone_surrogate_is_written_as_its_escape():
    text = '{"id": "\ud800"}'

    row = row_of(text)

    assert row["full_event"] == '{"id": "\\ud800"}'
    assert json.loads(row["full_event"]) == {"id": "\ud800"}


STRANGE = ["x" * 2_000, "é" * 1_500, "\ud800", "a\nb", "\0", "x" * 1_000_000, "漢" * 700, "\u2028"]


@pytest.mark.parametrize("text", STRANGE, ids=lambda text: f"{text[:1]!a}{len(text)}")
@pytest.mark.parametrize("field", ["subject", "identity", "kind"])
def test_any_text_fits_into_a_row(field, text):
    assert_fits(row_of(**{field: text}))


@pytest.mark.parametrize("field", ["subject", "identity"])
def test_different_texts_that_are_no_valid_keys_have_different_keys(field):
    texts = [*STRANGE, *(f"{text}1" for text in STRANGE), *(f"{text}2" for text in STRANGE), "?", "a?b"]
    key = {"subject": "secret_arn", "identity": "recorded"}[field]

    assert len({row_of(**{field: text})[key] for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("time", "key"),
    [
        ("2026-03-01T02:50:20+02:00", "2026-03-01T00:50:20Z"),
        ("20260301T005020Z", "2026-03-01T00:50:20Z"),
        ("2026-03-01T00:50:20.123456Z", "2026-03-01T00:50:20Z"),
        ("2026-03-01T00:50:20." + "1" * 500_000 + "Z", "2026-03-01T00:50:20Z"),
        ("2026-03-01\ud80000:50:20", "2026-03-01T00:50:20Z"),
        ("0001-01-01T00:00:00+10:00", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59-10:00", "9999-12-31T23:59:59Z"),
    ],
    ids=lambda text: f"{text[:24]!a}",
)
def test_keys_sort_by_time_whatever_its_format(time, key):
    row = row_of(occurred_at=time)

    assert_fits(row)
    assert row["recorded"] == f"{key}#e3b69cfe"
    assert row["timestamp"].startswith(time[:10])


@given(st.text(), st.text(min_size=1), st.text(min_size=1), st.integers(0, 40_000))
def test_the_row_of_any_event_fits(text, subject, identity, repetitions):
    assert_fits(
        row_of(text * repetitions, subject=subject, identity=identity * repetitions or "x", kind=text * repetitions)
    )
