"""Reads the resources of a stack out of a file: `pulumi stack export`, or `pulumi preview --json`."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .stack import Resource, asked_for
from .values import plain

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
_ROOT = "pulumi:pulumi:Stack"


class NotAnExport(Exception):
    """The file holds no resources that can be read; the message says what it is instead."""


@dataclass(frozen=True)
class Contents:
    """What a file holds."""

    resources: tuple[Resource, ...]
    missing: int = 0
    """How many resources of the stack the file leaves out."""
    failure: str | None = None
    """Why the preview failed, where it did: then it ended before it had seen the whole stack."""


def read(data: bytes) -> Contents:
    """The resources in the file. Raises NotAnExport with a sentence."""
    if not data.strip():
        raise NotAnExport("The file is empty.")
    try:
        found = json.loads(data)
    except UnicodeDecodeError as problem:
        raise NotAnExport("The file is no text.") from problem
    except json.JSONDecodeError as problem:
        found = _embedded(problem.doc)
        if found is not None:
            return _contents(found)
        what = "breaks off" if _breaks_off(problem) else "is not JSON"
        raise NotAnExport(
            f"The file {what} at line {problem.lineno}, column {problem.colno}: {problem.msg}."
        ) from problem
    except RecursionError as problem:
        raise NotAnExport("The file is nested too deeply to be a Pulumi export.") from problem
    except ValueError as problem:
        raise NotAnExport(f"The file cannot be read as JSON: {problem}.") from problem
    return _contents(found)


def _embedded(text: str) -> Mapping[str, Any] | None:
    """The export or preview in a text that has other lines around it, as the CLI prints them with a policy pack."""
    for line in re.finditer(r"^\{", text, re.MULTILINE):
        try:
            found, _ = json.JSONDecoder().raw_decode(text, line.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, Mapping) and (_deployment(found) is not None or _is_preview(found)):
            return found
    return None


def _contents(found: Any) -> Contents:
    if not isinstance(found, Mapping):
        raise NotAnExport(f"{_FORMATS} It holds {_KINDS.get(type(found), 'a number')}.")
    deployment = _deployment(found)
    if deployment is not None:
        return _exported(deployment)
    if _is_preview(found):
        return _previewed(found)
    keys = ", ".join(map(str, list(found)[:5])) or "nothing"
    raise NotAnExport(f"{_FORMATS} It holds {keys}.")


_FORMATS = "The file is neither the output of `pulumi stack export` nor of `pulumi preview --json`."


def _is_preview(found: Mapping[str, Any]) -> bool:
    keys = set(found)
    return bool(keys & _OF_PREVIEWS) and (keys <= _OF_PREVIEWS or isinstance(found.get("changeSummary"), Mapping))


def _breaks_off(problem: json.JSONDecodeError) -> bool:
    """Whether the text was right as far as it goes."""
    rest = problem.doc[problem.pos :].rstrip()
    return problem.msg.startswith("Unterminated") or any(word.startswith(rest) for word in ("true", "false", "null"))


def _deployment(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part with the resources: in an export, in the file of a backend, or in an old checkpoint."""
    checkpoint = found.get("checkpoint")
    latest = checkpoint.get("latest") if isinstance(checkpoint, Mapping) else found.get("latest")
    for place in (found.get("deployment"), latest):
        if isinstance(place, Mapping) and ("version" in found or _OF_DEPLOYMENTS & set(place)):
            return place
    is_empty = "version" in found and "deployment" in found and found["deployment"] is None
    # As a backend of files writes a stack that never had a resource.
    is_new = "version" in found and isinstance(checkpoint, Mapping) and latest is None
    return {} if is_empty or is_new else None


def _exported(deployment: Mapping[str, Any]) -> Contents:
    states = _listed(deployment.get("resources") or [], "resources")
    # What waits to be deleted has been replaced already.
    return Contents(_unique(_resource(one) for one in states if not one.get("delete")))


def _previewed(found: Mapping[str, Any]) -> Contents:
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
        tuple(after.values()), _unlisted(found.get("changeSummary"), steps), _failure(found.get("diagnostics"))
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
