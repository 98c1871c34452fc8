"""The canary: what its schedule sends is for a rule, was recorded in time, and is missed by an alarm otherwise."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.audit.run_history import format_span
from rotation_guard.domain.canary import CANARY, SCHEDULED_TIME, SLACK_SECONDS, build_canary_id
from rotation_guard.domain.metrics import MetricName
from rotation_guard.domain.schedule_expression import longest_period_seconds
from rotation_guard.domain.timestamps import parse_timestamp, to_iso

from ..errors import Refused
from ..tables import DynamoDB
from .alarms import Alarm, read_page
from .aws_reader import RUNS_ACTION, explain_refusal
from .examination import Examination
from .link import Check, Finding, Unanswered, broken, cannot_tell, note
from .rules import read_rule, test_pattern
from .schedules import CANARY as CANARY_SCHEDULE
from .schedules import read_schedule

_RULE, _PAGE = "service", "events-not-delivered"
"""The rule that takes the canary to the audit trail, and the alarm that pages when it is not recorded."""
_LONGEST_ALARM = timedelta(days=7)
"""The most that an alarm looks back (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html)."""
_ROWS_PER_PAGE = 25
_EVENT_ID = "0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"
_SEND_ONE = "Run `rotation-guard drill --event canary`, which sends one and follows it."


def list_checks(examination: Examination) -> Iterable[Check]:
    """Its event, the last one that was recorded, and its alarm; none for a stack without a canary."""
    if not examination.has(CANARY_SCHEDULE.output):
        return []
    return [
        Check("canary", "event", (lambda: _check_event(examination),)),
        Check("canary", "last recorded", (lambda: _check_last(examination),)),
        Check("canary", "alarm", (lambda: _check_alarm(examination),)),
    ]


def judge_last(last: datetime | None, modified: datetime | None, limit: timedelta, now: datetime) -> Iterator[Finding]:
    """Whether a canary was recorded when it was due; `modified` is when the schedule was made or changed."""
    begun = [moment for moment in (last, modified) if moment is not None]
    if last is None and begun and now - begun[0] <= limit:
        yield cannot_tell("No canary of the schedule was recorded yet.", f"Wait for the schedule. {_SEND_ONE}")
    elif not begun or now - max(begun) > limit:
        since = f"since {to_iso(last)}" if last else "yet"
        yield broken(
            f"No canary was recorded {since}, and one is due within {format_span(limit)}: nor may "
            "rotation events be recorded.",
            f"Repair the links of the schedule canary, the rule {_RULE}, the queue audit and the function writer. "
            f"{_SEND_ONE}",
        )
    elif last is not None:
        yield note(f"The last canary is of {to_iso(last)}.")


def judge_alarm(page: str, alarms: Iterable[Alarm], limit: timedelta) -> Iterator[Finding]:
    """Whether a page has, among its alarms, one about canaries that were not recorded."""
    if any(
        one.get("MetricName") == MetricName.CANARY_EVENTS_RECORDED and one.get("TreatMissingData") == "breaching"
        for one in alarms
    ):
        return
    if limit > _LONGEST_ALARM:
        yield note("The schedule rests for longer than an alarm looks back: no alarm rings when no canary is recorded.")
    else:
        yield broken(f"The alarm {page} does not ring when no canary is recorded.")


def _check_event(examination: Examination) -> Iterator[Finding]:
    """Whether EventBridge itself says that the rule takes what the schedule sends."""
    target, now = _read_existing(examination)["Target"], to_iso(examination.now)
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
        raise Unanswered(cannot_tell(f"The rule {name} does not exist.", "Repair the link that names it first."))
    if not test_pattern(examination, rule, event):
        yield broken(f"The pattern of the rule {name} does not match the event that the schedule sends.")


def _check_last(examination: Examination) -> Iterator[Finding]:
    described = _read_existing(examination)
    limit = _find_limit(described)
    yield from judge_last(_read_last(examination), described.get("LastModificationDate"), limit, examination.now)


def _check_alarm(examination: Examination) -> Iterator[Finding]:
    limit = _find_limit(_read_existing(examination))
    page = examination.names("alarm_names").get(_PAGE, "")
    alarms, _ = read_page(examination, page)
    if page not in alarms:
        raise Unanswered(cannot_tell(f"The alarm {page} does not exist.", "Repair the link that names it first."))
    yield from judge_alarm(page, alarms.values(), limit)


def _read_existing(examination: Examination) -> Mapping[str, Any]:
    described = read_schedule(examination, CANARY_SCHEDULE)
    if described is None:
        name = examination.output(CANARY_SCHEDULE.output)
        raise Unanswered(cannot_tell(f"The schedule {name} does not exist.", "Repair the link that names it first."))
    return described


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
