"""What the settings of remediation may be: how patient it is, how much it may do, and what it may touch."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..notifications.endpoints import endpoint_complaint
from .checks import (
    Check,
    Naming,
    got,
    is_arn,
    is_integer,
    is_role_arn,
    known_texts,
    list_of,
    one_of,
    shape,
    shown,
    whole_number,
)

MODES = ("notify", "retry", "repair")
"""How far remediation may go, each further than the one before."""
MOST_MINUTES = 1440
RETRY_BASE_MINUTES, RETRY_CAP_MINUTES = 5, 60
"""How long is waited before the first retry at most, and before any, unless given."""
MOST_ACTIONS_PER_HOUR = 50
"""Secrets Manager takes 50 rotations a second in an account, and as many moved labels: that much may come at once
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html)."""
MOST_RESERVED = 100
"""Of each function: they are a dozen, and an account has 1,000 unless it asks for more, of which Lambda keeps 100 for
functions that reserve nothing (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html)."""
MOST_RESTART_MINUTES = 3 * 1440
"""A canary deployment may bake for a day before all traffic is shifted, and for another before it is over
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CanaryConfiguration.html); tasks have to start, too."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_LISTED = 3000
"""Characters of the ARNs that one function is told of: its whole environment has 4 KB
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
LISTS_OF_ARNS = ("probe_functions", "rotation_functions", "restart_targets", "restart_role_arns")
"""Settings whose entries may be known only later."""
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_DOCUMENT = r"document/[\w.-]{3,128}"
_FUNCTION = "the ARN of a Lambda function, without a version, an alias or a wildcard"
_TARGET = "the ARN of an ECS service (service/cluster/name), a Lambda function or an SSM document, without a wildcard"


def is_function(value: Any) -> bool:
    """Whether it is the ARN of a Lambda function itself."""
    return is_arn(value, "lambda", r"function:[\w-]{1,64}")


def is_service(value: Any) -> bool:
    """Whether it is the ARN of an ECS service, in the form that names its cluster.

    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids)
    """
    return is_arn(value, "ecs", r"service/[\w-]{1,255}/[\w-]{1,255}")


def is_document(value: Any) -> bool:
    """Whether it is the ARN of an SSM document; those of AWS name no account."""
    return is_arn(value, "ssm", _DOCUMENT) or is_arn(value, "ssm", _DOCUMENT, of_aws=True)


def _is_target(value: Any) -> bool:
    return is_service(value) or is_function(value) or is_document(value)


def _change_window(named: Naming, value: Any) -> Iterator[str]:
    """Empty, which is any time, or from `start` to `end` on some `days` of the week or on all."""
    if isinstance(value, Mapping) and not value:
        return
    problems = list(shape(value, {"days": False, "start": True, "end": True}, named))
    yield from problems
    if problems:
        return
    for field in ("start", "end"):
        if not isinstance(value[field], str) or not _TIME.fullmatch(value[field]):
            yield f".{field}" + got('a time of day in UTC, such as "22:00" (in quotes)', value[field])
    if value["start"] == value["end"]:
        yield ".end" + got("another time than start", value["end"])
    days = value.get("days", DAYS)
    known = isinstance(days, (list, tuple)) and all(isinstance(day, str) and day in DAYS for day in days)
    if not known or not days or len(set(days)) < len(days):
        yield ".days" + got(f"a list of {', '.join(DAYS)}, each at most once, or left out for all", days)


def _runbook_url(_: Naming, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or len(value) > 1000 or endpoint_complaint("https", value):
        yield got("a URL that begins with https://, of at most 1000 characters", value)


REMEDIATION_CHECKS: Mapping[str, Check] = {
    "remediation_mode": one_of(*MODES),
    "settle_minutes": whole_number(0, MOST_MINUTES),
    "retry_base_minutes": whole_number(1, MOST_MINUTES),
    "retry_cap_minutes": whole_number(1, MOST_MINUTES),
    "max_retries": whole_number(0, 10),
    "breaker_threshold": whole_number(1, 100),
    "max_actions_per_hour": whole_number(0, MOST_ACTIONS_PER_HOUR, ", which is what Secrets Manager takes in a second"),
    "reserved_concurrency": whole_number(0, MOST_RESERVED),
    "change_window": _change_window,
    "probe_functions": list_of(_FUNCTION, is_function),
    "probe_timeout_seconds": whole_number(1, 30),
    "rotation_functions": list_of(_FUNCTION, is_function),
    "restart_targets": list_of(_TARGET, _is_target),
    "restart_role_arns": list_of("the ARN of an IAM role, without a wildcard", is_role_arn),
    "restart_debounce_seconds": whole_number(0, 3600),
    "restart_timeout_minutes": whole_number(1, MOST_RESTART_MINUTES),
    "runbook_url": _runbook_url,
}


def remediation_crossings(args: Mapping[str, Any], named: Naming, hidden: frozenset[str]) -> Iterator[str]:
    """What the settings of remediation ask of each other."""
    yield from _backoff_order(args, named, hidden)
    yield from _listed_length(args, named, hidden)


def _backoff_order(args: Mapping[str, Any], named: Naming, hidden: frozenset[str]) -> Iterator[str]:
    base = args.get("retry_base_minutes", RETRY_BASE_MINUTES)
    cap = args.get("retry_cap_minutes", RETRY_CAP_MINUTES)
    if is_integer(base) and is_integer(cap) and 1 <= cap < base <= MOST_MINUTES:
        limit, given = (
            "a secret value" if setting in hidden else shown(value)
            for setting, value in (("retry_base_minutes", base), ("retry_cap_minutes", cap))
        )
        yield (
            f"{named('retry_cap_minutes')} must be at least {named('retry_base_minutes')}, {limit}, "
            f"because the wait before a retry only grows, got {given}"
        )


def _listed_length(args: Mapping[str, Any], named: Naming, hidden: frozenset[str]) -> Iterator[str]:
    """The two lists that one function is told of; what is known only later is left to AWS."""
    listed = {setting: known_texts(args.get(setting, [])) for setting in ("probe_functions", "restart_targets")}
    length = sum(len(json.dumps(texts)) for texts in listed.values())
    if length > MOST_LISTED:
        longer, other = sorted(listed, key=lambda setting: -len(json.dumps(listed[setting])))
        given = "a secret value" if not hidden.isdisjoint(listed) else length
        yield (
            f"{named(longer)} must be, with {named(other)}, at most {MOST_LISTED} characters as a function's "
            f"environment holds them, got {given}"
        )
