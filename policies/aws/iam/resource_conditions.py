"""Decides whether a condition of an identity policy says which resources are meant, as an ARN in Resource would.

A pattern that every resource of the type matches says nothing, and neither does a policy variable that stands for the
very key it is compared with (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).
"""

import re
from collections.abc import Iterable

from . import conditions, resource_types
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
"""The same, of keys that go on with a name: of a tag, or of what is encrypted."""
_COMMON_PARTS = {
    # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    "kms:resourcealiases": re.compile(r"^alias/"),
    "kms:requestalias": re.compile(r"^alias/"),
    "kms:viaservice": re.compile(r"\.[^.]+\.amazonaws\.com(\.cn)?$|\.amazonaws\.com(\.cn)?$"),
    "iam:awsservicename": re.compile(r"\.amazonaws\.com(\.cn)?$"),
    "iam:passedtoservice": re.compile(r"\.amazonaws\.com(\.cn)?$"),
}
"""The part that all values of a key have in common."""
_VARIABLE = re.compile(r"\$\{\s*([^},\s]*)[^}]*\}")


def names_resources(listed: Iterable[Condition]) -> bool:
    """Whether one of these conditions says which resources are meant. Raises Undecided where a value is unknown."""
    return any(
        (condition.key in _KEYS or any(part in condition.key for part in _KEYS_BY_NAME)) and _names_some(condition)
        for condition in conditions.limiting_conditions(listed)
    )


def names_service(listed: Iterable[Condition]) -> bool:
    """Whether one of these says to which service a role may be passed. Raises Undecided where a value is unknown."""
    return any(
        condition.key == "iam:passedtoservice" and _names_some(condition)
        for condition in conditions.limiting_conditions(listed)
    )


def _names_some(condition: Condition) -> bool:
    return bool(condition.values) and all(_is_selective(condition.key, value) for value in condition.values)


def _is_selective(key: str, value: str) -> bool:
    """Whether some resources have another value for this key."""

    def replaced(variable: re.Match[str]) -> str:
        return "*" if variable[1].lower() == key else variable[0]

    pattern = _VARIABLE.sub(replaced, value)
    if pattern.startswith("arn:"):
        return resource_types.whole_type(pattern) is None
    rest = _COMMON_PARTS[key].sub("", pattern) if key in _COMMON_PARTS else pattern
    return any(sign.isalnum() for sign in rest)
