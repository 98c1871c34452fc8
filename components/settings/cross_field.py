"""Checks that concern several settings, once each of them is right by itself."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rotation_guard.domain import schedule_expression

from ..notifications.topics import complain_about_reports
from . import age_classes
from .audit import MOST_FLEXIBLE_MINUTES, check_age_classes, check_managed_tag, check_schedule
from .checks import CrossFieldCheck, KeyFormatter, format_value, is_integer, known_strings
from .declarations import MOST_QUEUE_DAYS, value_of

MOST_LISTED_CHARACTERS = 3000
"""Characters of the ARNs in one function's environment, which has 4 KB in total
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""


def check_unreachable_classes(
    args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str]
) -> Iterator[str]:
    classes, managed_tag = value_of(args, "max_age_classes"), value_of(args, "managed_tag")
    if list(check_age_classes(format_key, classes)) or list(check_managed_tag(format_key, managed_tag)):
        return
    setting, secret = format_key("max_age_classes"), not secret_settings.isdisjoint({"max_age_classes", "managed_tag"})
    for index, reason in age_classes.find_unreachable(classes, managed_tag):
        given = "a secret value" if secret else f"{format_value(dict(classes[index]))}: {reason}"
        yield f"{setting}[{index}] must be a class that a secret can get into, got {given}"
    length, limit = len(age_classes.to_environment(classes)), age_classes.MAXIMUM_TEXT
    if length > limit:
        given = "a secret value" if secret else length
        yield f"{setting} must be at most {limit} characters as a function's environment holds them, got {given}"


def check_retention_order(
    args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str]
) -> Iterator[str]:
    source, dead = value_of(args, "queue_retention_days"), value_of(args, "dead_letter_retention_days")
    if is_integer(source) and is_integer(dead) and 1 <= dead < source <= MOST_QUEUE_DAYS:
        limit, given = (
            "a secret value" if setting in secret_settings else value
            for setting, value in (("queue_retention_days", source), ("dead_letter_retention_days", dead))
        )
        yield (
            f"{format_key('dead_letter_retention_days')} must be at least {format_key('queue_retention_days')}, "
            f"{limit}, because a message's age counts from its first queue, got {given}"
        )


def check_flexible_window(
    args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str]
) -> Iterator[str]:
    """Scheduler delays a run by the whole window at most, so a longer one reaches into the next run.

    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-flexible-time-windows.html)
    """
    expression = value_of(args, "schedule_expression")
    minutes = value_of(args, "schedule_flexible_minutes")
    if (
        list(check_schedule(format_key, expression))
        or not is_integer(minutes)
        or not 0 < minutes <= MOST_FLEXIBLE_MINUTES
    ):
        return
    most = schedule_expression.shortest_period_seconds(expression) // 60
    if minutes > most:
        limit, given = (
            "a secret value" if setting in secret_settings else value
            for setting, value in (("schedule_expression", most), ("schedule_flexible_minutes", minutes))
        )
        yield (
            f"{format_key('schedule_flexible_minutes')} must be at most {limit}, the minutes between two runs by "
            f"{format_key('schedule_expression')}, got {given}"
        )


def check_listed_length(
    args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str]
) -> Iterator[str]:
    """The two lists in one function's environment must fit together; Outputs among them are left to AWS."""
    listed = {setting: known_strings(value_of(args, setting)) for setting in ("probe_functions", "restart_targets")}
    length = sum(len(json.dumps(texts)) for texts in listed.values())
    if length > MOST_LISTED_CHARACTERS:
        longer, other = sorted(listed, key=lambda setting: -len(json.dumps(listed[setting])))
        given = "a secret value" if not secret_settings.isdisjoint(listed) else length
        yield (
            f"{format_key(longer)} must be, with {format_key(other)}, at most {MOST_LISTED_CHARACTERS} characters as a "
            f"function's environment holds them, got {given}"
        )


def check_reports_topic(
    args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str]
) -> Iterator[str]:
    """Only what a schedule stores is sent to the topic of reports; neither message repeats a value."""
    yield from complain_about_reports(
        value_of(args, "subscriptions"), bool(value_of(args, "report_schedule")), format_key
    )


CROSS_FIELD_CHECKS: tuple[CrossFieldCheck, ...] = (
    check_flexible_window,
    check_retention_order,
    check_unreachable_classes,
    check_listed_length,
    check_reports_topic,
)
"""What settings require of each other."""
