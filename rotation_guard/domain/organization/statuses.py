"""Reads what the audits of many accounts found, and builds the hub's rows of it."""

import re
from collections.abc import Mapping
from typing import Any

from ..audit.status_events import RUN_FINISHED, STATUS_CHANGED
from ..event_parser import MalformedEvent
from ..plain_values import (
    NAME_LENGTH,
    SENTENCE_LENGTH,
    TAG_VALUE_LENGTH,
    read_count,
    read_list,
    read_mapping,
    read_text,
    read_time,
    read_version,
)
from .deliveries import Delivery, read_own_secret

DETAIL_TYPES = (STATUS_CHANGED, RUN_FINISHED)
_WORD_LENGTH = 40
_REASON_LENGTH = 1000
_LIMITS = ("max_age_days", "warn_days", "stuck_hours", "missed_hours")
_LISTED_REASONS, _LISTED_WORDS = 10, 50
_WORD = re.compile(r"[a-z_]{1,40}")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}")

Row = dict[str, Any]


def build_status_row(delivery: Delivery) -> Row:
    """The status of one secret, with the account and Region that it is in; `updated_at` says as of when.

    Raises MalformedEvent if the event names no secret or no time, and UntrustedEvent for a secret of another account.
    """
    detail = read_mapping(delivery.event.get("detail"))
    arn = read_own_secret(delivery, detail.get("secret_arn"))
    checked_at, gone_since = read_time(detail.get("checked_at")), read_time(detail.get("gone_since"))
    if checked_at is None:
        raise MalformedEvent("a status must have the time of its check")
    needs_attention = detail.get("attention") == "yes" and gone_since is None
    return {
        "secret_arn": arn,
        "account": delivery.account,
        "region": arn.split(":")[3],
        "secret_name": read_text(detail.get("secret_name"), NAME_LENGTH),
        "status": read_text(detail.get("status"), _WORD_LENGTH),
        "verdict": read_text(detail.get("verdict"), _WORD_LENGTH),
        "reason": read_text(detail.get("reason"), _REASON_LENGTH),
        "checked_at": checked_at,
        "age_days": read_count(detail.get("age_days")),
        "limit_days": read_count(detail.get("limit_days")),
        "current_version_id": read_version(detail.get("current_version_id")),
        "value_created_at": read_time(detail.get("value_created_at")),
        "owner": read_text(detail.get("owner"), TAG_VALUE_LENGTH),
        "exempt_until": read_text(detail.get("exempt_until"), TAG_VALUE_LENGTH),
        "exempt_reason": read_text(detail.get("exempt_reason"), TAG_VALUE_LENGTH),
        "since": read_time(detail.get("since")),
        "due_at": read_time(detail.get("due_at")),
        "pending_since": read_time(detail.get("pending_since")),
        # A sparse index on these two attributes contains only secrets that need attention.
        "attention": "yes" if needs_attention else None,
        "attention_since": (read_time(detail.get("attention_since")) or checked_at) if needs_attention else None,
        "gone_since": gone_since,
        "updated_at": max(checked_at, gone_since or ""),
    }


def build_run_row(delivery: Delivery) -> Row:
    """One finished run. Its `audit` names account, Region and check function. Raises MalformedEvent."""
    detail, region = read_mapping(delivery.event.get("detail")), delivery.event.get("region")
    audit = read_text(detail.get("audit"), NAME_LENGTH)
    run_id = read_text(detail.get("run_id"), NAME_LENGTH)
    finished_at = read_time(detail.get("finished_at"))
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        raise MalformedEvent("the event has no Region")
    if audit is None or run_id is None or finished_at is None:
        raise MalformedEvent("the event must name an audit, its run and when that ended")
    reasons = [read_text(reason, SENTENCE_LENGTH) for reason in read_list(detail.get("incomplete_because"))]
    return {
        "audit": f"{delivery.account}/{region}/{audit}",
        "run_id": run_id,
        "account": delivery.account,
        "region": region,
        "started_at": read_time(detail.get("started_at")),
        "finished_at": finished_at,
        "listed": read_count(detail.get("listed")),
        "checked": read_count(detail.get("checked")),
        "flagged": read_count(detail.get("flagged")),
        "unknown": read_count(detail.get("unknown")),
        "outdated_replicas": read_count(detail.get("outdated_replicas")),
        "accepted": _read_counts(detail["accepted"]) if "accepted" in detail else None,
        "verdicts": _read_counts(detail.get("verdicts")),
        "discrepancies": _read_counts(detail.get("discrepancies")),
        "complete": detail.get("complete") is True,
        "incomplete_because": [reason for reason in reasons if reason][:_LISTED_REASONS] or None,
        "period_seconds": read_count(read_mapping(detail.get("settings")).get("period_seconds")),
        "settings": _read_settings(read_mapping(detail.get("settings"))),
    }


def _read_settings(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the run judged by, as far as it has the expected form."""
    days = {name: read_count(settings.get(name)) for name in _LIMITS}
    classes = [read_mapping(one) for one in read_list(settings.get("max_age_classes"))][:_LISTED_WORDS]
    known = [(read_text(one.get("class"), NAME_LENGTH), read_count(one.get("days"))) for one in classes]
    return {
        **{name: count for name, count in days.items() if count is not None},
        "max_age_classes": [{"class": text, "days": limit} for text, limit in known if text and limit is not None],
        "managed_tag": read_text(settings.get("managed_tag"), NAME_LENGTH),
    }


def _read_counts(value: Any) -> Mapping[str, int]:
    counts = {name: read_count(count) for name, count in read_mapping(value).items() if _WORD.fullmatch(name)}
    known = [(name, count) for name, count in counts.items() if count is not None]
    return dict(known[:_LISTED_WORDS])
