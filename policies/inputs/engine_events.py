"""Reads the engine's events from `pulumi up --json`, `--event-log` or a streamed `pulumi preview --json`.

Each line is a JSON object with a sequence number and one event, as in `apitype/events.go` of Pulumi's SDK. A preview
streams them where PULUMI_ENABLE_STREAMING_JSON_PREVIEW is set.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_STEPS = ("resourcePreEvent", "resOutputsEvent")
_EVENTS = frozenset(
    {
        *_STEPS,
        "cancelEvent",
        "stdoutEvent",
        "diagnosticEvent",
        "preludeEvent",
        "summaryEvent",
        "resOpFailedEvent",
        "policyEvent",
        "policyRemediationEvent",
        "policyLoadEvent",
        "policyAnalyzeSummaryEvent",
        "policyRemediateSummaryEvent",
        "policyAnalyzeStackSummaryEvent",
        "startDebuggingEvent",
        "progressEvent",
        "errorEvent",
    }
)
_COLOR = re.compile(r"<\{%.*?%\}>")
"""The engine's color codes in messages."""


def is_event(value: Any) -> bool:
    """Whether this is an engine event."""
    return isinstance(value, Mapping) and isinstance(value.get("sequence"), int) and not _EVENTS.isdisjoint(value)


def is_preview(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the events are those of a preview."""
    flags = (
        payload.get(key)
        for payload in _list_payloads(events, "summaryEvent", *_STEPS)
        for key in ("isPreview", "planning")
    )
    return True in flags


def to_preview(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Convert events to the format of `pulumi preview --json`: steps, changes and diagnostics."""
    listed = list(events)
    summary = next(_list_payloads(listed, "summaryEvent"), None)
    return {
        "steps": [step for event in listed for step in _list_steps(event)],
        "changeSummary": {} if summary is None else summary.get("resourceChanges"),
        "diagnostics": [*_list_diagnostics(listed), *_list_failures(summary)],
    }


def _list_payloads(events: Iterable[Mapping[str, Any]], *names: str) -> Iterator[Mapping[str, Any]]:
    return (event[name] for event in events for name in names if isinstance(event.get(name), Mapping))


def _list_steps(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The step of an event: each step has one event at its start and one with its result."""
    for payload in _list_payloads([event], *_STEPS):
        if isinstance(step := payload.get("metadata"), Mapping):
            yield {
                "op": step.get("op"),
                "urn": step.get("urn"),
                "oldState": step.get("old"),
                "newState": step.get("new"),
            }


def _list_diagnostics(events: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for diagnostic in _list_payloads(events, "diagnosticEvent"):
        if not diagnostic.get("ephemeral"):
            message = _COLOR.sub("", f"{diagnostic.get('prefix') or ''}{diagnostic.get('message') or ''}")
            yield {"severity": diagnostic.get("severity"), "message": message}


def _list_failures(summary: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Report a failure for which the events have no diagnostic."""
    if summary is None:
        yield {"severity": "error", "message": "the events end before the summary"}
    elif summary.get("result") not in (None, "", "succeeded"):
        yield {"severity": "error", "message": f"its result is {summary['result']}"}
