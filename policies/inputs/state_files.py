"""Reads the resources of a stack out of a file: of `pulumi stack export`, of a file backend, or of a preview.

The shapes are those of Pulumi's `apitype` package (`core.go` and `events.go`) and of its `PreviewDigest`.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model.stack import Resource, asked_for
from ..model.values import plain
from . import engine_events

NEWEST_VERSION = 4
"""Of the format of a deployment; the CLI refuses a newer one as well."""
_ENDING = frozenset({"delete", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace"})
"""Steps after which a resource is gone."""
_GONE = frozenset({"delete", "discard"})
"""Those of them that no replacement follows or goes before."""
_READING = frozenset({"read", "read-replacement"})
_OF_PREVIEWS = frozenset(
    {"config", "steps", "diagnostics", "duration", "changeSummary", "maybeCorrupt", "detailedDiff", "policyViolations"}
)
_KINDS = {list: "a list", str: "a text", type(None): "null"}
_OF_DEPLOYMENTS = frozenset({"manifest", "resources", "secrets_providers", "pending_operations", "metadata"})
_OF_CHECKPOINTS = frozenset({"stack", "config", "latest"})
_ROOT = "pulumi:pulumi:Stack"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FORMATS = "The file is neither the output of `pulumi stack export` nor of `pulumi preview --json`."


class NotAnExport(Exception):
    """The file holds no resources that can be read; the message says what it is instead."""


@dataclass(frozen=True)
class Contents:
    """What a file holds."""

    resources: tuple[Resource, ...]
    missing: int = 0
    """How many resources of the stack the file leaves out."""
    pending: int = 0
    """How many were being created when an update was interrupted: whether they exist is not known."""
    failure: str | None = None
    """Why the preview or the update failed, where it did: then it ended before it had seen the whole stack."""
    operation: str = "preview"
    """What the file tells of: `preview` or `update`."""


def read(data: bytes) -> Contents:
    """The resources in the file. Raises NotAnExport with a sentence."""
    text = _decode(_decompress(data))
    if not text.strip():
        raise NotAnExport("The file is empty.")
    try:
        return _read_text(text)
    except RecursionError as problem:
        raise NotAnExport("The file is nested too deeply to be a Pulumi export.") from problem
    except ValueError as problem:
        raise NotAnExport(f"The file cannot be read as JSON: {problem}.") from problem


def _read_text(text: str) -> Contents:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as problem:
        return _read_embedded(text, problem)
    return _contents(found)


def _decompress(data: bytes) -> bytes:
    """A file backend compresses its files where PULUMI_DIY_BACKEND_GZIP or its counterpart for zstd is set."""
    if data.startswith(_ZSTD):
        raise NotAnExport(
            "The file is compressed with zstd: decompress it, or give the output of `pulumi stack export`."
        )
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except EOFError as problem:
        raise NotAnExport("The file breaks off: its gzip data has no end.") from problem
    except (OSError, zlib.error) as problem:
        raise NotAnExport(f"The file cannot be decompressed: {problem}.") from problem


def _decode(data: bytes) -> str:
    """The text in UTF-8, UTF-16 or UTF-32, with a byte-order mark or without."""
    try:
        return data.decode(json.detect_encoding(data), "surrogatepass")
    except UnicodeDecodeError as problem:
        raise NotAnExport("The file is no text.") from problem


def _read_embedded(text: str, first: json.JSONDecodeError) -> Contents:
    """What a text holds that has other lines around its JSON, or that is a stream of events."""
    documents: list[Any] = []
    events: list[Any] = []
    try:
        for value in _list_objects(text):
            if engine_events.is_event(value):
                events.append(value)
            elif _deployment(value) is not None or _is_preview(value):
                documents.append(value)
    except json.JSONDecodeError as problem:
        # What follows a whole document, or the last events of a stream, is text that has a brace in it.
        if not documents and not any("summaryEvent" in event for event in events):
            raise NotAnExport(f"The file breaks off at {_place(problem)}.") from problem
    if len(documents) > 1:
        raise NotAnExport(f"The file holds {len(documents)} exports or previews: check each in a file of its own.")
    if documents:
        return _contents(documents[0])
    if events:
        return _read_events(events)
    raise NotAnExport(f"The file is not JSON at {_place(first)}.") from first


def _list_objects(text: str) -> Iterator[Any]:
    """Each JSON object in a text, inner ones left out. Raises JSONDecodeError where the last one breaks off."""
    decoder = json.JSONDecoder()
    position = text.find("{")
    while position >= 0:
        try:
            value, position = decoder.raw_decode(text, position)
            yield value
        except json.JSONDecodeError as problem:
            if _breaks_off(problem):
                raise
            position += 1
        position = text.find("{", position)


def _breaks_off(problem: json.JSONDecodeError) -> bool:
    """Whether the text was right as far as it goes."""
    rest = problem.doc[problem.pos :].rstrip()
    return problem.msg.startswith("Unterminated") or any(word.startswith(rest) for word in ("true", "false", "null"))


def _place(problem: json.JSONDecodeError) -> str:
    return f"line {problem.lineno}, column {problem.colno}: {problem.msg}"


def _contents(found: Any) -> Contents:
    if not isinstance(found, Mapping):
        raise NotAnExport(f"{_FORMATS} It holds {_KINDS.get(type(found), 'a number')}.")
    if engine_events.is_event(found):
        return _read_events([found])
    deployment = _deployment(found)
    if deployment is not None:
        version = found.get("version")
        if isinstance(version, int) and version > NEWEST_VERSION:
            raise NotAnExport(f"The version of the export must be at most {NEWEST_VERSION}, got {version}.")
        return _exported(deployment)
    if _is_preview(found):
        return _previewed(found)
    keys = ", ".join(map(str, list(found)[:5])) or "nothing"
    raise NotAnExport(f"{_FORMATS} It holds {keys}.")


def _is_preview(found: Mapping[str, Any]) -> bool:
    """Whether it is a preview, which tells at least of steps, of changes or of what went wrong."""
    if isinstance(found.get("changeSummary"), Mapping):
        return True
    diagnostics = found.get("diagnostics")
    is_diagnosed = isinstance(diagnostics, list) and any(isinstance(one, Mapping) for one in diagnostics)
    return set(found) <= _OF_PREVIEWS and ("steps" in found or is_diagnosed)


def _deployment(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part with the resources: in an export, in the file of a backend, or in a checkpoint without a version."""
    checkpoint = found.get("checkpoint")
    latest = checkpoint.get("latest") if isinstance(checkpoint, Mapping) else found.get("latest")
    for place in (found.get("deployment"), latest):
        if isinstance(place, Mapping) and ("version" in found or _OF_DEPLOYMENTS & set(place)):
            return place
    is_empty = set(found) <= {"version", "features", "deployment"} and found.get("deployment") is None
    if is_empty and isinstance(found.get("version"), int):
        return {}
    is_bare = set(found) <= {"stack", "latest"} and _is_checkpoint_without_deployment(found)
    # As a backend of files writes a stack that never had a resource.
    return {} if is_bare or _is_checkpoint_without_deployment(checkpoint) else None


