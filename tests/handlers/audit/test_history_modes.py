"""A history of changes gives the same reports as one of every run, for a fraction of the writes."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from handlers.audit import check, completion
from handlers.audit import page as audit_page

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 48
HOUR = timedelta(hours=1)


def version(name, number):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}#{number}"))


VERSION_CHANGES = {
    "turns-old": [(0, 1, 28)],
    "changed-by-hand": [(0, 1, 29), (40, 2, 0)],
    "rotated-twice": [(0, 1, 31), (10, 2, 0), (11, 3, 0)],
    "comes-later": [(30, 1, 0)],
    "goes": [(0, 1, 5), (24, None, 0)],
    "goes-at-noon": [(0, 1, 5), (12, None, 0)],
    **{f"one-of-many/{number}": [(0, 1, 3)] for number in range(16)},
}
"""Each secret's versions: from which hour, which number, and how many days old at that hour."""


class Account:
    """An account whose secrets change."""

    def __init__(self):
        self.hour = 0

    def now(self):
        return BEGAN + self.hour * HOUR

    def current_version(self, name):
        """The number and date of the current version; None if the secret does not exist."""
        events = [event for event in VERSION_CHANGES[name] if event[0] <= self.hour]
        if not events or events[-1][1] is None:
            return None
        hour, number, days = events[-1]
        return number, BEGAN + hour * HOUR - timedelta(days=days)

    def page(self, request):
        names = [name for name in VERSION_CHANGES if self.current_version(name)]
        return {"SecretList": [self.entry(name) for name in names]}

    def entry(self, name):
        number, _ = self.current_version(name)
        stages = {version(name, number): ["AWSCURRENT"]}
        if number > 1:
            stages[version(name, number - 1)] = ["AWSPREVIOUS"]
        return {
            "Name": name,
            "ARN": f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-Ab12Cd",
            "Tags": [{"Key": "Managed", "Value": "true"}],
            "SecretVersionsToStages": stages,
        }

    def versions(self, request):
        name = request["SecretId"].partition(":secret:")[2].removesuffix("-Ab12Cd")
        number, created_at = self.current_version(name)
        return {
            "Versions": [
                {"VersionId": version(name, number), "VersionStages": ["AWSCURRENT"], "CreatedDate": created_at}
            ]
        }


@pytest.fixture(scope="session")
def results():
    """The results of the two days in each mode, which are the same for every test."""
    return {}


@pytest.fixture
def two_days(aws, context, monkeypatch, results):
    """Audits every hour for two days; returns the final rows, and how many were written."""
    account = Account()

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return account.now()

    for module in (check, audit_page, completion):
        monkeypatch.setattr(module, "datetime", Clock)
    aws.answer("ListSecrets", account.page)
    aws.answer("ListSecretVersionIds", account.versions)

    def run(mode):
        if mode not in results:
            results[mode] = audit_two_days(mode)
        return results[mode]

    def audit_two_days(mode):
        monkeypatch.setenv("HISTORY_MODE", mode)
        for table in aws.client("dynamodb").list_tables()["TableNames"]:
            aws.client("dynamodb").delete_table(TableName=table)
        aws.create_tables("history", "status", "runs", "audit-trail", "incidents")
        aws.forget()
        for account.hour in range(HOURS):
            scheduled = account.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            context.aws_request_id = scheduled
            check.handler({"scheduled_time": scheduled}, context)
        written = sum(
            len(rows) for request in aws.requests("BatchWriteItem") for rows in request["RequestItems"].values()
        )
        return {table: aws.rows(table) for table in ("history", "status", "runs")}, written

    return run


def as_of(tables, time):
    """The state at a time: the last row of each secret at or before it, without those that were gone.

    Also without the secret that goes at noon: a history of changes shows that with the first run of the next day.
    """
    gone = {row["secret_name"]: row["gone_since"] for row in tables["status"] if "gone_since" in row}
    state = {}
    for row in sorted(tables["history"], key=lambda row: row["checked_at"]):
        if (
            row["secret_name"] != "goes-at-noon"
            and row["checked_at"] <= time
            and gone.get(row["secret_name"], "9") > time
        ):
            answer = ("status", "verdict", "attention", "current_version_id", "value_created_at", "limit_days")
            state[row["secret_name"]] = tuple(row.get(name) for name in answer)
    return state


def hour_as_iso(hour):
    return (BEGAN + hour * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_both_modes_give_the_same_reports_and_changes_needs_under_a_tenth_of_the_writes(two_days):
    every_run, all_writes = two_days("everyRun")
    changes, few_writes = two_days("changes")

    for hour in range(HOURS):
        assert as_of(changes, hour_as_iso(hour)) == as_of(every_run, hour_as_iso(hour)), hour
    assert as_of(every_run, hour_as_iso(23)).keys() - as_of(every_run, hour_as_iso(24)).keys() == {"goes"}
    assert as_of(every_run, hour_as_iso(29)).keys() ^ as_of(every_run, hour_as_iso(30)).keys() == {"comes-later"}
    assert {state[1] for hour in range(HOURS) for state in as_of(every_run, hour_as_iso(hour)).values()} == {
        "in_grace",
        "never_rotated",
        "manual_only",
        "due_soon",
    }
    assert few_writes * 10 < all_writes, (few_writes, all_writes)

    def now(tables):
        answer = ("verdict", "status", "attention", "attention_since", "since", "current_version_id", "due_at")
        return {row["secret_name"]: tuple(row.get(name) for name in answer) for row in tables["status"]}

    assert now(changes) == now(every_run)
    counts = ("run_id", "checked", "flagged", "unknown", "complete", "verdicts")
    assert [[row[name] for name in counts] for row in changes["runs"]] == [
        [row[name] for name in counts] for row in every_run["runs"]
    ]


def test_a_secret_that_vanishes_at_noon_shows_in_the_first_run_of_the_next_day_with_changes(two_days):
    changes, _ = two_days("changes")

    gone = {row["secret_name"]: row["gone_since"] for row in changes["status"] if "gone_since" in row}
    assert gone == {"goes": hour_as_iso(24), "goes-at-noon": hour_as_iso(24)}


def test_each_run_with_changes_lists_the_secrets_that_got_a_row(two_days):
    changes, _ = two_days("changes")

    runs = {row["run_id"]: row for row in changes["runs"]}
    rows = {run: {row["secret_name"] for row in changes["history"] if row["run_id"] == run} for run in runs}
    assert {run: set(row["changed"]) for run, row in runs.items()} == rows
    assert all(row["recorded"] == len(row["changed"]) for row in runs.values())
    assert rows[hour_as_iso(10)] == {"rotated-twice"}
    assert len(rows[hour_as_iso(24)]) > 15
