"""Checks of remediation's settings: how long it waits, how much it may do, and what it may act on."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rotation_guard.domain.remediation.scheduling import DAYS
from rotation_guard.domain.tags import MODE_TAG

from ..notifications.endpoints import endpoint_complaint
from . import age_classes
from .checks import (
    KeyFormatter,
    check_fields,
    check_tag_filter,
    distinct_entries,
    is_arn,
    is_role_arn,
    must_be,
)

MOST_MINUTES = 1440
MOST_ACTIONS_PER_HOUR = 50
"""RotateSecret's quota is 50 per second in an account, and UpdateSecretVersionStage's is too: a burst stays below it
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html)."""
MOST_RESERVED = 100
"""Per function, and there are a dozen: an account has 1,000 concurrent executions unless it asks for more, and Lambda
keeps 100 of them for functions that reserve nothing (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html)."""
MOST_RESTART_MINUTES = 3 * 1440
"""A canary deployment may bake for a day before all traffic is shifted, and for another before it is over
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CanaryConfiguration.html); tasks have to start, too."""
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_DOCUMENT = r"document/[\w.-]{3,128}"
_SCOPE_NAME = "a pattern of secret names: 1 to 512 letters, digits or /_+=.@!-, with * and ? as wildcards"
"""IAM has no other wildcards (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html)."""
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


def check_change_window(format_key: KeyFormatter, value: Any) -> Iterator[str]:
    """Empty, which is any time, or from `start` to `end` on some `days` of the week or on all."""
    if isinstance(value, Mapping) and not value:
        return
    problems = list(check_fields(value, {"days": False, "start": True, "end": True}, format_key))
    yield from problems
    if problems:
        return
    for field in ("start", "end"):
        if not isinstance(value[field], str) or not _TIME.fullmatch(value[field]):
            yield f".{field}" + must_be('a time of day in UTC, such as "22:00" (in quotes)', value[field])
    if value["start"] == value["end"]:
        yield ".end" + must_be("another time than start", value["end"])
    days = value.get("days", DAYS)
    known = isinstance(days, (list, tuple)) and all(isinstance(day, str) and day in DAYS for day in days)
    if not known or not days or len(set(days)) < len(days):
        yield ".days" + must_be(f"a list of {', '.join(DAYS)}, each at most once, or left out for all", days)


def check_scope(format_key: KeyFormatter, value: Any) -> Iterator[str]:
    """Empty, which is every secret, or a name, a tag, or both, as IAM can compare them as well."""
    if isinstance(value, Mapping) and not value:
        return
    problems = list(check_fields(value, {"name": False, "tag": False}, format_key))
    yield from problems
    if problems:
        return
    name, tag = value.get("name"), value.get("tag")
    if "name" in value and not (age_classes.can_match(name) and "[" not in name):
        yield ".name" + must_be(_SCOPE_NAME, name)
    if "tag" in value:
        problems = list(check_tag_filter(tag))
        yield from (f".tag{problem}" for problem in problems)
        if not problems and tag["key"].lower() == MODE_TAG:
            yield ".tag.key" + must_be(f"another tag than {MODE_TAG}, by which a secret opts in", tag["key"])


def check_runbook_url(_: KeyFormatter, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or len(value) > 1000 or endpoint_complaint("https", value):
        yield must_be("a URL that begins with https://, of at most 1000 characters", value)


check_functions = distinct_entries(_FUNCTION, is_function)
"""A list of Lambda functions."""
check_restart_targets = distinct_entries(_TARGET, _is_target)
"""A list of what can be restarted."""
check_roles = distinct_entries("the ARN of an IAM role, without a wildcard", is_role_arn)
"""A list of roles."""
