"""Reads the resources of a stack from a file: of `pulumi stack export`, of a file backend, or of a preview.

The formats are those of Pulumi's `apitype` package (`core.go` and `events.go`) and of its `PreviewDigest`.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model.stack import Resource, effective_inputs
from ..model.values import to_plain
from . import engine_events

NEWEST_VERSION = 4
"""The newest version of the deployment format that the CLI accepts."""
_DELETING = frozenset({"delete", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace"})
"""Steps that delete a resource or its old version."""
_DELETING_WITHOUT_REPLACEMENT = frozenset({"delete", "discard"})
"""Those of them that are not part of a replacement."""
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
    """The file has no resources that can be read; the message says why."""


@dataclass(frozen=True)
class Contents:
    """The contents of a file."""

    resources: tuple[Resource, ...]
    missing: int = 0
    """Number of resources of the stack that the file leaves out."""
    pending: int = 0
    """Number of resources whose creation an update may or may not have finished before it was interrupted."""
    failure: str | None = None
    """Why the preview or update failed before it knew the whole stack; None where it did not."""
    operation: str = "preview"
    """`preview` or `update`."""


def read(data: bytes) -> Contents:
    """Read a file. Raises NotAnExport."""
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
        document = json.loads(text)
    except json.JSONDecodeError as problem:
        return _read_embedded(text, problem)
    return _contents(document)


def _decompress(data: bytes) -> bytes:
    """Decompress the files of a file backend with PULUMI_DIY_BACKEND_GZIP; zstd is not supported."""
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
    """Decode UTF-8, UTF-16 or UTF-32, with a byte-order mark or without."""
    try:
        return data.decode(json.detect_encoding(data), "surrogatepass")
    except UnicodeDecodeError as problem:
        raise NotAnExport("The file is not text.") from problem


def _read_embedded(text: str, first: json.JSONDecodeError) -> Contents:
    """Read JSON between other lines of text, or a stream of events."""
    documents: list[Any] = []
    events: list[Any] = []
    try:
        for value in _list_objects(text):
            if engine_events.is_event(value):
                events.append(value)
            elif _deployment(value) is not None or _is_preview(value):
                documents.append(value)
    except json.JSONDecodeError as problem:
        # After a complete document or stream, this is text with a brace in it.
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
    """List the outermost JSON objects in a text. Raises JSONDecodeError where the last one is truncated."""
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
    """Whether the text is valid up to its end."""
    rest = problem.doc[problem.pos :].rstrip()
    return problem.msg.startswith("Unterminated") or any(word.startswith(rest) for word in ("true", "false", "null"))


def _place(problem: json.JSONDecodeError) -> str:
    return f"line {problem.lineno}, column {problem.colno}: {problem.msg}"


def _contents(document: Any) -> Contents:
    if not isinstance(document, Mapping):
        raise NotAnExport(f"{_FORMATS} It holds {_KINDS.get(type(document), 'a number')}.")
    if engine_events.is_event(document):
        return _read_events([document])
    deployment = _deployment(document)
    if deployment is not None:
        version = document.get("version")
        if isinstance(version, int) and version > NEWEST_VERSION:
            raise NotAnExport(f"The version of the export must be at most {NEWEST_VERSION}, got {version}.")
        return _exported(deployment)
    if _is_preview(document):
        return _previewed(document)
    keys = ", ".join(map(str, list(document)[:5])) or "nothing"
    raise NotAnExport(f"{_FORMATS} It holds {keys}.")


def _is_preview(document: Mapping[str, Any]) -> bool:
    """Whether it is a preview, which has at least steps, changes or diagnostics."""
    if isinstance(document.get("changeSummary"), Mapping):
        return True
    diagnostics = document.get("diagnostics")
    is_diagnosed = isinstance(diagnostics, list) and any(isinstance(diagnostic, Mapping) for diagnostic in diagnostics)
    return set(document) <= _OF_PREVIEWS and ("steps" in document or is_diagnosed)


def _deployment(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part with the resources, of an export, a backend's file, or a checkpoint without a version."""
    checkpoint = document.get("checkpoint")
    latest = checkpoint.get("latest") if isinstance(checkpoint, Mapping) else document.get("latest")
    for place in (document.get("deployment"), latest):
        if isinstance(place, Mapping) and ("version" in document or _OF_DEPLOYMENTS & set(place)):
            return place
    is_empty = set(document) <= {"version", "features", "deployment"} and document.get("deployment") is None
    if is_empty and isinstance(document.get("version"), int):
        return {}
    is_bare = set(document) <= {"stack", "latest"} and _is_checkpoint_without_deployment(document)
    # A file backend writes this for a stack that never had a resource.
    return {} if is_bare or _is_checkpoint_without_deployment(checkpoint) else None


def _is_checkpoint_without_deployment(document: Any) -> bool:
    is_checkpoint = (
        isinstance(document, Mapping) and isinstance(document.get("stack"), str) and set(document) <= _OF_CHECKPOINTS
    )
    return is_checkpoint and document.get("latest") is None


