"""What each step of remediation may do: least, and what opts in."""

import json

import pytest

from components.remediation import permissions as may
from policies.aws.iam import actions as iam_actions
from tests.components.statements import actions, listed

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
    "start": may.start(f"arn:aws:states:{AT}:stateMachine:mend"),
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
"""Who may change or tell anything; rows of incidents aside."""


def statement_of(step, action):
    [found] = [statement for statement in STEPS[step] if action in listed(statement["Action"])]
    return found


@pytest.mark.parametrize("action", CHANGING)
def test_each_change_is_one_steps_alone(action):
    assert {step for step, given in STEPS.items() if action in actions(given)} == CHANGING[action]


def test_beside_these_the_steps_read_and_write_down():
    others = {action for given in STEPS.values() for action in actions(given)} - set(CHANGING)

    assert {one for one in others if one.partition(":")[0] != "dynamodb"} == {
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecretVersionIds",
        "ssm:GetParameter",
        "ssm:GetAutomationExecution",
        "ecs:DescribeServices",
        "lambda:GetFunctionConfiguration",
    }
    assert [one for one in others if iam_actions.unknown(one)] == []


@pytest.mark.parametrize("step", STEPS)
def test_no_step_may_read_a_value_or_do_anything_on_everything(step):
    text = json.dumps(STEPS[step])

    assert "GetSecretValue" not in text
    assert all("*" not in listed(statement["Resource"]) for statement in STEPS[step])
    assert not [action for action in actions(STEPS[step]) if "*" in action]


def test_a_rotation_is_asked_for_where_the_tag_opts_in_and_by_the_rules_that_there_are():
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


def test_where_no_rotation_function_is_listed_none_may_be_invoked():
    assert "lambda:InvokeFunction" not in actions(may.retry(HERE, INCIDENTS, []))


def test_only_awscurrent_is_moved_and_only_where_the_tag_opts_in_to_repair():
    assert statement_of("move", "secretsmanager:UpdateSecretVersionStage") == {
        "Effect": "Allow",
        "Action": "secretsmanager:UpdateSecretVersionStage",
        "Resource": SECRETS,
        "Condition": {
            "StringEquals": {"aws:ResourceTag/rotation-guard:remediation": "repair"},
            "StringEqualsIfExists": {"secretsmanager:VersionStage": "AWSCURRENT"},
        },
    }


def test_a_probe_is_asked_by_whatever_alias_and_no_other_function_is():
    assert STEPS["probe"] == [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": [PROBE, f"{PROBE}:*"]}]


def test_each_kind_of_target_is_restarted_by_its_own_call_and_by_arn():
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
def test_what_is_not_listed_is_not_granted(target, service):
    given = [*may.restart(HERE, INCIDENTS, "switch", [target], []), *may.watch(HERE, INCIDENTS, [target])]

    others = {"ssm:GetParameter"} if service != "ssm" else set()
    assert {one.partition(":")[0] for one in actions(given) - others} == {"dynamodb", service}
    assert all(one["Resource"] for one in given)


@pytest.mark.parametrize(
    ("given", "granted"),
    [
        ("arn:aws:ssm:eu-west-1::document/AWS-RestartEC2Instance",) * 2,
        (f"arn:aws:ssm:{AT}:document/AWS-Restart", "arn:aws:ssm:eu-west-1::document/AWS-Restart"),
        (f"arn:aws:ssm:{AT}:document/Amazon-Restart", "arn:aws:ssm:eu-west-1::document/Amazon-Restart"),
        (DOCUMENT, DOCUMENT),
    ],
)
def test_a_document_of_aws_is_in_no_account(given, granted):
    [starting] = [
        one
        for one in may.restart(HERE, INCIDENTS, SWITCH, [given], [])
        if one["Action"] == "ssm:StartAutomationExecution"
    ]

    assert starting["Resource"] == [granted, AUTOMATIONS]


def test_who_watches_restarts_nothing():
    assert actions(STEPS["watch"]) == {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "ecs:DescribeServices",
        "lambda:GetFunctionConfiguration",
        "ssm:GetAutomationExecution",
    }


def test_notices_go_to_two_topics_and_events_to_the_default_bus_under_our_own_name():
    assert statement_of("notify", "sns:Publish")["Resource"] == TOPICS
    events = statement_of("notify", "events:PutEvents")
    assert events["Resource"] == f"arn:aws:events:{AT}:event-bus/default"
    assert events["Condition"] == {"StringEqualsIfExists": {"events:source": "rotation-guard"}}
