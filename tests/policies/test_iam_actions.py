"""What the pack knows of IAM's actions and of the ARNs of resources."""

import pytest

from policies import iam_actions

ACCOUNT = "eu-west-1:111122223333"


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("arn:aws:s3:::*", "s3 bucket"),
        ("arn:aws:s3:::*/*", "s3 "),
        ("arn:aws:logs:*:*:*", "logs "),
        (f"arn:aws:sns:{ACCOUNT}:*", "sns topic"),
        (f"arn:aws:lambda:{ACCOUNT}:function:*", "lambda function"),
        (f"arn:aws:dynamodb:{ACCOUNT}:table/*", "dynamodb table"),
        (f"arn:aws:dynamodb:{ACCOUNT}:table/*/index/*", "dynamodb index"),
        ("arn:aws:iam::111122223333:role/*", "iam role"),
        (f"arn:aws:cloudwatch:{ACCOUNT}:unheard-of/*", "cloudwatch resource"),
        (f"arn:aws:brand-new:{ACCOUNT}:thing/*", "brand-new resource"),
        ("arn:aws:*:*:*:*", "resource"),
        ("arn:aws:*", "resource"),
    ],
)
def test_an_arn_that_takes_in_all_of_a_type_is_known(resource, kind):
    assert (iam_actions.whole_type(resource) or "").startswith(kind)


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        "orders-*",
        "arn:aws:s3:::mine/*",
        "arn:aws:s3:::mine-*",
        "arn:aws:s3:::*-logs",
        f"arn:aws:sqs:{ACCOUNT}:orders-*",
        f"arn:aws:dynamodb:{ACCOUNT}:table/notes/index/*",
        f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda/f:*",
        f"arn:aws:execute-api:{ACCOUNT}:abc/*",
        f"arn:aws:rds-db:{ACCOUNT}:dbuser:*/app",
        f"arn:aws:ecs:{ACCOUNT}:task/cluster/*",
        "arn:aws:iam::111122223333:role/shop/*",
        "arn:aws:sqs:*:*:orders",
        f"arn:aws:brand-new:{ACCOUNT}:thing/a*",
    ],
)
def test_an_arn_that_takes_in_some_of_a_type_is_none_of_them(resource):
    assert iam_actions.whole_type(resource) is None


@pytest.mark.parametrize(
    ("action", "wrong"),
    [
        ("sqs:SendMesage", "does not exist; did you mean SendMessage?"),
        ("sqss:SendMessage", "names a service that does not exist; did you mean sqs?"),
        ("sqs:Recieve*", "matches no action"),
        ("sqs:", "is no action: it has no service before a colon"),
        ("everything", "is no action: it has no service before a colon"),
        ("s3:Zzz", "does not exist"),
    ],
)
def test_an_action_that_does_not_exist_is_told_from_the_one_that_is_meant(action, wrong):
    assert iam_actions.unknown(action) == wrong


@pytest.mark.parametrize("action", ["*", "*:*", "sqs:*", "SQS:sendmessage", "s3:Get?bject", "SNS:Receive"])
def test_an_action_that_exists_is_known_in_whatever_case(action):
    assert iam_actions.unknown(action) is None


@pytest.mark.parametrize("action", ["sqs:SendMessage", "events:PutEvents", "sqs:*", "ec2:*", "s3:Get*", "s3:GetObject"])
def test_an_action_that_can_be_held_to_a_resource_is_known(action):
    assert action in iam_actions.held_to_resources(action) or len(iam_actions.held_to_resources(action)) > 1


@pytest.mark.parametrize(
    "action", ["cloudwatch:PutMetricData", "ec2:Describe*", "logs:CreateLogDelivery", "autoscaling:Describe*", "new:Do"]
)
def test_an_action_that_cannot_be_held_to_a_resource_is_none_of_them(action):
    assert iam_actions.held_to_resources(action) == ()
