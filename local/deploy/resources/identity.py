"""IAM roles and policies, which MiniStack enforces on every call with a role's credentials."""

from collections.abc import Iterable

from ...aws import Aws
from .entry import CreatedResource, Entry, Inputs, build_tag_list, select_inputs, supported_inputs


def _create_role(aws: Aws, inputs: Inputs) -> CreatedResource:
    name = inputs["name"]
    role = aws.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        **select_inputs(inputs, Description="description", Path="path", MaxSessionDuration="maxSessionDuration"),
        Tags=build_tag_list(inputs),
    )["Role"]
    return CreatedResource(name, {"arn": role["Arn"], "uniqueId": role["RoleId"]})


def _delete_role(aws: Aws, role: CreatedResource) -> None:
    aws.client("iam").delete_role(RoleName=role.id)


def _list_roles(aws: Aws) -> Iterable[str]:
    pages = aws.client("iam").get_paginator("list_roles").paginate()
    return (role["Arn"] for page in pages for role in page["Roles"])


def _create_role_policy(aws: Aws, inputs: Inputs) -> CreatedResource:
    role, name = inputs["role"], inputs["name"]
    aws.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=inputs["policy"])
    return CreatedResource(f"{role}:{name}", {"role": role, "name": name})


def _delete_role_policy(aws: Aws, policy: CreatedResource) -> None:
    aws.client("iam").delete_role_policy(RoleName=policy.outputs["role"], PolicyName=policy.outputs["name"])


ENTRIES = (
    Entry(
        "aws:iam/role:Role",
        supported_inputs("name", "assumeRolePolicy", "description", "path", "maxSessionDuration", "tags"),
        _create_role,
        _delete_role,
        name_input="name",
        list_names=_list_roles,
    ),
    Entry(
        "aws:iam/rolePolicy:RolePolicy",
        supported_inputs("name", "role", "policy"),
        _create_role_policy,
        _delete_role_policy,
        name_input="name",
    ),
)
