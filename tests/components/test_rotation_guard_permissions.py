"""The whole product as one component: what its roles may do."""

import pytest

from .samples.everything import EVERYTHING, KEY
from .statements import as_list

FUNCTION, LOG_GROUP = "aws:lambda/function:Function", "aws:cloudwatch/logGroup:LogGroup"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
SCHEDULE, TARGET = "aws:scheduler/schedule:Schedule", "aws:cloudwatch/eventTarget:EventTarget"


@pytest.fixture(scope="module")
def full(guard):
    return guard(**EVERYTHING)


def test_each_function_has_a_role_and_a_log_group_of_its_own(full):
    functions = full.of_type(FUNCTION)
    roles = {function.inputs["role"] for function in functions}
    groups = {function.inputs["loggingConfig"]["logGroup"] for function in functions}

    assert len(functions) == len(roles) == len(groups) > 10
    assert roles <= {resource.arn for resource in full.of_type(ROLE)}
    assert groups <= {resource.outputs["name"] for resource in full.of_type(LOG_GROUP)}


@pytest.mark.parametrize(
    ("second", "role"),
    [("guard-audit-check-continue", "guard-audit-check"), ("guard-demo-probe-secret", "guard-demo-probe")],
)
def test_two_roles_have_a_second_policy_for_resources_created_after_them(full, second, role):
    policies = {resource.name: resource.inputs["role"] for resource in full.of_type(ROLE_POLICY)}

    assert policies[second] == full.named(ROLE, role).outputs["name"]


def test_every_other_role_has_one_policy(full):
    policies = {resource.name: resource.inputs["role"] for resource in full.of_type(ROLE_POLICY)}

    assert policies.pop("guard-audit-check-continue")
    assert policies.pop("guard-demo-probe-secret")
    assert sorted(policies.values()) == sorted(resource.outputs["name"] for resource in full.of_type(ROLE))


def test_each_role_is_assumed_by_one_service(full):
    services = [
        statement["Principal"]["Service"]
        for role in full.of_type(ROLE)
        for statement in role.policy("assumeRolePolicy")
    ]

    assert sorted(services) == [
        *["events.amazonaws.com"] * 3,
        *["lambda.amazonaws.com"] * 17,
        *["scheduler.amazonaws.com"] * 3,
        "states.amazonaws.com",
    ]


def test_no_role_has_a_wildcard_except_where_iam_requires_it(full):
    on_star = set()
    for policy in full.of_type(ROLE_POLICY):
        for statement in policy.policy():
            actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            assert not [action for action in actions if "*" in action]
            assert "NotAction" not in statement
            if statement["Resource"] == "*":
                on_star |= {action for action in actions if not action.startswith("logs:")}

    assert on_star == {
        "secretsmanager:ListSecrets",
        "secretsmanager:GetRandomPassword",
        "cloudwatch:GetMetricStatistics",
    }


def test_every_asynchronous_function_has_a_destination(full):
    schedules = {resource.inputs["target"]["arn"] for resource in full.of_type(SCHEDULE)}
    # The canary goes to the bus, without a function.
    asynchronous = {arn for arn in schedules if ":lambda:" in arn}
    asynchronous |= {
        resource.inputs["arn"] for resource in full.of_type(TARGET) if ":lambda:" in resource.inputs["arn"]
    }
    with_destination = {
        full.named(FUNCTION, resource.name).arn
        for resource in full.of_type("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
    }

    assert len(asynchronous) == 3
    assert asynchronous <= with_destination


def test_every_role_that_sends_or_reads_may_use_the_key(full):
    needing = {
        resource.name
        for resource in full.of_type(ROLE_POLICY)
        for statement in resource.policy()
        if {"sqs:SendMessage", "sqs:ReceiveMessage", "sns:Publish"} & set(as_list(statement["Action"]))
    }
    using = {
        resource.name
        for resource in full.of_type(ROLE_POLICY)
        for statement in resource.policy()
        if statement["Resource"] == KEY and "kms:Decrypt" in statement["Action"]
    }

    remediation = {f"guard-repair-{step}" for step in ("start", "notify", "workflow")}
    assert remediation | {"guard-audit-schedule", "guard-audit-check", "guard-trail-writer"} <= needing
    assert needing <= using
