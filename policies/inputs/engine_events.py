"""Reads the engine's events, as `pulumi up --json`, `--event-log` and a streamed `pulumi preview --json` write them.

One JSON object a line, each with a sequence number and one event; a preview streams them where
PULUMI_ENABLE_STREAMING_JSON_PREVIEW is set (the shapes are those of `apitype/events.go` in Pulumi's SDK).
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
"""How the engine writes the colors of a message."""


def is_event(value: Any) -> bool:
    """Whether this is one event of the engine."""
    return isinstance(value, Mapping) and isinstance(value.get("sequence"), int) and not _EVENTS.isdisjoint(value)


def is_preview(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the events are of a preview, so that nothing has been changed."""
    flags = (
        payload.get(key)
        for payload in _list_payloads(events, "summaryEvent", *_STEPS)
        for key in ("isPreview", "planning")
    )
    return True in flags


def to_preview(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The same as `pulumi preview --json` writes it: steps, changes and diagnostics, in this order of events."""
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
    """The step that an event tells of: once as it begins, and once with its outcome."""
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
    """That it did not succeed, for events that give no reason."""
    if summary is None:
        yield {"severity": "error", "message": "the events end before the summary"}
    elif summary.get("result") not in (None, "", "succeeded"):
        yield {"severity": "error", "message": f"its result is {summary['result']}"}
