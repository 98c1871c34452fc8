"""Events that are late, repeated, or redriven from the dead-letter queue days later do not change the findings.

The reference is a run that received each event once and in time; it also finds a move whose events are all lost.
"""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.audit import check, completion, page
from handlers.trail import writer

BEGAN = datetime(2026, 3, 1, 6, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-Ab12Cd"
TABLES = ("history", "status", "runs", "audit-trail", "incidents")
HOURS = 9


def version(number):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"orders#{number}"))


class World:
    """One secret whose value moves at given minutes, and the events about it."""

    def __init__(self, aws, context, recorded, monkeypatch):
        self._aws, self._context, self._recorded = aws, context, recorded
        self._now, self._moves = BEGAN, []
        world = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return world._now

        for module in (check, page, completion, writer):
            monkeypatch.setattr(module, "datetime", Clock)
        aws.answer("ListSecrets", lambda _: {"SecretList": [self._entry()]})
        aws.answer("ListSecretVersionIds", lambda _: {"Versions": self._versions()})

    def live(self, moves, deliveries):
        """The findings of nine hourly audits. Moves: minutes. Deliveries: (minute, move, kind of event)."""
        for table in self._aws.client("dynamodb").list_tables()["TableNames"]:
            self._aws.client("dynamodb").delete_table(TableName=table)
        self._aws.create_tables(*TABLES)
        self._moves = sorted(moves)
        runs = [(60 * hour + 2, 1, None) for hour in range(HOURS)]
        scheduled_deliveries = [(minute, 0, (move, kind)) for minute, move, kind in deliveries]
        for minute, _, delivery in sorted([*runs, *scheduled_deliveries], key=lambda entry: entry[:2]):
            self._now = BEGAN + timedelta(minutes=minute)
            if delivery is None:
                self._audit()
            else:
                self._deliver(*delivery)
        return [
            (finding["kind"], finding["detail"])
            for run in sorted(self._aws.rows("runs"), key=lambda row: row["run_id"])
            for finding in run["findings"]
        ]

    def _audit(self):
        scheduled = self._now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._context.aws_request_id, self._context.remaining = scheduled, 900_000
        check.handler({"scheduled_time": scheduled}, self._context)

    def _deliver(self, move, kind):
        """Delivers an event about a move: the label's, or two seconds later CloudTrail's, which names no version."""
        at = BEGAN + timedelta(minutes=self._moves[move], seconds=0 if kind == "label" else 2)
        if kind == "label":
            body = self._recorded("secret-label-updated")
            body |= {"resources": [ARN], "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "id": f"label-{move}"}
            body["detail"] |= {"labelUpdated": "AWSCURRENT", "versionId": version(move + 1)}
        else:
            body = self._recorded("rotation-succeeded")
            body["detail"]["additionalEventData"]["SecretId"] = ARN
            body["detail"]["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"rotation-{move}"))
            body["detail"]["eventTime"] = body["time"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        message = {"messageId": "1", "receiptHandle": "x", "body": json.dumps(body), "eventSource": "aws:sqs"}
        assert writer.handler({"Records": [message]}, self._context) == {"batchItemFailures": []}

    def _number(self):
        return sum(BEGAN + timedelta(minutes=minute) <= self._now for minute in self._moves)

    def _made(self, number):
        return BEGAN - timedelta(days=3) if number == 0 else BEGAN + timedelta(minutes=self._moves[number - 1] - 1)

    def _entry(self):
        number = self._number()
        stages = {version(number): ["AWSCURRENT"], **({version(number - 1): ["AWSPREVIOUS"]} if number else {})}
        rotated = {"LastRotatedDate": self._made(number) + timedelta(minutes=1)} if number else {}
        return {
            "Name": "orders",
            "ARN": ARN,
            "Tags": [{"Key": "Managed", "Value": "true"}],
            "SecretVersionsToStages": stages,
            "RotationEnabled": True,
            **rotated,
        }

    def _versions(self):
        return [
            {"VersionId": version(number), "VersionStages": labels, "CreatedDate": self._made(number)}
            for number, labels in ((self._number(), ["AWSCURRENT"]), (self._number() - 1, ["AWSPREVIOUS"]))
            if number >= 0
        ]


@pytest.fixture
def world(aws, context, recorded, monkeypatch):
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")
    return World(aws, context, recorded, monkeypatch)


def deliver_in_time(moves, lost=()):
    """Every event that is not lost, a minute after its move."""
    return [
        (minute + 1, move, kind)
        for move, minute in enumerate(moves)
        if move not in lost
        for kind in ("label", "rotation")
    ]


def find_moves_seen_by_two_runs(moves):
    """The moves that two runs see before the next move; the audit cannot find that the others have no event."""
    seconds = [60 * ((minute - 2) // 60 + 2) + 2 for minute in moves]
    return [move for move, second in enumerate(seconds) if move == len(moves) - 1 or second < moves[move + 1]]


def build_findings(*moves):
    return [
        ("moved_unheard", f"AWSCURRENT is on version {version(move + 1)}, but no event reported the move.")
        for move in moves
    ]


def test_moves_reported_in_time_are_no_finding(world):
    moves = [30, 95, 200, 330]

    assert world.live(moves, deliver_in_time(moves)) == []


def test_a_move_whose_events_are_all_lost_is_found_once(world):
    moves = [30, 95, 200, 330]

    assert world.live(moves, deliver_in_time(moves, lost=[2])) == build_findings(2)


@pytest.mark.parametrize("kind", ["label", "rotation"])
@pytest.mark.parametrize("delay", [60, 150, 400])
def test_an_event_redelivered_after_two_rotations_is_no_finding(world, kind, delay):
    moves = [30, 95, 150]

    assert world.live(moves, [*deliver_in_time(moves), (31 + delay, 0, kind)]) == []


@pytest.mark.parametrize("kind", ["label", "rotation"])
def test_a_redelivered_event_does_not_replace_a_lost_one(world, kind):
    moves = [55, 200]  # the first is accounted for minutes after it

    assert world.live(moves, [*deliver_in_time(moves, lost=[1]), (201, 0, kind), (245, 0, kind)]) == build_findings(1)


def test_an_event_from_the_future_neither_hides_a_move_nor_stays(world, aws):
    moves = [200]
    aws_time = "2099-01-01T00:00:00Z"
    world.live([], [])
    [row] = aws.rows("status")
    aws.put("status", row | {"heard_at": aws_time})
    world._audit()
    assert "heard_at" not in aws.rows("status")[0]
    assert world.live(moves, []) == build_findings(0)


moves_of_a_day = st.lists(st.integers(1, 6), min_size=1, max_size=4, unique=True).flatmap(
    lambda hours: st.tuples(*(st.integers(60 * hour + 3, 60 * hour + 58) for hour in sorted(hours)))
)


@settings(
    max_examples=8,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data(), moves_of_a_day)
def test_redelivered_events_do_not_change_the_findings(world, data, moves):
    lost = data.draw(st.sets(st.sampled_from(find_moves_seen_by_two_runs(moves)), max_size=1))
    deliveries = deliver_in_time(moves, lost)
    redeliveries = data.draw(
        st.lists(st.tuples(st.integers(1, 60 * HOURS), st.sampled_from(deliveries or [(0, 0, "label")])), max_size=5)
    )
    late_deliveries = [(minute + delay, move, kind) for delay, (minute, move, kind) in redeliveries if deliveries]

    assert world.live(moves, deliveries) == build_findings(*sorted(lost))
    assert world.live(moves, [*deliveries, *late_deliveries]) == build_findings(*sorted(lost))
