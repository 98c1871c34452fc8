"""Who rotates a secret, and how often."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rotation_guard.domain.ownership import describe_owner, is_rotated_by_owner
from rotation_guard.domain.secret import (
    parse_secret,
)
from tests.domain.audit.judged_secrets import (
    NOW,
    SECRET,
    judge_at_age,
)


@pytest.mark.parametrize(
    ("fields", "rotates"),
    [
        ({}, False),
        ({"owning_service": "rds"}, False),
        ({"owning_service": "rds", "rotation_enabled": True}, True),
        ({"owning_service": "docdb", "rotation_enabled": True}, True),
        ({"owning_service": "redshift", "rotation_enabled": True}, True),
        ({"owning_service": "ecs-sc", "rotation_enabled": True}, True),
        ({"owning_service": "appflow", "rotation_enabled": True}, False),
        ({"owning_service": "events", "type": "SalesforceClientSecret", "rotation_enabled": True}, False),
        ({"type": "SalesforceClientSecret"}, False),
        ({"type": "SalesforceClientSecret", "rotation_enabled": True}, True),
    ],
)
def test_only_a_documented_owner_rotates_and_only_while_rotation_is_on(fields, rotates):
    secret = replace(SECRET, **fields)

    assert is_rotated_by_owner(secret) is rotates
    sentence = describe_owner(secret)
    assert ("which rotates it by itself" in sentence or "which its partner rotates" in sentence) is rotates


def test_an_impossible_next_rotation_date_is_ignored():
    far = replace(SECRET, owning_service="rds", rotation_enabled=True, next_rotation_at=NOW + timedelta(days=1001))

    assert judge_at_age(60, far).verdict == "overdue"
    assert judge_at_age(60, replace(far, next_rotation_at=NOW + timedelta(days=5))).verdict == "managed_elsewhere"


@pytest.mark.parametrize(
    ("rules", "days", "verdict"),
    [
        ({"ScheduleExpression": "cron(0 8 1 * ? *)"}, 40, "managed_elsewhere"),
        ({"ScheduleExpression": "cron(0 8 ? * 2#5 *)", "Duration": "3h"}, 119, "managed_elsewhere"),  # a fifth Monday
        ({"ScheduleExpression": "cron(0 8 1 * ? *)"}, 400, "rotation_missed"),
        ({"ScheduleExpression": "cron(0 8 1 1 ? *)"}, 400, "managed_elsewhere"),
        ({"ScheduleExpression": "cron(0 8 1 1 ? *)"}, 1417, "rotation_missed"),
        ({"Duration": "3h"}, 1417, "rotation_missed"),
        ({}, 900, "managed_elsewhere"),
        ({}, 1417, "rotation_missed"),
    ],
)
def test_a_future_rotation_date_does_not_excuse_a_value_older_than_any_schedule_allows(rules, days, verdict):
    entry = {"Name": "orders/db", "ARN": SECRET.arn, "SecretVersionsToStages": {"v2": ["AWSCURRENT"]}}
    schedule = {"NextRotationDate": NOW + timedelta(days=3), "RotationEnabled": True, "RotationRules": rules}
    secret = parse_secret({**entry, **schedule, "OwningService": "rds"})

    finding = judge_at_age(days, secret)

    assert (finding.verdict, finding.attention) == (verdict, verdict == "rotation_missed")
    assert f"{days} days old" in finding.reason


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("rate(4 hours)", "every 4 hours."),
        ("rate(36 hours)", "every 36 hours."),
        ("rate(48 hours)", "every 2 days."),
        ("rate(1 day)", "every 1 day."),
    ],
)
def test_the_reason_for_a_missed_rotation_names_the_schedule(expression, sentence):
    secret = replace(SECRET, owning_service="rds", rotation_enabled=True)
    period = parse_secret(
        {"Name": "x", "ARN": "x", "RotationRules": {"ScheduleExpression": expression}}
    ).rotation_period

    assert sentence in judge_at_age(20, replace(secret, rotation_period=period)).reason


@pytest.mark.parametrize("expression", ["rate(0 days)", "rate(0 hours)"])
def test_a_rate_of_zero_is_no_rotation(expression):
    rules = {"ScheduleExpression": expression}
    secret = parse_secret({"Name": "orders/db", "ARN": SECRET.arn, "RotationEnabled": True, "RotationRules": rules})

    assert (secret.rotation_enabled, secret.rotation_configured) == (False, False)