def _is_checkpoint_without_deployment(found: Any) -> bool:
    is_checkpoint = isinstance(found, Mapping) and isinstance(found.get("stack"), str) and set(found) <= _OF_CHECKPOINTS
    return is_checkpoint and found.get("latest") is None


def _exported(deployment: Mapping[str, Any]) -> Contents:
    states = _listed(deployment.get("resources") or [], "resources")
    # What waits to be deleted has been replaced already.
    resources = _unique(_resource(one) for one in states if not one.get("delete"))
    return Contents(resources, pending=_count_pending(deployment.get("pending_operations"), resources))


def _count_pending(operations: Any, resources: Iterable[Resource]) -> int:
    """How many resources were being created, and are not in the state."""
    known = {one.urn for one in resources}
    created = [
        one.get("resource")
        for one in (operations if isinstance(operations, list) else ())
        if isinstance(one, Mapping) and one.get("type") == "creating"
    ]
    return len({str(one.get("urn")) for one in created if isinstance(one, Mapping)} - known)


def _read_events(events: list[Mapping[str, Any]]) -> Contents:
    operation = "preview" if engine_events.is_preview(events) else "update"
    return _previewed(engine_events.to_preview(events), operation)


def _previewed(found: Mapping[str, Any], operation: str = "preview") -> Contents:
    steps = _listed(found.get("steps") or [], "steps")
    after: dict[str, Resource] = {}
    for step in steps:
        op, state, before = step.get("op"), step.get("newState"), step.get("oldState")
        if not isinstance(op, str):
            raise NotAnExport(f"{_FORMATS} One of its steps has no op.")
        if op not in _ENDING and isinstance(state, Mapping):
            one = _resource(state, looked_up=op in _READING)
            # The last step for a URN counts: a refresh or a replacement takes several.
            after[one.urn] = one
        elif op in _GONE and not (isinstance(before, Mapping) and before.get("delete")):
            after.pop(str(step.get("urn")), None)
    return Contents(
        tuple(after.values()),
        missing=_unlisted(found.get("changeSummary"), steps),
        failure=_failure(found.get("diagnostics")),
        operation=operation,
    )


