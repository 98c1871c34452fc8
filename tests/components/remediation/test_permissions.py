"""What each step of remediation may do: least privilege, and opt-in by tag."""

import json
import re

import pytest

from components.remediation import permissions as may
from policies.aws.iam import actions as iam_actions
from rotation_guard.domain.secret import ListedSecret
from rotation_guard.domain.secret_filter import SecretFilter
from tests.components.statements import actions, as_list

HERE = ("aws", "eu-west-1", "111122223333")
AT = "eu-west-1:111122223333"
INCIDENTS, SWITCH = f"arn:aws:dynamodb:{AT}:table/incidents", f"arn:aws:ssm:{AT}:parameter/switch"
SECRETS = f"arn:aws:secretsmanager:{AT}:secret:*"
TOPICS = [f"arn:aws:sns:{AT}:remediation", f"arn:aws:sns:{AT}:critical"]
PROBE, API = f"arn:aws:lambda:{AT}:function:probe", f"arn:aws:lambda:{AT}:function:api"
SERVICE, DOCUMENT = f"arn:aws:ecs:{AT}:service/shop/orders", f"arn:aws:ssm:{AT}:document/restart"
ROLE = "arn:aws:iam::111122223333:role/automation"
AUTOMATIONS = f"arn:aws:ssm:{AT}:automation-execution/*"
STEPS = {
    "start": may.start(f"arn:aws:states:{AT}:stateMachine:remediation"),
    "claim": may.claim(HERE, INCIDENTS),
    "diagnose": may.diagnose(HERE, INCIDENTS),
    "probe": may.probe([PROBE]),
    "decide": may.decide(INCIDENTS, SWITCH),
    "retry": may.retry(HERE, INCIDENTS, [PROBE]),
    "move": may.move(HERE, INCIDENTS),
    "end": may.end(INCIDENTS),
    "restart": may.restart(HERE, INCIDENTS, SWITCH, [SERVICE, API, DOCUMENT], [ROLE]),
    "watch": may.watch(HERE, INCIDENTS, [SERVICE, API, DOCUMENT]),
    "notify": may.notify(HERE, INCIDENTS, TOPICS),
}
CHANGING = {
    "secretsmanager:RotateSecret": {"retry"},
    "secretsmanager:UpdateSecretVersionStage": {"move"},
    "lambda:InvokeFunction": {"probe", "retry"},
    "lambda:UpdateFunctionConfiguration": {"restart"},
    "ecs:UpdateService": {"restart"},
    "ssm:StartAutomationExecution": {"restart"},
    "iam:PassRole": {"restart"},
    "states:StartExecution": {"start"},
    "sns:Publish": {"notify"},
    "events:PutEvents": {"claim", "notify"},
}
"""The steps that may change or publish something, apart from rows of incidents."""


def statement_of(step, action):
    [statement] = [statement for statement in STEPS[step] if action in as_list(statement["Action"])]
    return statement


@pytest.mark.parametrize("action", CHANGING)
def test_each_changing_action_is_granted_to_its_steps_only(action):
    assert {step for step, statements in STEPS.items() if action in actions(statements)} == CHANGING[action]


def test_all_other_actions_only_read_or_use_the_incidents_table():
    others = {action for statements in STEPS.values() for action in actions(statements)} - set(CHANGING)

    assert {action for action in others if action.partition(":")[0] != "dynamodb"} == {
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecretVersionIds",
        "ssm:GetParameter",
        "ssm:GetAutomationExecution",
        "ecs:DescribeServices",
        "lambda:GetFunctionConfiguration",
    }
    assert [action for action in others if iam_actions.unknown(action)] == []


@pytest.mark.parametrize("step", STEPS)
def test_no_step_may_read_a_secret_value_or_use_a_wildcard(step):
    text = json.dumps(STEPS[step])

    assert "GetSecretValue" not in text
    assert all("*" not in as_list(statement["Resource"]) for statement in STEPS[step])
    assert not [action for action in actions(STEPS[step]) if "*" in action]


def test_rotatesecret_requires_the_tag_and_cannot_change_the_rotation_rules():
    assert statement_of("retry", "secretsmanager:RotateSecret") == {
        "Effect": "Allow",
        "Action": "secretsmanager:RotateSecret",
        "Resource": SECRETS,
        "Condition": {
            "StringEquals": {"aws:ResourceTag/rotation-guard:remediation": ["retry", "repair"]},
            "BoolIfExists": {"secretsmanager:ModifyRotationRules": "false"},
        },
    }
    assert statement_of("retry", "lambda:InvokeFunction")["Resource"] == [PROBE, f"{PROBE}:*"]


def test_without_rotation_functions_none_may_be_invoked():
    assert "lambda:InvokeFunction" not in actions(may.retry(HERE, INCIDENTS, []))


def test_only_awscurrent_may_be_moved_and_only_if_the_tag_opts_in_to_repair():
    assert statement_of("move", "secretsmanager:UpdateSecretVersionStage") == {
        "Effect": "Allow",
        "Action": "secretsmanager:UpdateSecretVersionStage",
        "Resource": SECRETS,
        "Condition": {
            "StringEquals": {"aws:ResourceTag/rotation-guard:remediation": "repair"},
            "StringEqualsIfExists": {"secretsmanager:VersionStage": "AWSCURRENT"},
        },
    }


