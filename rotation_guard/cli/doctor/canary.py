"""The canary: what its schedule sends is for a rule, was recorded in time, and is missed by an alarm otherwise."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.canary import CANARY, SCHEDULED_TIME, SLACK_SECONDS, build_canary_id
from rotation_guard.domain.metrics import LONGEST_ALARM_SECONDS, MetricName
from rotation_guard.domain.schedule_expression import longest_period_seconds
from rotation_guard.domain.timestamps import parse_timestamp, to_iso

from ..dynamodb import DynamoDB
from ..errors import Refused
from .alarms import Alarm, read_page
from .aws_reader import RUNS_ACTION, explain_refusal
from .examination import Examination
from .link import Check, Finding, Unanswered, broken, missing, note
from .rules import read_rule, test_pattern
from .schedules import CANARY as CANARY_SCHEDULE
from .schedules import judge_last, require_schedule

_RULE, _PAGE = "service", "events-not-delivered"
"""The rule that takes the canary to the audit trail, and the alarm that pages when it is not recorded."""
_ROWS_PER_PAGE = 25
_EVENT_ID = "0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"
_FIX = (
    f"Read the links of the schedule canary, the rule {_RULE}, the queue audit and the function writer; "
    "`rotation-guard drill --event canary` sends one and follows it."
)


def list_checks(examination: Examination) -> Iterable[Check]:
    """Its event, the last one that was recorded, and its alarm; none for a stack without a canary."""
    if not examination.has(CANARY_SCHEDULE.output):
        return []
    return [
        Check("canary", "event", (lambda: _check_event(examination),)),
        Check("canary", "last recorded", (lambda: _check_last(examination),)),
        Check("canary", "alarm", (lambda: _check_alarm(examination),)),
    ]


def judge_alarm(page: str, alarms: Iterable[Alarm], limit: timedelta) -> Iterator[Finding]:
    """Whether a page has, among its alarms, one about canaries that were not recorded."""
    if any(
        one.get("MetricName") == MetricName.CANARY_EVENTS_RECORDED and one.get("TreatMissingData") == "breaching"
        for one in alarms
    ):
        return
    if limit.total_seconds() > LONGEST_ALARM_SECONDS:
        yield note("The schedule rests for longer than an alarm looks back: no alarm rings when no canary is recorded.")
    else:
        yield broken(f"The alarm {page} does not ring when no canary is recorded.")


def _check_event(examination: Examination) -> Iterator[Finding]:
    """Whether EventBridge itself says that the rule takes what the schedule sends."""
    target, now = require_schedule(examination, CANARY_SCHEDULE)["Target"], to_iso(examination.now)
    sent = target.get("EventBridgeParameters") or {}
    detail = json.loads((target.get("Input") or "{}").replace(SCHEDULED_TIME, now))
    event = {
        # TestEventPattern asks for all of these
        # (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html).
        "id": _EVENT_ID,
        "account": examination.account,
        "source": sent.get("Source"),
        "time": now,
        "region": examination.region,
        "resources": [],
        "detail-type": sent.get("DetailType"),
        "detail": detail,
    }
    if detail.get("eventID") != (own := build_canary_id(examination.output("incidents_table_name"), now)):
        yield broken(f"The schedule sends the canary {detail.get('eventID')}, and not {own}.")
    name = examination.rule_name(_RULE)
    rule = read_rule(examination, name)
    if rule is None:
        raise Unanswered(missing(f"The rule {name}"))
    if not test_pattern(examination, rule, event):
        yield broken(f"The pattern of the rule {name} does not match the event that the schedule sends.")


def _check_last(examination: Examination) -> Iterator[Finding]:
    described = require_schedule(examination, CANARY_SCHEDULE)
    yield from judge_last(
        "canary was recorded", _read_last(examination), described, _find_limit(described), examination.now, _FIX
    )


def _check_alarm(examination: Examination) -> Iterator[Finding]:
    limit = _find_limit(require_schedule(examination, CANARY_SCHEDULE))
    page = examination.names("alarm_names").get(_PAGE, "")
    alarms, _ = read_page(examination, page)
    if page not in alarms:
        raise Unanswered(missing(f"The alarm {page}"))
    yield from judge_alarm(page, alarms.values(), limit)


def _find_limit(described: Mapping[str, Any]) -> timedelta:
    """How long the schedule may rest, and a canary be late."""
    return timedelta(seconds=longest_period_seconds(described["ScheduleExpression"]) + SLACK_SECONDS)


def _read_last(examination: Examination) -> datetime | None:
    """The time of the last canary of this stack's schedule in the audit trail; several stacks may share that."""
    table, begin = (
        examination.output("audit_trail_table_name"),
        build_canary_id(examination.output("incidents_table_name"), ""),
    )
    try:
        rows = DynamoDB(examination.deployment).pages(
            "query",
            TableName=table,
            KeyConditionExpression="secret_arn = :canary",
            ExpressionAttributeValues={":canary": {"S": CANARY}},
            ScanIndexForward=False,
            Limit=_ROWS_PER_PAGE,
        )
        times = (row["recorded"].partition("#") for row in rows)
        return next((parse_timestamp(time) for time, _, identity in times if identity.startswith(begin)), None)
    except Refused as refused:
        raise Unanswered(explain_refusal(RUNS_ACTION, refused.code, str(refused))) from None
