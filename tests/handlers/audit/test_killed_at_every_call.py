"""The check function, killed at each of its calls and restarted, finds and writes the same as an undisturbed run.

The reference is an undisturbed run in the same account, with its rows and the events that it sent, by id.
"""

import itertools
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from handlers.audit import check, completion
from handlers.audit import page as audit_page

BEGAN = datetime(2026, 3, 1, 6, tzinfo=UTC)
RUN = "2026-03-01T08:00:00Z"
TABLES = ("history", "status", "runs", "audit-trail", "incidents")
MANAGED = [{"Key": "Managed", "Value": "true"}]
BUDGET = 80
"""Upper bound of the function's calls in each history mode."""


class Killed(BaseException):
    """Ends the process."""


def version(name, number):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}#{number}"))


class Account:
    """An account with a discrepancy of every kind before the killed run."""

    def __init__(self):
        self.hour = 0

    def now(self):
        return BEGAN + timedelta(hours=self.hour)

    def secrets(self):
        """Name -> the end of its ARN, the number of the version in use, and whether a rotation is stuck."""
        later = self.hour >= 1
        secrets = {f"stays/{number}": ("Ab12Cd", 1, False) for number in range(4)}
        secrets["moved-unheard"] = ("Ab12Cd", 2 if later else 1, False)
        secrets["heard-unmoved"] = ("Ab12Cd", 1, False)
        secrets["stuck"] = ("Ab12Cd", 1, True)
        secrets["recreated"] = ("Ef34Gh" if self.hour >= 2 else "Ab12Cd", 1, False)
        secrets["denied"] = ("Ab12Cd", 1, False)
        if self.hour < 2:
            secrets["vanishes"] = ("Ab12Cd", 1, False)
        else:
            secrets["comes"] = ("Ab12Cd", 1, False)
        return secrets

    def page(self, request):
        """Four secrets a page."""
        start = int(request.get("NextToken", "0"))
        listed = [self._entry(name, *secret_state) for name, secret_state in self.secrets().items()]
        fields = {"NextToken": str(start + 4)} if start + 4 < len(listed) else {}
        return {"SecretList": listed[start : start + 4], **fields}

    def versions(self, request):
        name = request["SecretId"].partition(":secret:")[2][:-7]
        _, number, stuck = self.secrets()[name]
        dates = {version(name, older): BEGAN - timedelta(days=40 - 10 * older) for older in range(1, number + 1)}
        if stuck:
            dates[version(name, "pending")] = BEGAN - timedelta(hours=22, minutes=30)
        return {
            "Versions": [{"VersionId": version_id, "CreatedDate": created} for version_id, created in dates.items()]
        }

    def _entry(self, name, suffix, number, stuck):
        stages = {version(name, number): ["AWSCURRENT"]}
        if number > 1:
            stages[version(name, number - 1)] = ["AWSPREVIOUS"]
        if stuck:
            stages[version(name, "pending")] = ["AWSPENDING"]
        return {"Name": name, "ARN": arn(name, suffix), "Tags": MANAGED, "SecretVersionsToStages": stages}


def arn(name, suffix="Ab12Cd"):
    return f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-{suffix}"


