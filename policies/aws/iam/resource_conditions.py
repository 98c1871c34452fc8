"""Evaluates whether a condition of an identity policy restricts the resources, as an ARN in Resource would.

A pattern that matches every resource of the type does not, and neither does a policy variable that stands for the key
that it is compared with (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).
"""

import re
from collections.abc import Iterable

from . import conditions, reference_types
from .conditions import Condition

_KEYS = frozenset(
    {
        "kms:resourcealiases",
        "kms:requestalias",
        "kms:viaservice",
        "secretsmanager:secretid",
        "secretsmanager:name",
        "secretsmanager:resource/allowrotationlambdaarn",
        "iam:awsservicename",
        "ses:fromaddress",
        "ec2:vpc",
        "ec2:subnet",
        "ecs:cluster",
        "lambda:functionarn",
        "elasticfilesystem:accesspointarn",
        "s3:dataaccesspointarn",
    }
)
_KEYS_BY_NAME = ("resourcetag/", "kms:encryptioncontext:")
"""Prefixes of such keys, followed by the name of a tag or of an encryption context."""
_COMMON_PARTS = {
    # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    "kms:resourcealiases": re.compile(r"^alias/"),
    "kms:requestalias": re.compile(r"^alias/"),
    "kms:viaservice": re.compile(r"\.[^.]+\.amazonaws\.com(\.cn)?$|\.amazonaws\.com(\.cn)?$"),
    "iam:awsservicename": re.compile(r"\.amazonaws\.com(\.cn)?$"),
    "iam:passedtoservice": re.compile(r"\.amazonaws\.com(\.cn)?$"),
}
"""The part that all values of a key share."""
_VARIABLE = re.compile(r"\$\{\s*([^},\s]*)[^}]*\}")


def restrict_resources(listed: Iterable[Condition]) -> bool:
    """Whether one of these conditions restricts the resources. Raises Undecided where a value is unknown."""
    return any(
        (condition.key in _KEYS or any(part in condition.key for part in _KEYS_BY_NAME))
        and _is_selective_condition(condition)
        for condition in conditions.limiting_conditions(listed)
    )


def restrict_service(listed: Iterable[Condition]) -> bool:
    """Whether one of these conditions restricts the service that a role is passed to. Raises Undecided."""
    return any(
        condition.key == "iam:passedtoservice" and _is_selective_condition(condition)
        for condition in conditions.limiting_conditions(listed)
    )


def _is_selective_condition(condition: Condition) -> bool:
    return bool(condition.values) and all(_is_selective(condition.key, value) for value in condition.values)


def _is_selective(key: str, value: str) -> bool:
    """Whether a value excludes some resources."""

    def replaced(variable: re.Match[str]) -> str:
        return "*" if variable[1].lower() == key else variable[0]

    pattern = _VARIABLE.sub(replaced, value)
    if pattern.startswith("arn:"):
        return reference_types.whole_type(pattern) is None
    rest = _COMMON_PARTS[key].sub("", pattern) if key in _COMMON_PARTS else pattern
    return any(sign.isalnum() for sign in rest)
