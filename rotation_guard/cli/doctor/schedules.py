"""The schedules: enabled, and able to reach what they start."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.audit.run_history import format_span
from rotation_guard.domain.timestamps import to_iso

from .examination import Examination
from .link import Check, Finding, Unanswered, broken, cannot_tell, missing, note
from .roles import SCHEDULER, check_trust


@dataclass(frozen=True)
class Schedule:
    """A schedule that a stack may have."""

    name: str
    """Of its link."""
    role: str
    """Its role among the expected permissions."""
    output: str
    """Its name among the outputs; a stack without this one has no such schedule."""
    group_output: str
    dead_letters_output: str
    find_target: Callable[[Examination], str]
    """The ARN of what it starts."""
    consequence: str
    """What does not happen without it."""


AUDIT = Schedule(
    "audit",
    "schedule",
    "schedule_name",
    "schedule_group_name",
    "failed_audits_dead_letters_url",
    lambda examination: examination.arn("lambda", f"function:{examination.output('function_name')}"),
    "no audit starts",
)
CANARY = Schedule(
    "canary",
    "canary schedule",
    "canary_schedule_name",
    "canary_schedule_group_name",
    "undelivered_events_dead_letters_url",
    Examination.bus_arn,
    "no canary is sent",
)
REPORTS = Schedule(
    "reports",
    "report schedule",
    "report_schedule_name",
    "report_schedule_group_name",
    "failed_reports_dead_letters_url",
    lambda examination: examination.function_arn("report"),
    "no report is stored",
)
REDELIVERY = Schedule(
    "redelivery",
    "redelivery schedule",
    "redeliver_schedule_name",
    "redeliver_schedule_group_name",
    "failed_runs_dead_letters_url",
    lambda examination: examination.function_arn("redeliver"),
    "nothing is delivered again",
)
SCHEDULES = (AUDIT, CANARY, REPORTS, REDELIVERY)


def list_checks(examination: Examination) -> Iterable[Check]:
    """One for each schedule."""
    return [_build_check(examination, schedule) for schedule in find_schedules(examination)]


def find_schedules(examination: Examination) -> list[Schedule]:
    """The schedules that this stack has, or should have."""
    return [one for one in SCHEDULES if examination.expects(one.output)]


def judge_schedule(
    name: str, schedule: Mapping[str, Any] | None, target_arn: str, queue_arn: str, consequence: str
) -> Iterator[Finding]:
    """Whether a schedule starts its target; `consequence` is what does not happen otherwise."""
    if schedule is None:
        yield broken(f"The schedule {name} does not exist: {consequence}.")
        return
    if schedule.get("State") != "ENABLED":
        yield broken(f"The schedule {name} is {schedule.get('State')}: {consequence}.")
    target = schedule["Target"]
    if target["Arn"] != target_arn:
        yield broken(f"The schedule {name} starts {target['Arn']}, and not {target_arn}.")
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not dead_letters:
        yield broken(f"The schedule {name} has no dead-letter queue.")
    elif dead_letters != queue_arn:
        yield broken(f"The dead letters of the schedule {name} go to {dead_letters}, and not to {queue_arn}.")


def judge_last(
    effect: str,
    last: datetime | None,
    described: Mapping[str, Any],
    limit: timedelta,
    now: datetime,
    fix: str,
) -> Iterator[Finding]:
    """Whether the last effect of a schedule, such as `report was stored`, is not older than a limit.

    A schedule that was made or changed since has as much time for the first one.
    """
    modified = described.get("LastModificationDate")
    if last is not None and now - last <= limit:
        yield note(f"The last {effect} at {to_iso(last)}.")
    elif modified is not None and now - modified <= limit:
        yield cannot_tell(f"No {effect} since the schedule was changed at {to_iso(modified)}.", f"Wait for it. {fix}")
    else:
        since = f" The last one is of {to_iso(last)}." if last else ""
        yield broken(f"No {effect} for {format_span(limit)}, in which one is due.{since}", fix)


def require_schedule(examination: Examination, schedule: Schedule) -> Mapping[str, Any]:
    """The response about a schedule. Raises Unanswered if it does not exist, which its own link is about."""
    described = read_schedule(examination, schedule)
    if described is None:
        raise Unanswered(missing(f"The schedule {examination.output(schedule.output)}"))
    return described


def read_schedule(examination: Examination, schedule: Schedule) -> Mapping[str, Any] | None:
    """The response about a schedule; None if it does not exist. Raises Unanswered."""
    return examination.read(
        "scheduler:GetSchedule",
        Name=examination.output(schedule.output),
        GroupName=examination.output(schedule.group_output),
    )


def _build_check(examination: Examination, schedule: Schedule) -> Check:
    def check() -> Iterator[Finding]:
        described = read_schedule(examination, schedule)
        yield from judge_schedule(
            examination.output(schedule.output),
            described,
            schedule.find_target(examination),
            examination.queue_arn(schedule.dead_letters_output),
            schedule.consequence,
        )
        if described is not None:
            yield from check_trust(examination, described["Target"]["RoleArn"], SCHEDULER)

    return Check("schedule", schedule.name, (check,))
