"""The runs of the audit that its schedule started."""

from collections.abc import Iterable, Iterator
from threading import Lock

from ..audit_history import RunHistory, runs_until
from ..errors import Refused
from ..tables import AuditTables
from .aws_reader import RUNS_ACTION, explain_refusal
from .examination import Examination
from .link import Check, Finding, Unanswered, broken, cannot_tell, note

_RUN = "Run `rotation-guard audit run`, and read the log of the function check."


def list_checks(examination: Examination) -> Iterable[Check]:
    """The last firing of the schedule, and the last run of the audit."""
    if not examination.expects("schedule_name"):
        return []
    history = _History(examination)
    return [
        Check("audit", "last firing", (lambda: judge_firing(history.read(), examination.output("schedule_name")),)),
        Check("audit", "last run", (lambda: judge_last_run(history.read()),)),
    ]


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
