"""The JSON Schemas of what commands print: each file stands alone."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.schema_definitions import (
    CAUSE,
    COUNT,
    DEFINITIONS,
    FLAG,
    INCIDENT,
    MESSAGE,
    NUMBER,
    TALLY,
    TEXT,
    TIME,
    Schema,
    list_of,
    map_of,
    one_of,
    or_null,
    record,
    ref,
)
from docs.written_schemas import WRITTEN

FOLDER = Path(__file__).resolve().parent / "schemas"
VERSION = 1
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_COMPATIBILITY = (
    "Within a version fields are added, and none is changed or removed. This file is that of its release, which writes "
    "no other fields than these: a program that reads later releases ignores those that it does not know."
)
_HEAD = {
    "version": {"const": VERSION},
    "generated_at": TIME,
    "product_version": or_null(TEXT),
    "source": ref("source"),
    "identity": ref("identity"),
    "warnings": list_of(TEXT),
}
"""The fields of every report on a deployment."""
_SECRETS_HEAD = {
    **_HEAD,
    "identity": or_null(ref("identity")),
    "as_of": TIME,
    "headline": or_null(TEXT),
    "tally": or_null(ref("tally")),
    "run": or_null(ref("run")),
    "unreadable": list_of(TEXT),
    "settings": ref("settings"),
    "parts": {**list_of(ref("part")), "minItems": 1},
}
"""The fields of every report on secrets."""
_LINKS = ("secret", "execution", "ended_by", "runbook", "execution_log", "rotation_function_log")

PRINTED: Mapping[str, tuple[str, Schema]] = {
    "report": (
        "`rotation-guard report` and `scan`",
        record(
            {
                **_SECRETS_HEAD,
                "filters": record(
                    {
                        "verdict": list_of(TEXT),
                        "owner": list_of(TEXT),
                        "attention": FLAG,
                        "older_than_days": or_null(NUMBER),
                        "due_within_days": or_null(NUMBER),
                    }
                ),
                "summary": record(
                    {
                        "total": COUNT,
                        "attention": COUNT,
                        "status": map_of(COUNT),
                        "verdicts": map_of(COUNT),
                        "accepted": COUNT,
                    }
                ),
                "owners": list_of(record({"owner": or_null(TEXT), "attention": COUNT, **TALLY})),
                "exemptions": list_of(ref("exemption")),
                "secrets": list_of(ref("secret")),
            },
            {"since": TIME},
        ),
    ),
    "exemptions": (
        "`rotation-guard exemptions`",
        record({**_SECRETS_HEAD, "exemptions": list_of(ref("exemption"))}),
    ),
    "incidents-list": (
        "`rotation-guard incidents list`",
        record(
            {
                **_HEAD,
                "filters": record({"since": or_null(TIME), "open": FLAG, "outcome": list_of(TEXT), "attention": FLAG}),
                "summary": record({"total": COUNT, "attention": COUNT, "acknowledged": COUNT, "states": map_of(COUNT)}),
                "incidents": list_of(ref("incident")),
            }
        ),
    ),
    "incidents-show": (
        "`rotation-guard incidents show`",
        record(
            {
                **_HEAD,
                "incident": record(INCIDENT, is_open=True),
                "orphaned_at": or_null(TIME),
                "labels": or_null(map_of(list_of(TEXT))),
                "rotation_function": or_null(TEXT),
                "log_groups": record({}, dict.fromkeys(("execution_log", "rotation_function_log"), TEXT)),
                "links": record({}, dict.fromkeys(_LINKS, TEXT)),
                "next": or_null(TEXT),
                "timeline": list_of(ref("action")),
            }
        ),
    ),
    "incidents-orphaned": (
        "`rotation-guard incidents orphaned`",
        record(
            {
                **_HEAD,
                "secrets": list_of(
                    record(
                        {
                            "secret_name": TEXT,
                            "orphaned_at": TIME,
                            "succeeded_at": or_null(TIME),
                            "released_at": or_null(TIME),
                            "secret_arn": TEXT,
                        }
                    )
                ),
            }
        ),
    ),
    "remediation-status": (
        "`rotation-guard remediation status`",
        record(
            {
                **_HEAD,
                "kill_switch": record(
                    {
                        "parameter": TEXT,
                        "state": one_of("stopped", "enabled"),
                        "value": or_null(TEXT),
                        "since": or_null(TIME),
                        "changed_by": or_null(TEXT),
                        "reason": or_null(TEXT),
                    }
                ),
            }
        ),
    ),
    "doctor": (
        "`rotation-guard doctor`",
        record(
            {
                **_HEAD,
                "summary": record(dict.fromkeys(("total", "ok", "broken", "cannot_tell"), COUNT)),
                "links": list_of(
                    record(
                        {
                            "subject": TEXT,
                            "link": TEXT,
                            "verdict": one_of("ok", "broken", "cannot tell"),
                            "reason": TEXT,
                            "fix": TEXT,
                        }
                    )
                ),
            }
        ),
    ),
    "dead-letters-list": (
        "`rotation-guard dead-letters list`",
        record(
            {
                **_HEAD,
                "filters": ref("message_filters"),
                "summary": record({"total": COUNT, "shown": COUNT}),
                "queues": list_of(
                    record(
                        {
                            "queue": TEXT,
                            "holds": TEXT,
                            "url": TEXT,
                            **dict.fromkeys(("visible", "in_flight", "delayed"), or_null(COUNT)),
                            "read": COUNT,
                            "oldest_at": or_null(TIME),
                            "expires_at": or_null(TIME),
                            "error": or_null(TEXT),
                            "causes": list_of(ref("cause")),
                        }
                    )
                ),
                "messages": list_of(ref("message")),
            }
        ),
    ),
    "dead-letters-show": (
        "`rotation-guard dead-letters show`",
        record(
            {
                **_HEAD,
                "message": record(
                    {
                        **MESSAGE,
                        "explanation": TEXT,
                        "remedy": TEXT,
                        "source": or_null(TEXT),
                        "missing": TEXT,
                        "redrive": TEXT,
                        "expires_at": or_null(TIME),
                        "attributes": map_of(TEXT),
                        "body": TEXT,
                    }
                ),
            }
        ),
    ),
    "dead-letters-explain": (
        "`rotation-guard dead-letters explain`",
        record(
            {
                **_HEAD,
                "filters": ref("message_filters"),
                "causes": list_of(record({**CAUSE, "queues": list_of(TEXT)})),
            }
        ),
    ),
    "dead-letters-changes": (
        "`rotation-guard dead-letters redrive` and `discard`",
        record(
            {
                **_HEAD,
                "filters": ref("message_filters"),
                "dry_run": FLAG,
                "summary": map_of(COUNT),
                "messages": list_of(
                    record(
                        {
                            "message_id": TEXT,
                            "queue": TEXT,
                            "result": one_of(
                                "would send", "sent", "would discard", "discarded", "kept", "sent, not deleted"
                            ),
                            "destination": TEXT,
                            "reason": TEXT,
                            "cause": TEXT,
                            "secret_name": or_null(TEXT),
                            "sent_at": or_null(TIME),
                        }
                    )
                ),
            },
            dict.fromkeys(("caller", "reason", "saved_to"), TEXT),
        ),
    ),
    "verify": (
        "`rotation-guard verify`",
        record(
            {
                **_HEAD,
                "summary": record({"intact": FLAG, "findings": COUNT}),
                "tables": list_of(
                    record(
                        {
                            "table": one_of("trail", "incidents"),
                            "table_name": TEXT,
                            **dict.fromkeys(("rows", "secrets", "older", "expired", "findings"), COUNT),
                        }
                    )
                ),
                "findings": list_of(
                    record(
                        {
                            "secret_name": TEXT,
                            "table": one_of("trail", "incidents"),
                            "finding": one_of("changed", "removed", "inserted"),
                            "sequence": or_null(COUNT),
                            "row": or_null(TEXT),
                            "reason": TEXT,
                            "secret_arn": TEXT,
                        }
                    )
                ),
            }
        ),
    ),
    "verify-evidence": (
        "`rotation-guard verify DIR`",
        record(
            {
                **_HEAD,
                "manifest": record({"format": TEXT}, is_open=True),
                "files": list_of(
                    record({"name": TEXT, "state": one_of("ok", "broken", "cannot tell"), "reason": or_null(TEXT)})
                ),
            }
        ),
    ),
    "drill": (
        "`rotation-guard drill`",
        record(
            {
                **_HEAD,
                "drill": record(
                    {
                        "event": one_of("rotation-succeeded", "rotation-failed", "canary"),
                        "event_id": TEXT,
                        "occurred_at": TIME,
                        "source": TEXT,
                        "event_bus": TEXT,
                        "secret_arn": or_null(TEXT),
                        "caller_arn": TEXT,
                        "reason": or_null(TEXT),
                    }
                ),
                "traces": list_of(
                    record(
                        {
                            "trace": TEXT,
                            "result": one_of("seen", "not seen", "cannot tell"),
                            "seconds": or_null(NUMBER),
                            "detail": TEXT,
                        }
                    )
                ),
                "unreadable": list_of(TEXT),
            }
        ),
    ),
    "audit-run": (
        "`rotation-guard audit run`",
        record(
            {
                **_HEAD,
                "headline": TEXT,
                "tally": or_null(ref("tally")),
                "settings": ref("settings"),
                "run": ref("run"),
            }
        ),
    ),
}
"""What commands print, by the name of the file: which command, and the shape."""


def write_schemas() -> dict[Path, str]:
    """Every file, as it should be."""
    documents = {
        **{name: _write(command, "prints with --format json", schema) for name, (command, schema) in PRINTED.items()},
        **{name: _write(command, "writes", schema) for name, (command, schema) in WRITTEN.items()},
    }
    return {FOLDER / f"{name}.schema.json": document for name, document in documents.items()}


def list_rows() -> Iterator[tuple[str, str]]:
    """The commands and their files, for the table in docs/reports.md."""
    for name, (command, _) in {**PRINTED, **WRITTEN}.items():
        yield command, f"[{name}.schema.json](schemas/{name}.schema.json)"


def _write(command: str, does: str, schema: Schema) -> str:
    names = _find_definitions(schema)
    document = {
        "$schema": _DIALECT,
        "title": f"{command.replace('`', '')}, version {VERSION}",
        "description": f"What {command} {does}. {_COMPATIBILITY}",
        **schema,
        "$defs": {name: DEFINITIONS[name] for name in DEFINITIONS if name in names},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _find_definitions(schema: Any, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """The definitions that a schema needs, and those that they need."""
    if isinstance(schema, list):
        return known.union(*(_find_definitions(part, known) for part in schema))
    if not isinstance(schema, dict):
        return known
    target = schema.get("$ref")
    if isinstance(target, str):
        name = target.rpartition("/")[2]
        return known if name in known else _find_definitions(DEFINITIONS[name], known | {name})
    return known.union(*(_find_definitions(part, known) for part in schema.values()))