def _failure(diagnostics: Any) -> str | None:
    """The first line of the first error that a preview reports."""
    for one in diagnostics if isinstance(diagnostics, list) else ():
        if isinstance(one, Mapping) and one.get("severity") == "error":
            return next(
                (line.strip() for line in str(one.get("message")).splitlines() if line.strip()), "no reason given"
            )
    return None


def _unlisted(summary: Any, steps: list[Mapping[str, Any]]) -> int:
    """How many unchanged resources a preview leaves out: all of them, unless it was asked to show them."""
    same = summary.get("same", 0) if isinstance(summary, Mapping) else 0
    last = {str(step.get("urn")): step.get("op") for step in steps}
    listed = sum(op in ("same", "refresh") for op in last.values())
    root = any(f"::{_ROOT}::" in urn for urn in last)
    return max(0, same - listed - (0 if root else 1)) if isinstance(same, int) else 0


def _listed(found: Any, what: str) -> list[Mapping[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise NotAnExport(f"{_FORMATS} Its {what} are no list of objects.")
    return found


def _resource(state: Mapping[str, Any], looked_up: bool = False) -> Resource:
    urn, type_ = state.get("urn"), state.get("type")
    if not isinstance(urn, str) or not isinstance(type_, str) or urn.count("::") < 3:
        raise NotAnExport(f"{_FORMATS} One of its resources has no URN or no type.")
    inputs, outputs = _properties(state, "inputs"), _properties(state, "outputs")
    if isinstance(state.get("id"), str) and state["id"]:
        outputs = {"id": plain(state["id"])} | outputs
    made_of = _made_of(state)
    external = looked_up or state.get("external") is True
    return Resource(
        type=type_,
        name=urn.split("::", 3)[3],
        urn=urn,
        # What was looked up was not asked for: what is known of it are its outputs.
        props=asked_for({} if external else inputs, outputs, made_of),
        property_dependencies=made_of,
        dependencies=_urns(state.get("dependencies")),
        parent=next(iter(_urns([state.get("parent")])), None),
        provider=next(iter(_urns([state.get("provider")])), None),
        looked_up=external,
        # An event leaves out what is false, and a component has no provider.
        custom=state.get("custom", bool(state.get("provider"))) is True,
    )


def _made_of(state: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    given = state.get("propertyDependencies")
    return {key: _urns(urns) for key, urns in given.items()} if isinstance(given, Mapping) else {}


def _urns(given: Any) -> tuple[str, ...]:
    return tuple(one for one in given if isinstance(one, str) and one) if isinstance(given, list) else ()


def _properties(state: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = plain(state.get(key) or {})
    if not isinstance(found, dict):
        raise NotAnExport(f"{_FORMATS} The {key} of {state['urn']} are no map.")
    return found


def _unique(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """One for each URN, the last: a replacement takes several steps."""
    return tuple({one.urn: one for one in resources}.values())
