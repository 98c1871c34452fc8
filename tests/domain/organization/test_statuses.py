"""The hub's rows of what the audits of its members found."""

import copy
import itertools
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from rotation_guard.domain.audit.run import Progress
from rotation_guard.domain.audit.status_events import (
    RUN_FINISHED,
    STATUS_CHANGED,
    STATUS_FIELDS,
    build_run_detail,
    build_status_detail,
)
from rotation_guard.domain.event_parser import MalformedEvent
from rotation_guard.domain.organization.deliveries import UntrustedEvent, read_delivery
from rotation_guard.domain.organization.statuses import build_run_row, build_status_row
from tests.organization_events import MEMBER, OTHER, envelope, wrap

ARN = f"arn:aws:secretsmanager:eu-west-1:{MEMBER}:secret:orders/db-Ab12Cd"
STATUS = {
    "secret_name": "orders/db",
    "secret_arn": ARN,
    "status": "needs_rotation",
    "verdict": "overdue",
    "reason": "The value in use is 40 days old, over the limit of 30.",
    "checked_at": "2026-03-01T01:00:00Z",
    "age_days": Decimal(40),
    "limit_days": 30,
    "current_version_id": "7ac47c8c-f328-423b-9698-6926dd1f293e",
    "value_created_at": "2026-01-20T01:00:00Z",
    "owner": "team-orders",
    "since": "2026-02-20T01:00:00Z",
    "due_at": "2026-02-19T01:00:00Z",
    "attention": "yes",
    "attention_since": "2026-02-20T01:00:00Z",
    "first_seen": "2026-01-20T01:00:00Z",
    "fed_version_id": "not for the hub",
}
"""A row of the member's status table, as DynamoDB returns it."""


SETTINGS = {
    "max_age_days": 30,
    "warn_days": 7,
    "stuck_hours": 24,
    "missed_hours": 24,
    "max_age_classes": [{"class": "name:prod/*", "days": 7}],
    "managed_tag": "Managed=true",
    "period_seconds": 3600,
}
"""What a member's audit judged by."""


def status_event(**changes):
    return envelope(STATUS_CHANGED, build_status_detail({**STATUS, **changes}), resources=[ARN])


def run_event(**changes):
    progress = Progress(checked=10, flagged=2, unknown=1, listed=12, verdicts={"ok": 8, "overdue": 2})
    began, ended = datetime(2026, 3, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, 1, 0, 9, tzinfo=UTC)
    detail = build_run_detail("2026-03-01T01:00:00Z", "check-1", began, ended, progress, [], SETTINGS)
    return envelope(RUN_FINISHED, {**detail, **changes})


@pytest.mark.parametrize("count", [1e308, 10**40, float("inf")])
def test_a_count_that_dynamodb_cannot_keep_is_unknown(count):
    """A number has at most 38 digits
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html)."""
    event = status_event()
    event["detail"]["age_days"] = count

    assert build_status_row(read_delivery(event))["age_days"] is None
    assert build_run_row(read_delivery(run_event(listed=count, verdicts={"ok": count})))["listed"] is None
    assert build_run_row(read_delivery(run_event(verdicts={"ok": count, "over_limit": 2})))["verdicts"] == {
        "over_limit": 2
    }


def test_a_run_has_the_settings_that_it_judged_by():
    row = build_run_row(read_delivery(run_event()))

    assert {**row["settings"], "period_seconds": row["period_seconds"]} == SETTINGS


@pytest.mark.parametrize("settings", [None, [], {"max_age_days": "x", "max_age_classes": [1, {"class": 5}]}])
def test_settings_of_another_form_are_unknown(settings):
    row = build_run_row(read_delivery(run_event(settings=settings)))

    assert row["settings"] == {"max_age_classes": [], "managed_tag": None}


def test_a_status_is_the_members_row_with_account_and_region():
    row = build_status_row(read_delivery(status_event()))

    assert row.pop("account") == MEMBER
    assert row.pop("region") == "eu-west-1"
    assert row.pop("updated_at") == STATUS["checked_at"]
    assert row == {name: STATUS.get(name) for name in STATUS_FIELDS}


def test_a_secret_that_is_gone_needs_no_attention():
    row = build_status_row(read_delivery(status_event(gone_since="2026-03-02T01:00:00Z")))

    assert (row["gone_since"], row["updated_at"]) == ("2026-03-02T01:00:00Z",) * 2
    assert (row["attention"], row["attention_since"]) == (None, None)


def test_a_redelivered_status_is_the_same_row():
    assert build_status_row(read_delivery(wrap(status_event()))) == build_status_row(read_delivery(status_event()))


def test_a_member_cannot_report_the_status_of_another_accounts_secret():
    with pytest.raises(UntrustedEvent):
        build_status_row(read_delivery({**status_event(), "account": OTHER}))


@pytest.mark.parametrize(
    "changes", [{"secret_arn": None}, {"secret_arn": "orders/db"}, {"checked_at": None}, {"checked_at": "yesterday"}]
)
def test_a_status_without_secret_or_time_is_malformed(changes):
    with pytest.raises(MalformedEvent):
        build_status_row(read_delivery(status_event(**changes)))


def test_a_run_names_account_region_and_audit_in_its_key():
    row = build_run_row(read_delivery(run_event()))

    assert (row["audit"], row["run_id"]) == (f"{MEMBER}/eu-west-1/check-1", "2026-03-01T01:00:00Z")
    assert (row["account"], row["region"]) == (MEMBER, "eu-west-1")
    counts = {name: row[name] for name in ("listed", "checked", "flagged", "unknown", "verdicts", "complete")}
    assert counts == {
        "listed": 12,
        "checked": 10,
        "flagged": 2,
        "unknown": 1,
        "verdicts": {"ok": 8, "overdue": 2},
        "complete": True,
    }


def test_an_incomplete_run_says_why():
    row = build_run_row(read_delivery(run_event(complete=False, incomplete_because=["AWS listed none."])))

    assert (row["complete"], row["incomplete_because"]) == (False, ["AWS listed none."])


@pytest.mark.parametrize("changes", [{"audit": None}, {"run_id": ""}, {"finished_at": "later"}])
def test_a_run_without_its_key_or_end_is_malformed(changes):
    with pytest.raises(MalformedEvent):
        build_run_row(read_delivery(run_event(**changes)))


@pytest.mark.parametrize("region", [None, "", "eu-west-1/x", 5])
def test_a_run_of_no_region_is_malformed(region):
    with pytest.raises(MalformedEvent, match="no Region"):
        build_run_row(read_delivery({**run_event(), "region": region}))


NONSENSE = [None, 5, -1.5, 1e300, "", "\x1b[31m", "x" * 5000, [1, "a"], {"a": {"b": 1}, "Ä": 1}, True, float("inf")]


@pytest.mark.parametrize(
    ("build", "event", "keys"),
    [
        (build_status_row, status_event(), {"secret_arn", "checked_at"}),
        (build_run_row, run_event(), {"audit", "run_id", "finished_at"}),
    ],
)
def test_no_other_value_of_a_member_breaks_a_row(build, event, keys):
    fields = set(event["detail"]) - keys
    assert len(fields) > 8

    for field, value in itertools.product(sorted(fields), NONSENSE):
        changed = copy.deepcopy(event)
        changed["detail"][field] = value
        row = build(read_delivery(changed))
        assert all(len(text) <= 1000 and text.isprintable() for text in row.values() if isinstance(text, str))