class World:
    """The account, the tables, and a function that can be killed."""

    def __init__(self, aws, context, monkeypatch):
        self.account, self.put, self.calls = Account(), [], []
        self._aws, self._context, self._stored = aws, context, None
        self._kill, self._dead, self._lock = (0, ""), False, threading.Lock()
        account = self.account

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return account.now()

        for module in (check, audit_page, completion):
            monkeypatch.setattr(module, "datetime", Clock)
        aws.answer("ListSecrets", account.page)
        aws.answer("ListSecretVersionIds", self._versions)
        aws.answer("PutEvents", self._take)
        self._intercept(monkeypatch)

    def begin(self):
        """The tables as they were before the run that is to be killed, which is the third."""
        self._kill, self._dead = (0, ""), False
        dynamodb = self._aws.client("dynamodb")
        if self._stored is None:
            self._stored = self._run_twice()
        for table, items in self._stored.items():
            dynamodb.delete_table(TableName=table)
            self._aws.create_tables(table)
            requests = [{"PutRequest": {"Item": item}} for item in items]
            for start in range(0, len(requests), 25):
                dynamodb.batch_write_item(RequestItems={table: requests[start : start + 25]})
        self.account.hour = 2
        self.put.clear()
        self.calls.clear()

    def _run_twice(self):
        """The tables after two runs, and after an event that reported a move which did not happen."""
        self._aws.create_tables(*TABLES)
        dynamodb = self._aws.client("dynamodb")
        for self.account.hour, scheduled in ((0, "2026-03-01T06:00:00Z"), (1, "2026-03-01T07:00:00Z")):
            self.invoke(scheduled)
        values = {":at": {"S": "2026-03-01T07:30:00Z"}, ":version": {"S": version("heard-unmoved", 9)}}
        dynamodb.update_item(
            TableName="status",
            Key={"secret_name": {"S": "heard-unmoved"}},
            UpdateExpression="SET heard_at = :at, heard_version_id = :version",
            ExpressionAttributeValues=values,
        )
        return {table: dynamodb.scan(TableName=table)["Items"] for table in TABLES}

    def invoke(self, scheduled=RUN):
        self._context.aws_request_id, self._context.remaining = f"request of {scheduled}", 900_000
        return check.handler({"scheduled_time": scheduled}, self._context)

    def kill(self, number, when):
        """Invokes the function, which ends `before` or `after` its call of this number."""
        self._kill, self._dead = (number, when), False
        with pytest.raises(Killed):
            self.invoke()
        self._kill, self._dead = (0, ""), False
        self.calls.clear()

    def outcome(self):
        """The final state, without what may differ: the duration and the number of calls."""
        rows = {table: sorted(self._aws.rows(table), key=_key) for table in ("history", "status", "runs")}
        for row in rows["runs"]:
            for name in ("calls", "seconds"):
                row.pop(name)
            row["findings"] = sorted(row["findings"], key=lambda finding: (finding["kind"], finding["secret_name"]))
        events = {json.loads(entry["Detail"])["eventID"]: entry for entry in self.put}
        return rows, events

    def _versions(self, request):
        if request["SecretId"] == arn("denied"):
            return self._aws.Refusal("AccessDeniedException")
        return self.account.versions(request)

    def _take(self, request):
        sent = {json.loads(entry["Detail"])["eventID"]: entry for entry in self.put}
        for entry in request["Entries"]:
            # An event that is sent twice with one id must be the same event: the audit trail stores it once.
            assert sent.get(json.loads(entry["Detail"])["eventID"], entry) == entry
        self.put.extend(request["Entries"])
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in request["Entries"]]}

    def _intercept(self, monkeypatch):
        respond, crash_after_write = self._aws._respond, self._aws._crash_after_write

        def before(model, context, **fields):
            with self._lock:
                self.calls.append(model.name)
                context["number"] = len(self.calls)
                self._dead |= self._kill == (len(self.calls), "before")
                if self._dead:
                    raise Killed
            return respond(model=model, context=context, **fields)

        def after(context, **fields):
            crash_after_write(context=context, **fields)
            with self._lock:
                self._dead |= self._kill == (context.get("number"), "after")
                if self._dead:
                    raise Killed

        monkeypatch.setattr(self._aws, "_respond", before)
        monkeypatch.setattr(self._aws, "_crash_after_write", after)


def _key(row):
    return [row.get(name, "") for name in ("secret_name", "run_id")]


@pytest.fixture
def world(aws, context, monkeypatch):
    return World(aws, context, monkeypatch)


@pytest.mark.parametrize("mode", ["everyRun", "changes"])
def test_a_run_killed_before_or_after_any_call_and_restarted_ends_like_an_undisturbed_one(world, monkeypatch, mode):
    monkeypatch.setenv("HISTORY_MODE", mode)
    world.begin()
    world.invoke()
    calls = list(world.calls)
    expected, events = world.outcome()
    [run] = [row for row in expected["runs"] if row["run_id"] == RUN]
    findings = {(finding["kind"], finding["secret_name"]) for finding in run["findings"]}
    assert findings >= {
        ("moved_unheard", "moved-unheard"),
        ("heard_unmoved", "heard-unmoved"),
        ("stuck_without_incident", "stuck"),
        ("vanished", "recreated"),
    }
    assert (("vanished", "vanishes") in findings) is (mode == "everyRun")
    assert list(events) == [f"rotation-stuck-{version('stuck', 'pending')}"]
    assert {"ListSecrets", "BatchGetItem", "ListSecretVersionIds", "PutEvents", "UpdateItem", "Query"} <= set(calls)
    assert len(calls) <= BUDGET

    # A kill after a call is a kill before the next one, except for the last call and for concurrent ones.
    kill_points = [
        *itertools.product(range(1, len(calls) + 1), ["before"]),
        (len(calls) - 1, "after"),
        (len(calls), "after"),
    ]
    for number, when in kill_points:
        world.begin()
        world.kill(number, when)
        world.invoke()

        assert world.outcome() == (expected, events), (calls[number - 1], number, when)
