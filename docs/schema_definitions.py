"""The words of the JSON Schemas, and the definitions that they share."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TIME: Schema = {"type": "string", "format": "date-time"}
NULL: Schema = {"type": "null"}


def or_null(schema: Schema) -> Schema:
    """This, or null for what is unknown."""
    return (
        {"anyOf": [NULL, schema]}
        if "$ref" in schema or "enum" in schema
        else {**schema, "type": [schema["type"], "null"]}
    )


def ref(name: str) -> Schema:
    """One of the definitions."""
    return {"$ref": f"#/$defs/{name}"}


def list_of(schema: Schema) -> Schema:
    """Any number of these."""
    return {"type": "array", "items": schema}


def map_of(schema: Schema) -> Schema:
    """These by a name that is not known beforehand."""
    return {"type": "object", "additionalProperties": schema}


def one_of(*texts: str) -> Schema:
    """One of these texts."""
    return {"enum": list(texts)}


def record(
    fields: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, *, is_open: bool = False
) -> Schema:
    """An object with these fields; an open one is a row of a table, which may have those of other releases, too."""
    return {
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
        "additionalProperties": is_open,
    }


TALLY = {
    **dict.fromkeys(("total", "within_limit", "over_limit", "unknown", "outdated_replicas"), COUNT),
    "accepted": {"type": "object", "required": ["total"], "additionalProperties": COUNT},
}
INCIDENT = {
    "secret_name": TEXT,
    "opened_at": TIME,
    "state": one_of("open", "restarting", "closed"),
    "outcome": or_null(TEXT),
    "attention": FLAG,
    "overdue": FLAG,
    "failed_step": or_null(TEXT),
    "attempts": COUNT,
    "reason": or_null(TEXT),
    "failures": COUNT,
    "event_type": or_null(TEXT),
    "last_failure_at": or_null(TIME),
    "closed_at": or_null(TIME),
    "mode": or_null(TEXT),
    "secret_arn": TEXT,
    "execution": or_null(TEXT),
    "acknowledged": FLAG,
    "acknowledged_by": or_null(TEXT),
    "acknowledged_until": or_null(TIME),
    "acknowledged_reason": or_null(TEXT),
}
CAUSE = {
    "cause": TEXT,
    "count": COUNT,
    "oldest_at": or_null(TIME),
    "explanation": TEXT,
    "remedy": TEXT,
    "source": or_null(TEXT),
}
MESSAGE = {
    "message_id": TEXT,
    "queue": TEXT,
    "sent_at": or_null(TIME),
    "receives": COUNT,
    "sender": TEXT,
    "cause": TEXT,
    **dict.fromkeys(
        (
            "error_message",
            "origin_arn",
            "target_arn",
            "retries",
            "exhausted_condition",
            "secret_name",
            "secret_arn",
            "event",
            "occurred_at",
        ),
        or_null(TEXT),
    ),
}
_SECRET = {
    "secret_name": TEXT,
    "secret_arn": TEXT,
    "status": TEXT | {"description": "ok, needs_rotation or unknown; a later release may have others"},
    "verdict": TEXT,
    "attention": FLAG,
    "reason": TEXT,
    "age_days": or_null(COUNT),
    "limit_days": or_null(INTEGER),
    **dict.fromkeys(("value_created_at", "due_at", "since"), or_null(TIME)),
    "owner": or_null(TEXT),
    "current_version_id": or_null(TEXT),
    "checked_at": or_null(TIME),
    "account_id": TEXT,
    "region": TEXT,
    "exempt_until": or_null(TEXT),
    "exempt_reason": or_null(TEXT),
}
_PART = {
    "source": ref("source"),
    "identity": ref("identity"),
    "settings": ref("settings"),
    "run": or_null(ref("run")),
    "last_complete_at": or_null(TIME),
    "tally": or_null(ref("tally")),
    "warnings": list_of(TEXT),
    "unreadable": list_of(TEXT),
}
_ENTRY = record(
    {"Name": TEXT, "ARN": TEXT},
    {"VersionCreatedDates": map_of(TIME), "VersionListError": TEXT, "Tags": list_of(map_of(TEXT))},
    is_open=True,
)
"""An entry of ListSecrets, whose fields are AWS's
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_SecretListEntry.html)."""
DEFINITIONS: Mapping[str, Schema] = {
    "collection": record(
        {
            "format": {"const": "rotation-guard.collection/1"},
            "collected_at": TIME,
            **dict.fromkeys(("product_version", "account_id", "account_alias", "region", "caller_arn"), or_null(TEXT)),
            "SecretList": list_of(_ENTRY),
        }
    ),
    "identity": record(dict.fromkeys(("account_id", "account_alias", "region", "caller_arn"), or_null(TEXT))),
    "source": record(
        {
            "kind": one_of("local", "deployment", "member", "account", "file", "collection", "several", "evidence"),
            "description": TEXT,
        },
        {
            "region": or_null(TEXT),
            **dict.fromkeys(("endpoint_url", "account_id", "hub", "name"), TEXT),
            "collected_with": or_null(TEXT),
        },
    ),
    "tally": record(TALLY),
    "settings": record(
        {},
        {
            **dict.fromkeys(("max_age_days", "warn_days", "stuck_hours", "missed_hours"), COUNT),
            "max_age_classes": list_of(record({"class": TEXT, "days": COUNT})),
            **dict.fromkeys(("managed_tag", "schedule_expression", "history"), or_null(TEXT)),
        },
        is_open=True,
    ),
    "run": record(
        {"run_id": TEXT, "checked": COUNT},
        {"started_at": TIME, "finished_at": TIME, "complete": FLAG},
        is_open=True,
    ),
    "part": record(_PART),
    "exemption": record(
        {
            "secret_name": TEXT,
            "account_id": or_null(TEXT),
            "region": or_null(TEXT),
            "state": one_of("valid", "invalid", "not applied"),
            "owner": or_null(TEXT),
            "reason": TEXT,
            "until": or_null(TEXT),
            "days_left": or_null(INTEGER),
            "verdict": TEXT,
            "since": or_null(TIME),
            "secret_arn": TEXT,
        }
    ),
    "secret": record(_SECRET, {"change": ref("change")}),
    "change": record(
        {
            "kinds": list_of(one_of("appeared", "vanished", "verdict", "attention", "value")),
            "before": or_null(ref("secret")),
        }
    ),
    "incident": record(INCIDENT),
    "action": record(
        {"at": or_null(TEXT), "action": TEXT, "outcome": or_null(TEXT), "reason": or_null(TEXT)},
        {"evidence": or_null({"type": "object"})},
        is_open=True,
    ),
    "message": record(MESSAGE),
    "cause": record(CAUSE),
    "message_filters": record(
        {
            **dict.fromkeys(("queue", "cause", "secret", "id"), list_of(TEXT)),
            "older_than_days": or_null(NUMBER),
            "limit": COUNT,
        }
    ),
}
