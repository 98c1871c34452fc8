"""The deployer's policies are enough and no more, by the IAM of the embedded AWS."""

import json

import pytest
from botocore.exceptions import ClientError

from docs.deployer_policies import write_policies
from local.aws import Aws
from local.deploy import program as pulumi_program
from local.deploy.stacks import read_stack
from local.emulator.process import Emulator
from local.errors import LocalError
from local.mocks.recording import REGION

_NAME = "the embedded AWS does not read the name, to which AWS holds the action"
_GROUP = "the embedded AWS takes every schedule for one of the default group"
_KEY = "the embedded AWS does not know the condition key lambda:FunctionArn"
DECIDED_OTHERWISE = {
    "cloudwatch:DeleteAlarms": _NAME,
    "cloudwatch:DeleteDashboards": _NAME,
    "cloudwatch:PutDashboard": _NAME,
    "events:PutTargets": _NAME,
    "events:RemoveTargets": _NAME,
    "lambda:CreateEventSourceMapping": _KEY,
    "lambda:CreateFunction": _NAME,
    "lambda:DeleteEventSourceMapping": _KEY,
    "scheduler:CreateSchedule": _GROUP,
    "scheduler:DeleteSchedule": _GROUP,
}
"""Actions about which the embedded AWS has to be asked without resource and condition, each with the reason."""
TRAIL = """
from components.events.management_trail import ManagementTrail

queue = sqs.Queue("rotation-guard-events")
ManagementTrail("rotation-guard-management-trail", {"regional_arn": queue.arn, "deletion_protection": False})
"""
OVERRIDES = {"deletionProtection": False, "remediationMode": "repair", "subscriptions": []}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """An embedded AWS of its own: deployments that are refused leave behind what they have made."""
    with Emulator.serve(tmp_path_factory.mktemp("aws") / "emulator", REGION) as emulator:
        yield emulator.aws(REGION)


@pytest.fixture
def make_deployer(aws):
    """Makes a user with these of the generated policies, and answers its clients."""

    def make(name, *policies):
        iam = aws.client("iam")
        iam.create_user(UserName=name)
        texts = [text for path, text in write_policies().items() if path.stem in policies]
        for number, text in enumerate(texts):
            arn = iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=text)["Policy"]["Arn"]
            iam.attach_user_policy(UserName=name, PolicyArn=arn)
        granted = [action for action in DECIDED_OTHERWISE if any(action in text for text in texts)]
        if granted:
            statement = {"Effect": "Allow", "Action": granted, "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_user_policy(UserName=name, PolicyName="embedded", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Aws(aws.endpoint_url, aws.region, aws.account_id, key["AccessKeyId"], key["SecretAccessKey"])

    return make


def test_the_policies_are_enough_to_create_and_delete_a_stack(make_deployer):
    deployer = make_deployer("deployer", "functions", "messages", "storage")

    deployed = pulumi_program.run(read_stack("prod", OVERRIDES), deployer)
    for resource in reversed(deployed.resources):
        resource.delete(deployer)

    assert len(deployed.resources) > 150


def test_the_policies_suffice_for_a_trail_of_its_own(aws, make_deployer, program):
    deployer = make_deployer("with-a-trail", "functions", "messages", "storage")

    pulumi_program.run(read_stack("dev", root=program(TRAIL)), deployer)

    names = [entry["Name"] for entry in aws.client("s3").list_buckets()["Buckets"]]
    assert [name.startswith("cloudtrail-") for name in names].count(True) == 1


@pytest.mark.parametrize("missing", ["functions", "messages", "storage"])
def test_without_one_of_the_policies_a_deployment_is_refused(make_deployer, missing):
    others = {"functions", "messages", "storage"} - {missing}
    deployer = make_deployer(f"without-{missing}", *others)

    with pytest.raises(LocalError, match=r"AccessDenied|not authorized"):
        pulumi_program.run(read_stack("prod", OVERRIDES), deployer)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("sqs", "create_queue", {"QueueName": "orders"}),
        ("sns", "create_topic", {"Name": "orders"}),
        ("s3", "list_buckets", {}),
        (
            "iam",
            "attach_role_policy",
            {"RoleName": "rotation-guard-x", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
        ("secretsmanager", "list_secrets", {}),
        ("iam", "create_user", {"UserName": "rotation-guard-user"}),
    ],
)
def test_the_deployer_may_touch_nothing_of_others(make_deployer, service, operation, parameters):
    deployer = make_deployer(f"touching-{service}-{operation}".replace("_", "-"), "functions", "messages", "storage")

    with pytest.raises(ClientError, match=r"AccessDenied|AuthorizationError"):
        getattr(deployer.client(service), operation)(**parameters)
