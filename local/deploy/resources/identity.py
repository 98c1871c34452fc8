"""IAM. MiniStack enforces these policies on every call that is made with a role's credentials."""

from collections.abc import Iterable

from ...aws import Aws
from .entry import Created, Entry, Inputs, given, tag_list, understands


def _create_role(aws: Aws, inputs: Inputs) -> Created:
    name = inputs["name"]
    role = aws.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        **given(inputs, Description="description", Path="path", MaxSessionDuration="maxSessionDuration"),
        Tags=tag_list(inputs),
    )["Role"]
    return Created(name, {"arn": role["Arn"], "uniqueId": role["RoleId"]})


def _delete_role(aws: Aws, role: Created) -> None:
    aws.client("iam").delete_role(RoleName=role.id)


def _list_roles(aws: Aws) -> Iterable[str]:
    pages = aws.client("iam").get_paginator("list_roles").paginate()
    return (role["Arn"] for page in pages for role in page["Roles"])


def _create_role_policy(aws: Aws, inputs: Inputs) -> Created:
    role, name = inputs["role"], inputs["name"]
    aws.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=inputs["policy"])
    return Created(f"{role}:{name}", {"role": role, "name": name})


def _delete_role_policy(aws: Aws, policy: Created) -> None:
    aws.client("iam").delete_role_policy(RoleName=policy.outputs["role"], PolicyName=policy.outputs["name"])


ENTRIES = (
    Entry(
        "aws:iam/role:Role",
        understands("name", "assumeRolePolicy", "description", "path", "maxSessionDuration", "tags"),
        _create_role,
        _delete_role,
        autonamed="name",
        lists=_list_roles,
    ),
    Entry(
        "aws:iam/rolePolicy:RolePolicy",
        understands("name", "role", "policy"),
        _create_role_policy,
        _delete_role_policy,
        autonamed="name",
    ),
)
