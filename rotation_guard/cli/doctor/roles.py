"""The roles that AWS services assume for a schedule or a rule."""

from collections.abc import Iterator, Mapping
from typing import Any

from .examination import Examination
from .link import Finding, broken
from .resource_policies import to_list

SCHEDULER, EVENTS = "scheduler.amazonaws.com", "events.amazonaws.com"


def judge_trust(role_arn: str, role: Mapping[str, Any] | None, service: str) -> Iterator[Finding]:
    """Whether a service may assume a role; conditions of the trust policy are not compared."""
    if role is None:
        yield broken(f"The role {role_arn} does not exist.")
        return
    statements = role["Role"]["AssumeRolePolicyDocument"].get("Statement", [])
    trusted = {
        name
        for statement in to_list(statements)
        if statement.get("Effect") == "Allow" and isinstance(statement.get("Principal"), Mapping)
        for name in to_list(statement["Principal"].get("Service"))
    }
    if service not in trusted:
        yield broken(f"The role {role_arn} does not trust {service}.")


def check_trust(examination: Examination, role_arn: str, service: str) -> Iterator[Finding]:
    """The same of a role by its ARN. Raises Unanswered."""
    yield from judge_trust(role_arn, read_role(examination, role_arn), service)


def read_role(examination: Examination, role_arn: str) -> Mapping[str, Any] | None:
    """The response about a role, whose ARN ends with its name; None if it does not exist. Raises Unanswered."""
    return examination.read("iam:GetRole", RoleName=role_arn.rpartition("/")[2])
