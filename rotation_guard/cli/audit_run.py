"""A run of the audit that an operator starts: it begins at once, and its row says how far it is."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rotation_guard.domain.audit.tally import tally_run
from rotation_guard.domain.audit.verdicts import VERDICT_NAMES
from rotation_guard.domain.timestamps import to_iso

from .aws import translate_aws_errors
from .deployment import Deployment
from .dynamodb import Record
from .report import JSON_VERSION, Records, Report
from .tables import AuditTables
from .terminal import PLAIN, Column, Row, progress

_COLUMNS = (Column("VERDICT"), Column("SECRETS", is_number=True))
_NOT_SHOWN = ("audit", "settings", "changed", "expires_at")
"""Attributes of a run's row that its JSON leaves out, or has elsewhere."""


class RunRequest:
    """One run, identified by the time at which it was asked for, as those of the schedule are.

    So Lambda's retries are the same run, and its row can be found before the function has answered.
    """

    def __init__(self, deployment: Deployment, now: datetime) -> None:
        self.run_id = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._deployment = deployment
        self._function = deployment.output("function_name")
        self._tables = AuditTables(deployment)
        self._row: Record | None = None

    def start(self) -> None:
        """Invoke the check function, which answers the caller at once. Raises CommandError."""
        progress.update(f"Starting {self._function}")
        client = self._deployment.session.client("lambda")
        with translate_aws_errors(self._deployment.session, f"{self._deployment.description}, {self._function}"):
            client.invoke(
                FunctionName=self._function,
                # A run may take longer than a connection lasts.
                InvocationType="Event",
                Payload=json.dumps({"scheduled_time": self.run_id}),
            )

    def read_finished(self) -> Record | None:
        """The run's row, if the run has finished. Raises CommandError."""
        self._row = self._tables.run(self.run_id)
        if self._row is not None and self._row.get("finished_at"):
            return self._row
        progress.update(f"Auditing: {self._describe_progress()}")
        return None

    def explain_unfinished(self, minutes: int) -> str:
        """A sentence about a run that did not finish in time."""
        return (
            f"The run {self.run_id} did not finish within {minutes} {'minute' if minutes == 1 else 'minutes'} "
            f"({self._describe_progress()}): its log group is /aws/lambda/{self._function}."
        )

    def _describe_progress(self) -> str:
        if self._row is None:
            return "it has not started yet"
        checked, part = self._row.get("checked", 0), self._row.get("part", 0)
        return (
            f"{checked} secrets recorded by {part} earlier invocations" if part else "the first invocation is at work"
        )


def build_run_report(deployment: Deployment, run: Mapping[str, Any], now: datetime) -> Report:
    """The Report of a finished run, from its row."""
    tally, verdicts = tally_run(run), run.get("verdicts") or {}
    reasons = list(run.get("incomplete_because") or ())
    state = "complete" if run.get("complete") else "incomplete"
    answer = tally.describe(f"this run is {state}") if tally else f"This run is {state}"
    ordered = [name for name in (*VERDICT_NAMES, *sorted(verdicts.keys() - set(VERDICT_NAMES))) if verdicts.get(name)]
    summary = f"The run {run['run_id']} checked {run.get('checked', 0)} secrets in {run.get('seconds', 0):g} seconds."
    return Report(
        headline=f"{deployment.description}, as of {now:%Y-%m-%d %H:%M:%S} UTC.",
        answer=f"{answer}.",
        columns=_COLUMNS,
        rows=[Row(name, [(str(verdicts[name]), PLAIN)]) for name in ordered],
        summary=summary,
        body={
            "version": JSON_VERSION,
            "generated_at": to_iso(now),
            "source": dict(deployment.source),
            "headline": answer,
            "tally": tally.to_json() if tally else None,
            "settings": run.get("settings") or {},
            "run": {name: value for name, value in run.items() if name not in _NOT_SHOWN},
            "warnings": reasons,
        },
        csv=Records(("verdict", "secrets"), [(name, verdicts[name]) for name in ordered]),
        markdown=Records(("verdict", "secrets"), [(name, verdicts[name]) for name in ordered]),
        warnings=reasons,
        has_attention=bool(tally and (tally.over_limit or tally.unknown or tally.outdated_replicas)),
        next_steps="`rotation-guard report --attention` lists the secrets that need attention.",
    )
