"""What a report on secrets is based on, and who made it: the same facts for every format."""

from collections.abc import Iterator, Mapping
from typing import Any

from rotation_guard.domain.audit.audit_settings import describe_settings
from rotation_guard.domain.timestamps import to_iso

from .identity import product_version
from .report import JSON_VERSION
from .secret_answer import Part, SecretAnswer


def describe_subject(answer: SecretAnswer) -> str:
    """What is reported."""
    return f"{len(answer.parts)} accounts and Regions" if answer.has_several_parts else answer.parts[0].description


def describe_source(answer: SecretAnswer) -> str:
    """What is reported, as of when, and based on which run."""
    first = answer.parts[0]
    text = f"{describe_subject(answer)}, as of {answer.at:%Y-%m-%d %H:%M:%S} UTC"
    if answer.since is not None:
        text += f", changes since {answer.since:%Y-%m-%d %H:%M:%S} UTC"
    if first.run is not None and not answer.has_several_parts:
        text += f"; based on {_describe_run(first.run)}"
    return f"{text}."


def _describe_run(run: Mapping[str, Any]) -> str:
    return f"the run {run['run_id']}, which checked {run['checked']}"


def list_provenance(answer: SecretAnswer) -> list[tuple[str, str]]:
    """The facts about each part, and who generated the report: a label and its text."""
    facts = [pair for part in answer.parts for pair in _describe_part(part, answer)]
    caller = next((part.identity.caller_arn for part in answer.parts if part.identity.caller_arn), None)
    by = f" by {caller}" if caller else ""
    version = product_version() or "of a checkout"
    return [*facts, ("generated", f"{answer.generated_at:%Y-%m-%d %H:%M:%S} UTC{by}, rotation-guard {version}")]


def _describe_part(part: Part, answer: SecretAnswer) -> Iterator[tuple[str, str]]:
    """What the answer is based on: a label and its text."""
    label = f"{part.source['description']}: " if answer.has_several_parts else ""
    if label and part.run is not None:
        yield f"{label}run", _describe_run(part.run)
    if part.source["kind"] != "file" or part.identity.account_id:
        yield f"{label}account", part.identity.describe()
    if part.unreadable and part.tally is None:
        return
    yield f"{label}settings", describe_settings(part.settings)


def build_head(answer: SecretAnswer) -> dict[str, Any]:
    """The fields of the JSON that every report on secrets has."""
    first, tally = answer.parts[0], answer.tally
    several = {"kind": "several", "description": f"{len(answer.parts)} accounts and Regions"}
    return {
        "version": JSON_VERSION,
        "generated_at": to_iso(answer.generated_at),
        "product_version": product_version(),
        "as_of": to_iso(answer.at),
        **({"since": to_iso(answer.since)} if answer.since else {}),
        "headline": answer.headline or None,
        "tally": tally.to_json() if tally else None,
        "source": several if answer.has_several_parts else dict(first.source),
        "identity": None if answer.has_several_parts else first.identity.to_json(),
        "run": None if answer.has_several_parts else first.run,
        "warnings": answer.warning_sentences,
        "unreadable": answer.unreadable,
        "settings": {} if answer.has_several_parts else dict(first.settings),
        "parts": [_part_to_json(part) for part in answer.parts],
    }


def _part_to_json(part: Part) -> dict[str, Any]:
    return {
        "source": dict(part.source),
        "identity": part.identity.to_json(),
        "settings": dict(part.settings),
        "run": part.run,
        "last_complete_at": to_iso(part.last_complete) if part.last_complete else None,
        "tally": part.tally.to_json() if part.tally else None,
        "warnings": list(part.warnings),
        "unreadable": list(part.unreadable),
    }


def provenance_cells(part: Part, answer: SecretAnswer) -> list[object]:
    """The cells of PROVENANCE_COLUMNS."""
    return [
        part.identity.account_alias,
        part.run["run_id"] if part.run else None,
        describe_settings(part.settings),
        product_version(),
        part.identity.caller_arn,
        to_iso(answer.generated_at),
    ]