def _exported(deployment: Mapping[str, Any]) -> Contents:
    states = _listed(deployment.get("resources") or [], "resources")
    # A resource that is pending deletion has been replaced already.
    resources = _unique(_resource(state) for state in states if not state.get("delete"))
    return Contents(resources, pending=_count_pending(deployment.get("pending_operations"), resources))


def _count_pending(operations: Any, resources: Iterable[Resource]) -> int:
    """Count the resources that were being created and are not in the state."""
    known = {resource.urn for resource in resources}
    created = [
        operation.get("resource")
        for operation in (operations if isinstance(operations, list) else ())
        if isinstance(operation, Mapping) and operation.get("type") == "creating"
    ]
    return len({str(state.get("urn")) for state in created if isinstance(state, Mapping)} - known)


def _read_events(events: list[Mapping[str, Any]]) -> Contents:
    operation = "preview" if engine_events.is_preview(events) else "update"
    return _previewed(engine_events.to_preview(events), operation)


def _previewed(document: Mapping[str, Any], operation: str = "preview") -> Contents:
    steps = _listed(document.get("steps") or [], "steps")
    after: dict[str, Resource] = {}
    for step in steps:
        op, state, before = step.get("op"), step.get("newState"), step.get("oldState")
        if not isinstance(op, str):
            raise NotAnExport(f"{_FORMATS} One of its steps has no op.")
        if op not in _DELETING and isinstance(state, Mapping):
            resource = _resource(state, is_read=op in _READING)
            # The last step for a URN counts: a refresh or replacement has several.
            after[resource.urn] = resource
        elif op in _DELETING_WITHOUT_REPLACEMENT and not (isinstance(before, Mapping) and before.get("delete")):
            after.pop(str(step.get("urn")), None)
    return Contents(
        tuple(after.values()),
        missing=_count_unlisted(document.get("changeSummary"), steps),
        failure=_failure(document.get("diagnostics")),
        operation=operation,
    )


def _failure(diagnostics: Any) -> str | None:
    """The first line of the first error among the diagnostics."""
    for diagnostic in diagnostics if isinstance(diagnostics, list) else ():
        if isinstance(diagnostic, Mapping) and diagnostic.get("severity") == "error":
            return next(
                (line.strip() for line in str(diagnostic.get("message")).splitlines() if line.strip()),
                "no reason given",
            )
    return None


def _count_unlisted(summary: Any, steps: list[Mapping[str, Any]]) -> int:
    """Count the unchanged resources that a preview leaves out: all of them, unless --show-sames is set."""
    same = summary.get("same", 0) if isinstance(summary, Mapping) else 0
    last = {str(step.get("urn")): step.get("op") for step in steps}
    listed = sum(op in ("same", "refresh") for op in last.values())
    root = any(f"::{_ROOT}::" in urn for urn in last)
    return max(0, same - listed - (0 if root else 1)) if isinstance(same, int) else 0


def _listed(items: Any, what: str) -> list[Mapping[str, Any]]:
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise NotAnExport(f"{_FORMATS} Its {what} are not a list of objects.")
    return items


def _resource(state: Mapping[str, Any], is_read: bool = False) -> Resource:
    urn, type_ = state.get("urn"), state.get("type")
    if not isinstance(urn, str) or not isinstance(type_, str) or urn.count("::") < 3:
        raise NotAnExport(f"{_FORMATS} One of its resources has no URN or no type.")
    inputs, outputs = _properties(state, "inputs"), _properties(state, "outputs")
    if isinstance(state.get("id"), str) and state["id"]:
        outputs = {"id": to_plain(state["id"])} | outputs
    derived_from = _derived_from(state)
    external = is_read or state.get("external") is True
    return Resource(
        type=type_,
        name=urn.split("::", 3)[3],
        urn=urn,
        # A resource that is only read has outputs, but no inputs of this program.
        props=effective_inputs({} if external else inputs, outputs, derived_from),
        property_dependencies=derived_from,
        parent=next(iter(_urns([state.get("parent")])), None),
        external=external,
        # Events omit false values, and a component has no provider.
        custom=state.get("custom", bool(state.get("provider"))) is True,
    )


def _derived_from(state: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    dependencies = state.get("propertyDependencies")
    return {key: _urns(urns) for key, urns in dependencies.items()} if isinstance(dependencies, Mapping) else {}


def _urns(items: Any) -> tuple[str, ...]:
    return tuple(urn for urn in items if isinstance(urn, str) and urn) if isinstance(items, list) else ()


def _properties(state: Mapping[str, Any], key: str) -> dict[str, Any]:
    properties = to_plain(state.get(key) or {})
    if not isinstance(properties, dict):
        raise NotAnExport(f"{_FORMATS} The {key} of {state['urn']} are not a map.")
    return properties


def _unique(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Keep the last resource per URN: a replacement has several steps."""
    return tuple({resource.urn: resource for resource in resources}.values())
