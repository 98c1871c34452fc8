"""A drill: an event is put on the bus of a stack, and its traces are followed until all are seen or time is up."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotation_guard.domain.drill_event import DrillEvent, DrillKind
from rotation_guard.domain.timestamps import to_iso

from .aws import translate_aws_errors
from .deployment import Write
from .dynamodb import DynamoDB, Record
from .errors import CommandError, Unreachable
from .incident_table import IncidentTable
from .report import JSON_VERSION, Records, Report
from .terminal import GREEN, PLAIN, RED, YELLOW, Column, Row, progress

DEFAULT_BUS = "default"
SEEN, MISSING, UNREADABLE = "seen", "not seen", "cannot tell"
_STYLES = {SEEN: GREEN, MISSING: RED, UNREADABLE: YELLOW}
_SECONDS_BETWEEN_LOOKS = 1
_COLUMNS = ("trace", "result", "seconds", "detail")
_SETTINGS = {DrillKind.CANARY: "canarySchedule to, for example, rate(1 day)"}
"""What a stack must be configured with to accept a drill; other kinds need `drill`."""


@dataclass
class Trace:
    """One effect of the event that the drill looks for."""

    name: str
    result: str = MISSING
    seconds: float | None = None
    """From the event to its effect, as far as looking once a second tells."""
    detail: str = ""
    problem: str = ""
    """Why it cannot be told."""

    def to_json(self) -> dict[str, Any]:
        """Its fields."""
        return {"trace": self.name, "result": self.result, "seconds": self.seconds, "detail": self.detail}


class Drill:
    """One event on its way through a stack."""

    def __init__(self, write: Write, event: DrillEvent) -> None:
        self.event, self.write = event, write
        deployment = write.deployment
        self.bus = str(deployment.outputs.get("event_bus_name") or DEFAULT_BUS)
        self._trail = deployment.output("audit_trail_table_name")
        self._dynamodb, self._incidents = DynamoDB(deployment), IncidentTable(deployment)
        self._recorded, self._incident = Trace("recorded in the audit trail"), Trace("incident")
        self._put_at = 0.0

    @property
    def traces(self) -> list[Trace]:
        """What this event has to leave behind."""
        opens_incident = self.event.kind is DrillKind.ROTATION_FAILED
        return [self._recorded, self._incident] if opens_incident else [self._recorded]

    def put(self) -> None:
        """Put the event on the bus. Raises Unreachable if the bus did not take it."""
        deployment = self.write.deployment
        progress.update(f"Putting the event on the bus {self.bus}")
        client = deployment.session.client("events")
        with translate_aws_errors(deployment.session, f"{deployment.description}, event bus {self.bus}"):
            answer = client.put_events(Entries=[self.event.to_entry(self.bus)])
        self._put_at = time.monotonic()
        # An entry that is refused is no error of the call
        # (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html).
        if answer["FailedEntryCount"]:
            refusal = answer["Entries"][0]
            raise Unreachable(
                f"{deployment.description}: the event bus {self.bus} did not take the event: "
                f"{refusal.get('ErrorCode')}: {refusal.get('ErrorMessage')}"
            )

    def follow(self, timeout: int) -> None:
        """Look for the traces until all are seen or so many seconds have passed."""
        while pending := [trace for trace in self.traces if trace.result is MISSING]:
            seconds = time.monotonic() - self._put_at
            for trace in pending:
                self._look(trace, seconds)
            if all(trace.result is not MISSING for trace in pending) or seconds >= timeout:
                return
            names = " and ".join(trace.name for trace in pending if trace.result is MISSING)
            progress.update(f"Waiting since {seconds:.0f} seconds for: {names}")
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _look(self, trace: Trace, seconds: float) -> None:
        try:
            detail = self._find_row() if trace is self._recorded else self._find_incident()
        except CommandError as error:
            trace.result, trace.problem = UNREADABLE, str(error)
            return
        if detail is not None:
            trace.result, trace.seconds, trace.detail = SEEN, round(seconds, 1), detail

    def _find_row(self) -> str | None:
        key = {name: {"S": value} for name, value in self.event.trail_key.items()}
        answer = self._dynamodb.call(self._trail, "get_item", TableName=self._trail, Key=key, ConsistentRead=True)
        return f"event {self.event.event_id}" if "Item" in answer else None

    def _find_incident(self) -> str | None:
        """The incident that the event opened or joined, and its state."""
        for row in self._incidents.incidents_of(self.event.secret_arn or ""):
            if self.event.event_id in (row.get("event_ids") or ()):
                return _describe_incident(row)
            if row.get("reminded_at") == self.event.occurred_at:
                return f"reminded of the one opened at {row['opened_at']}, {_describe_state(row)}"
        return None

    def explain_missing(self, timeout: int) -> Iterator[str]:
        """A sentence for each trace that was not seen: what to set, or what could not be read."""
        if self._recorded.result is MISSING:
            setting = _SETTINGS.get(self.event.kind, "drill to true")
            yield (
                f"The event was not recorded within {timeout} seconds: set {setting}; if the stack has that setting, "
                "`rotation-guard doctor` names the link that is broken."
            )
        elif self._incident in self.traces and self._incident.result is MISSING:
            yield (
                f"No incident of {self.event.secret_arn} has the event after {timeout} seconds: the executions of the "
                "remediation workflow say why."
            )
        yield from (trace.problem for trace in self.traces if trace.problem)


def _describe_incident(row: Record) -> str:
    opened = "opened" if len(row.get("event_ids") or ()) == 1 else "joined the one opened"
    return f"{opened} at {row['opened_at']}, {_describe_state(row)}"


def _describe_state(row: Record) -> str:
    outcome = row.get("outcome")
    return f"{row.get('state')}, {outcome}" if outcome else str(row.get("state"))


def build_drill_report(drill: Drill, timeout: int, now: datetime) -> Report:
    """The Report of a drill that was followed."""
    event, deployment = drill.event, drill.write.deployment
    rows = [trace.to_json() for trace in drill.traces]
    unreadable = list(drill.explain_missing(timeout))
    return Report(
        headline=f"{deployment.description}, as of {now:%Y-%m-%d %H:%M:%S} UTC.",
        answer=_write_answer(drill),
        columns=(Column("TRACE"), Column("RESULT"), Column("SECONDS", is_number=True)),
        rows=[_to_row(trace) for trace in drill.traces],
        summary=f"{sum(trace.result is SEEN for trace in drill.traces)} of {len(rows)} traces seen.",
        facts=[("Event", f"{event.kind} {event.event_id} at {event.occurred_at}"), ("Event bus", drill.bus)],
        body={
            "version": JSON_VERSION,
            "generated_at": to_iso(now),
            "source": dict(deployment.source),
            "drill": _describe_drill(drill),
            "traces": rows,
            "warnings": [],
            "unreadable": unreadable,
        },
        csv=Records(_COLUMNS, [row.values() for row in rows]),
        markdown=Records(_COLUMNS, [row.values() for row in rows]),
        next_steps=_choose_next_steps(event),
        unreadable=unreadable,
    )


def _write_answer(drill: Drill) -> str:
    parts = [
        f"{trace.name}: {trace.result}" + ("" if trace.seconds is None else f" after {trace.seconds:g} seconds")
        for trace in drill.traces
    ]
    return f"The drill {drill.event.kind} was put on the bus; {'; '.join(parts)}."


def _describe_drill(drill: Drill) -> Mapping[str, Any]:
    return {
        "event": str(drill.event.kind),
        "event_id": drill.event.event_id,
        "occurred_at": drill.event.occurred_at,
        "source": drill.event.source,
        "event_bus": drill.bus,
        "secret_arn": drill.event.secret_arn,
        "caller_arn": drill.write.caller_arn,
        "reason": drill.write.reason or None,
    }


def _choose_next_steps(event: DrillEvent) -> str:
    if event.kind is not DrillKind.ROTATION_FAILED:
        return ""
    return f"`rotation-guard incidents show {event.secret_arn}` shows how the incident goes on."


def _to_row(trace: Trace) -> Row:
    seconds = "-" if trace.seconds is None else f"{trace.seconds:g}"
    return Row(trace.name, [(trace.result, _STYLES[trace.result]), (seconds, PLAIN)], trace.detail or trace.problem)
