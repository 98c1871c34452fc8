"""Rotation events and signals, and the name of a secret."""

from datetime import UTC, datetime, timedelta

import pytest

from rotation_guard.domain.rotation_event import (
    RotationEvent,
    RotationSignal,
    date_recent_event,
    is_complete_arn,
    reports_new_value,
    secret_name_of,
    to_utc,
)

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"


@pytest.mark.parametrize(
    ("secret_arn", "name"),
    [
        (f"{ARN}orders/db-Ab12Cd", "orders/db"),
        (f"{ARN}orders-db-Ab12Cd", "orders-db"),
        (f"{ARN}orders-secret-Ab12Cd", "orders-secret"),
        (f"{ARN}a:secret:b-Ab12Cd", "a:secret:b"),
        (f"{ARN}orders/db", "orders/db"),  # a partial ARN, which AWS accepts too
        (f"{ARN}orders-db", "orders-db"),
        ("arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:orders-Ab12Cd", "orders"),
        ("orders/db", "orders/db"),
        ("orders-abcdef", "orders-abcdef"),  # a name, without a suffix
        (f"{ARN}orders-abcdef-Ab12Cd", "orders-abcdef"),
        (f"{ARN}orders-db/abc", "orders-db/abc"),  # partial: no suffix has a slash
        (f"{ARN}orders-a_bcde", "orders-a_bcde"),
        (f"{ARN}orders-Ab12Cd\n", "orders-Ab12Cd\n"),
    ],
)
def test_a_name_is_the_arn_without_the_suffix_of_secrets_manager(secret_arn, name):
    assert secret_name_of(secret_arn) == name


@pytest.mark.parametrize(
    ("kind", "version", "is_failure", "is_new_value"),
    [
        ("RotationFailed", None, True, False),
        ("RotationAbandoned", None, True, False),
        ("TestRotationFailed", None, True, False),
        ("Rotation Stuck", None, True, False),
        ("RotationSucceeded", None, False, True),
        ("Secret Label Updated", "v2", False, True),
        ("Secret Label Updated", None, False, False),
        ("RotationStarted", None, False, False),
    ],
)
def test_a_kind_of_signal_is_a_failure_or_a_new_value(kind, version, is_failure, is_new_value):
    signal = RotationSignal(kind, "aws.secretsmanager", "event-1", "2026-03-01T00:50:20Z", current_version_id=version)

    assert (signal.is_failure, reports_new_value(signal)) == (is_failure, is_new_value)


@pytest.mark.parametrize(
    ("name", "is_complete"),
    [
        ("orders-Ab12Cd", True),
        ("orders/db-Ab12Cd", True),
        ("orders-abcdef", True),  # AWS cannot tell it from a complete one either
        ("orders", False),
        ("orders/db", False),
        ("orders-db", False),
        ("orders-Ab12Cde", False),
        ("orders-db/abc", False),
        ("orders-Ab12Cd\n", False),
    ],
)
def test_an_arn_without_the_suffix_of_secrets_manager_is_partial(name, is_complete):
    assert is_complete_arn(f"{ARN}{name}") is is_complete


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-03-01T00:50:20Z", datetime(2026, 3, 1, 0, 50, 20, tzinfo=UTC)),
        ("2026-03-01T02:50:20+02:00", datetime(2026, 3, 1, 0, 50, 20, tzinfo=UTC)),
        ("2026-03-01T00:50:20", datetime(2026, 3, 1, 0, 50, 20, tzinfo=UTC)),
        ("20260301T005020Z", datetime(2026, 3, 1, 0, 50, 20, tzinfo=UTC)),
        ("9999-12-31T23:59:59-10:00", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0001-01-01T00:00:00+10:00", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_every_spelling_of_a_time_is_understood(time, expected):
    assert abs(to_utc(time) - expected) < timedelta(seconds=1)


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "recent_at"),
    [
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T11:40:00Z", datetime(2026, 3, 1, 11, 40, tzinfo=UTC)),
        ("2026-03-01T12:03:00Z", NOW),  # a clock that is a little fast
        ("2026-03-01T11:00:00Z", None),
        ("2026-02-28T12:00:00Z", None),
        ("2026-03-01T13:00:00Z", None),
        ("2099-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-10:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
    ],
)
def test_only_an_event_of_the_last_minutes_is_recent(time, recent_at):
    event = RotationEvent("RotationSucceeded", "aws.secretsmanager", "1", time, "", None, "s", None, None, None)

    assert date_recent_event(event, NOW) == recent_at
