"""The alarms that page: they exist, ring the right topic, and none of them rings."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .examination import Examination
from .link import Check, Finding, Unanswered, broken, cannot_tell, unlisted

_TERM = re.compile(r'\b(?:ALARM|OK|INSUFFICIENT_DATA)\(\s*"?([^")]+?)"?\s*\)')
"""An alarm in the rule of another (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html)."""
_EVALUATED = ("breaching", "notBreaching")
"""How an alarm treats missing data that does not stay in INSUFFICIENT_DATA."""
_GRACE = timedelta(hours=1)
_MOST_NAMES = 100
"""Alarms of one call of DescribeAlarms."""

Alarm = Mapping[str, Any]


def list_checks(examination: Examination) -> Iterable[Check]:
    """One for each alarm that pages, with the alarms that it consists of."""
    try:
        names = examination.names("alarm_names")
    except Unanswered as unanswered:
        return [unlisted("alarm", "all alarms", unanswered)]
    return [_build_check(examination, subject, name) for subject, name in names.items()]


def judge_page(
    name: str, alarms: Mapping[str, Alarm], missing: Sequence[str], topic_arn: str, now: datetime
) -> Iterator[Finding]:
    """Whether an alarm pages when it should, and is not in ALARM; `alarms` are it and those in its rule, by name."""
    alarm = alarms.get(name)
    if alarm is None:
        yield broken(f"The alarm {name} does not exist.")
        return
    if gone := [one for one in missing if one != name]:
        yield broken(f"The alarm {name} watches alarms that do not exist: {', '.join(gone)}.")
    if not alarm.get("ActionsEnabled"):
        yield broken(
            f"The actions of the alarm {name} are disabled.",
            f"Run `aws cloudwatch enable-alarm-actions --alarm-names {name}`.",
        )
    if topic_arn not in alarm.get("AlarmActions", ()):
        yield broken(f"The alarm {name} does not ring {topic_arn}.")
    if alarm.get("StateValue") == "ALARM":
        causes = [one for one in alarms.values() if one is not alarm and one.get("StateValue") == "ALARM"]
        reasons = "; ".join(_describe(one) for one in causes) or alarm.get("StateReason", "no reason is given")
        yield broken(
            f"The alarm {name} is in ALARM: {reasons}.", "Follow the runbook's heading that the alarm links to."
        )
    for one in alarms.values():
        if _is_stale(one, now):
            since = one["StateUpdatedTimestamp"]
            yield cannot_tell(
                f"The alarm {one['AlarmName']} has had INSUFFICIENT_DATA since {since:%Y-%m-%d %H:%M} UTC.",
                "Read its history: `aws cloudwatch describe-alarm-history`.",
            )


def find_terms(rule: str) -> list[str]:
    """The alarms in a rule, each once."""
    return list(dict.fromkeys(_TERM.findall(rule)))


def _describe(alarm: Alarm) -> str:
    """An alarm and why it rings: its description without the link to the runbook."""
    meaning = re.sub(r"\s*https://\S+$", "", alarm.get("AlarmDescription") or "").rstrip(".")
    return f"{alarm['AlarmName']} ({meaning or alarm.get('StateReason', '')})"


def _is_stale(alarm: Alarm, now: datetime) -> bool:
    """Whether CloudWatch should have evaluated a metric alarm, and has not."""
    if alarm.get("StateValue") != "INSUFFICIENT_DATA" or alarm.get("TreatMissingData") not in _EVALUATED:
        return False
    window = timedelta(seconds=alarm.get("Period", 0) * alarm.get("EvaluationPeriods", 0))
    return now - alarm["StateUpdatedTimestamp"] > window + _GRACE


def _build_check(examination: Examination, subject: str, name: str) -> Check:
    def check() -> Iterator[Finding]:
        output = "alarms_topic_arn" if examination.has("alarms_topic_arn") else "critical_topic_arn"
        alarms, missing = read_page(examination, name)
        yield from judge_page(name, alarms, missing, examination.output(output), examination.now)

    return Check("alarm", subject, (check,))


def read_page(examination: Examination, name: str) -> tuple[dict[str, Alarm], list[str]]:
    """An alarm and those in its rule, also within other rules, by name; and those that do not exist.

    Raises Unanswered.
    """
    found: dict[str, Alarm] = {}
    asked: list[str] = []
    names = [name]
    while names:
        asked += names
        for start in range(0, len(names), _MOST_NAMES):
            response = examination.read_existing(
                "cloudwatch:DescribeAlarms",
                AlarmNames=names[start : start + _MOST_NAMES],
                AlarmTypes=["CompositeAlarm", "MetricAlarm"],
            )
            both = [*response.get("CompositeAlarms", ()), *response.get("MetricAlarms", ())]
            found |= {alarm["AlarmName"]: alarm for alarm in both}
        terms = [term for one in names if one in found for term in find_terms(found[one].get("AlarmRule", ""))]
        names = [term for term in dict.fromkeys(terms) if term not in asked]
    return found, [one for one in asked if one not in found]