def changing_statements(scope):
    """The statements that let a secret be rotated and its labels moved."""
    for step in (may.retry(HERE, INCIDENTS, [], scope), may.move(HERE, INCIDENTS, scope)):
        [statement] = [
            statement
            for statement in step
            if {"RotateSecret", "UpdateSecretVersionStage"}
            & {action.rpartition(":")[2] for action in as_list(statement["Action"])}
        ]
        yield statement


@pytest.mark.parametrize(
    ("pattern", "name", "is_included"),
    [
        ("dev/*", "dev/db", True),
        ("dev/*", "dev/a/b", True),
        ("dev/*", "prod/dev/db", False),
        ("dev/*", "Dev/db", False),
        ("dev/db", "dev/db", True),
        ("dev/db", "dev/db-Ab12Cd", False),
        ("dev/db?", "dev/db1", True),
        ("dev/db?", "dev/db", False),
    ],
)
def test_iam_and_the_domain_agree_on_the_names_in_scope(pattern, name, is_included):
    """IAM compares the whole ARN, in which `*` stands for any characters and `?` for one
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html)."""
    scope = SecretFilter(pattern)
    arn = f"{SECRETS.removesuffix('*')}{name}-Xy34Zw"

    for statement in changing_statements(scope):
        wildcards = re.escape(statement["Resource"]).replace(r"\*", ".*").replace(r"\?", ".")
        assert bool(re.fullmatch(wildcards, arn)) is is_included
    assert scope.matches(ListedSecret(name, arn, {})) is is_included


def test_the_tag_of_the_scope_is_required_besides_the_tag_by_which_a_secret_opts_in():
    stage = "aws:ResourceTag/stage"

    for statement in changing_statements(SecretFilter(None, "stage", "dev")):
        assert (statement["Resource"], statement["Condition"]["StringEquals"][stage]) == (SECRETS, "dev")
        assert "aws:ResourceTag/rotation-guard:remediation" in statement["Condition"]["StringEquals"]
    for statement in changing_statements(SecretFilter(None, "stage")):
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Null
        assert statement["Condition"]["Null"] == {stage: "false"}


def test_only_probe_functions_may_be_invoked_with_any_alias():
    assert STEPS["probe"] == [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": [PROBE, f"{PROBE}:*"]}]


def test_each_kind_of_target_is_restarted_by_its_own_action_and_arn():
    assert statement_of("restart", "ecs:UpdateService")["Resource"] == [SERVICE]
    assert statement_of("restart", "lambda:UpdateFunctionConfiguration")["Resource"] == [API]
    assert statement_of("restart", "ssm:StartAutomationExecution")["Resource"] == [DOCUMENT, AUTOMATIONS]
    assert statement_of("restart", "iam:PassRole") == {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": [ROLE],
        "Condition": {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
    }
    assert statement_of("restart", "ssm:GetParameter")["Resource"] == SWITCH


@pytest.mark.parametrize(
    ("target", "service"), [(SERVICE, "ecs"), (API, "lambda"), (DOCUMENT, "ssm")], ids=["ecs", "lambda", "ssm"]
)
def test_a_kind_without_targets_is_not_granted(target, service):
    statements = [*may.restart(HERE, INCIDENTS, "switch", [target], []), *may.watch(HERE, INCIDENTS, [target])]

    others = {"ssm:GetParameter"} if service != "ssm" else set()
    assert {action.partition(":")[0] for action in actions(statements) - others} == {"dynamodb", service}
    assert all(statement["Resource"] for statement in statements)


@pytest.mark.parametrize(
    ("document", "granted"),
    [
        ("arn:aws:ssm:eu-west-1::document/AWS-RestartEC2Instance",) * 2,
        (f"arn:aws:ssm:{AT}:document/AWS-Restart", "arn:aws:ssm:eu-west-1::document/AWS-Restart"),
        (f"arn:aws:ssm:{AT}:document/Amazon-Restart", "arn:aws:ssm:eu-west-1::document/Amazon-Restart"),
        (DOCUMENT, DOCUMENT),
    ],
)
def test_the_arn_of_a_document_of_aws_has_no_account(document, granted):
    [starting] = [
        statement
        for statement in may.restart(HERE, INCIDENTS, SWITCH, [document], [])
        if statement["Action"] == "ssm:StartAutomationExecution"
    ]

    assert starting["Resource"] == [granted, AUTOMATIONS]


def test_the_watch_step_may_restart_nothing():
    assert actions(STEPS["watch"]) == {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "ecs:DescribeServices",
        "lambda:GetFunctionConfiguration",
        "ssm:GetAutomationExecution",
    }


def test_notify_may_publish_to_two_topics_and_put_events_of_its_own_source():
    assert statement_of("notify", "sns:Publish")["Resource"] == TOPICS
    events = statement_of("notify", "events:PutEvents")
    assert events["Resource"] == f"arn:aws:events:{AT}:event-bus/default"
    assert events["Condition"] == {"StringEqualsIfExists": {"events:source": "rotation-guard"}}
