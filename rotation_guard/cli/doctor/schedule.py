"""The schedule of the audit, and the runs that it started."""

from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Any

from ..audit_history import RunHistory, runs_until
from ..errors import Refused
from ..tables import AuditTables
from .aws_reader import RUNS_ACTION, explain_refusal
from .examination import Examination
from .link import Check, Finding, Unanswered, broken, cannot_tell, note
from .resource_policies import to_list

_RUN = "Run `rotation-guard audit run`, and read the log of the function check."


def list_checks(examination: Examination) -> Iterable[Check]:
    """The schedule, its last firing, and the last run of the audit."""
    history = _History(examination)
    return [
        Check("schedule", "audit", (lambda: _check_schedule(examination),)),
        Check("audit", "last firing", (lambda: judge_firing(history.read(), examination.output("schedule_name")),)),
        Check("audit", "last run", (lambda: judge_last_run(history.read()),)),
    ]


def judge_schedule(
    name: str, schedule: Mapping[str, Any] | None, function_arn: str, queue_arn: str
) -> Iterator[Finding]:
    """Whether a schedule starts the audit."""
    if schedule is None:
        yield broken(f"The schedule {name} does not exist: no audit starts.")
        return
    if schedule.get("State") != "ENABLED":
        yield broken(f"The schedule {name} is {schedule.get('State')}: no audit starts.")
    target = schedule["Target"]
    if target["Arn"] != function_arn:
        yield broken(f"The schedule {name} starts {target['Arn']}, and not {function_arn}.")
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not dead_letters:
        yield broken(f"The schedule {name} has no dead-letter queue.")
    elif dead_letters != queue_arn:
        yield broken(f"The dead letters of the schedule {name} go to {dead_letters}, and not to {queue_arn}.")


def judge_trust(role_arn: str, role: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether Scheduler may assume the role of a schedule."""
    if role is None:
        yield broken(f"The role {role_arn} of the schedule does not exist.")
        return
    statements = role["Role"]["AssumeRolePolicyDocument"].get("Statement", [])
    services = {
        service
        for statement in to_list(statements)
        if statement.get("Effect") == "Allow" and isinstance(statement.get("Principal"), Mapping)
        for service in to_list(statement["Principal"].get("Service"))
    }
    if "scheduler.amazonaws.com" not in services:
        yield broken(f"The role {role_arn} does not trust scheduler.amazonaws.com.")


def judge_firing(history: RunHistory, schedule: str) -> Iterator[Finding]:
    """Whether the last run of the audit started in time."""
    if not history.runs:
        yield cannot_tell(
            "No run of the audit has started yet.",
            f"Wait for the schedule {schedule}, or run `rotation-guard audit run`.",
        )
    for sentence in history.lateness():
        yield broken(sentence, f"Read the link about the schedule {schedule}, and the dead letters of failed audits.")
    if history.runs and not history.lateness():
        yield note(f"The last run started at {history.runs[0]['started_at']}.")


def judge_last_run(history: RunHistory) -> Iterator[Finding]:
    """Whether the last run of the audit saw every secret."""
    if not history.runs:
        yield cannot_tell("No run of the audit has finished yet.", "Run it again after the first one.")
        return
    for sentence in (*history.losses(), *history.incompleteness()):
        yield broken(sentence, _RUN)
    if not history.incompleteness() and (run := history.complete):
        yield note(f"The run {run['run_id']} checked {run.get('checked', 0)}.")


class _History:
    """The runs of the audit, which two links are about."""

    def __init__(self, examination: Examination) -> None:
        self._examination = examination
        self._lock = Lock()
        self._runs: RunHistory | None = None

    def read(self) -> RunHistory:
        """The runs until now, read once. Raises Unanswered, CommandError."""
        with self._lock:
            if self._runs is None:
                self._runs = self._read()
            return self._runs

    def _read(self) -> RunHistory:
        now, outputs = self._examination.now, self._examination.deployment.outputs
        try:
            tables = AuditTables(self._examination.deployment)
            return runs_until(tables, now, now, outputs.get("schedule_expression"))
        except Refused as refused:
            raise Unanswered(explain_refusal(RUNS_ACTION, refused.code, str(refused))) from None


def _check_schedule(examination: Examination) -> Iterator[Finding]:
    name, group = examination.output("schedule_name"), examination.output("schedule_group_name")
    schedule = examination.read("scheduler:GetSchedule", Name=name, GroupName=group)
    function_arn = examination.arn("lambda", f"function:{examination.output('function_name')}")
    yield from judge_schedule(name, schedule, function_arn, examination.queue_arn("failed_audits_dead_letters_url"))
    if schedule is not None:
        role_arn = schedule["Target"]["RoleArn"]
        role = examination.read("iam:GetRole", RoleName=role_arn.rpartition("/")[2])
        yield from judge_trust(role_arn, role)
