"""Restarts in the embedded AWS: automations, and permissions to restart."""

import json
import uuid
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from handlers.adapters import clients, restarters
from local.waiting import eventually
from rotation_guard.domain.remediation.restarts import CannotBeRestarted, NotReady, RestartState


@pytest.fixture
def ssm(aws):
    return aws.client("ssm")


def refused(call, *args, **kwargs):
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    return error.value.response["Error"]["Code"]


def start(ssm, document, **more):
    return ssm.start_automation_execution(DocumentName=document, **more)["AutomationExecutionId"]


def status(ssm, execution):
    answer = ssm.get_automation_execution(AutomationExecutionId=execution)["AutomationExecution"]
    return answer["AutomationExecutionStatus"]


@pytest.mark.parametrize(
    ("document", "end"), [("restart-orders", "Success"), ("restart-fails", "Failed"), ("AWS-RestartX", "Success")]
)
def test_an_automation_is_in_progress_and_then_ends(ssm, document, end):
    execution = start(ssm, document)

    assert [status(ssm, execution) for _ in range(3)] == ["InProgress", end, end]
    answer = ssm.get_automation_execution(AutomationExecutionId=execution)["AutomationExecution"]
    assert answer["DocumentName"] == document
    assert answer["ExecutionEndTime"] > answer["ExecutionStartTime"]


def test_an_automation_that_never_ends_stays_in_progress(ssm):
    execution = start(ssm, "restart-never")

    assert {status(ssm, execution) for _ in range(5)} == {"InProgress"}


def test_a_token_starts_one_automation_and_no_other(ssm):
    token = str(uuid.uuid4())

    first = start(ssm, "restart-orders", ClientToken=token)

    assert start(ssm, "restart-orders", ClientToken=token.upper()) == first
    assert refused(start, ssm, "restart-billing", ClientToken=token) == "IdempotentParameterMismatch"
    assert start(ssm, "restart-orders", ClientToken=str(uuid.uuid4())) != first
    assert start(ssm, "restart-orders") != start(ssm, "restart-orders")


def test_a_token_is_a_uuid(ssm):
    assert refused(start, ssm, "restart-orders", ClientToken="x" * 36) == "ValidationException"


def test_unknown_documents_and_executions_are_rejected(ssm):
    assert refused(start, ssm, "restart-missing") == "AutomationDefinitionNotFoundException"
    assert refused(status, ssm, str(uuid.uuid4())) == "AutomationExecutionNotFoundException"


def test_an_automation_belongs_to_its_region(aws, ssm):
    token = str(uuid.uuid4())
    execution = start(ssm, "restart-orders", ClientToken=token)
    elsewhere = replace(aws, region="us-east-1").client("ssm")

    assert refused(status, elsewhere, execution) == "AutomationExecutionNotFoundException"
    assert start(elsewhere, "restart-orders", ClientToken=token) != execution


def test_parameters_still_work(ssm):
    name = f"/kill-switch/{uuid.uuid4()}"
    ssm.put_parameter(Name=name, Value="go", Type="String")

    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "go"


# --- permissions to restart -----------


@pytest.fixture
def holder(aws):
    """Creates a user with these permissions: actions -> resources."""

    def make(allowed):
        iam, name = aws.client("iam"), f"holder-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in allowed.items()]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="restarts", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return type(aws)(aws.endpoint_url, aws.region, aws.account_id, key["AccessKeyId"], key["SecretAccessKey"])

    return make


@pytest.fixture
def arn(aws):
    return lambda service, resource: f"arn:aws:{service}:{aws.region}:{aws.account_id}:{resource}"


def test_a_role_for_one_document_may_run_that_document_alone(arn, holder):
    ssm = holder(
        {
            "ssm:StartAutomationExecution": [
                arn("ssm", "document/restart-orders"),
                arn("ssm", "automation-execution/*"),
            ],
            "ssm:GetAutomationExecution": arn("ssm", "automation-execution/*"),
        }
    ).client("ssm")

    execution = start(ssm, "restart-orders")

    assert status(ssm, execution) == "InProgress"
    assert refused(start, ssm, "restart-billing") == "AccessDeniedException"


@pytest.mark.parametrize("resource", ["document/restart-orders", "automation-execution/*"])
def test_either_permission_alone_is_insufficient(arn, holder, resource):
    ssm = holder({"ssm:StartAutomationExecution": arn("ssm", resource)}).client("ssm")

    assert refused(start, ssm, "restart-orders") == "AccessDeniedException"
    assert refused(status, ssm, str(uuid.uuid4())) == "AccessDeniedException"


def test_a_document_of_aws_has_an_arn_without_an_account(aws, arn, holder):
    own, executions = f"arn:aws:ssm:{aws.region}::document/AWS-RestartX", arn("ssm", "automation-execution/*")

    assert start(holder({"ssm:StartAutomationExecution": [own, executions]}).client("ssm"), "AWS-RestartX")
    claimed = [arn("ssm", "document/AWS-RestartX"), executions]
    denied = holder({"ssm:StartAutomationExecution": claimed}).client("ssm")
    assert refused(start, denied, "AWS-RestartX") == "AccessDeniedException"


@pytest.fixture
def service(aws):
    """Creates an ECS service, whose deployments complete when its task definition exists; returns its ARN."""

    def make(name="orders", definition=None):
        ecs, cluster = aws.client("ecs"), f"shop-{uuid.uuid4().hex[:8]}"
        ecs.create_cluster(clusterName=cluster)
        if definition is None:
            definition = f"orders-{uuid.uuid4().hex[:8]}"
            containers = [{"name": "app", "image": "app", "memory": 128}]
            ecs.register_task_definition(family=definition, containerDefinitions=containers)
        created = ecs.create_service(cluster=cluster, serviceName=name, taskDefinition=definition, desiredCount=1)
        return created["service"]["serviceArn"]

    return make


def test_a_role_for_one_service_may_restart_that_service_alone(service, holder):
    own, other = service(), service("billing")
    ecs = holder({"ecs:UpdateService": own, "ecs:DescribeServices": own}).client("ecs")
    for arn, expected in ((own, ""), (other, "AccessDeniedException")):
        cluster, name = arn.split("/")[-2:]
        calls = {"update_service": {"service": name}, "describe_services": {"services": [name]}}
        for call, which in calls.items():
            if expected:
                assert refused(getattr(ecs, call), cluster=cluster, **which) == expected
            else:
                getattr(ecs, call)(cluster=cluster, **which)


# --- the product's restarters -------------------------------------------------------------------------------------


@pytest.fixture
def product(aws, monkeypatch):
    def client(service, answers_within=None, attempts=1):
        return aws.client(service)

    for module in (clients, restarters.automations, restarters.ecs_services, restarters.lambda_functions):
        monkeypatch.setattr(module, "client", client)
    return restarters.create_restarter


def settles(restarter, target, restart_id, before=()):
    """Waits until a restart has settled."""
    eventually(
        lambda: restarter.read_status(target, restart_id, before).state == RestartState.SETTLED,
        f"{target} to settle",
        seconds=5,
    )


def test_a_service_is_restarted_once_and_settles(product, service):
    arn = service()
    restarter = product(arn)
    before = restarter.list_previous(arn)

    first = restarter.start(arn, "token", before)

    assert first not in before
    assert restarter.start(arn, "token", before) == first
    settles(restarter, arn, first, before)


def test_a_service_without_its_task_definition_never_settles(product, service):
    arn = service(definition="nobody-made-it:1")
    restarter = product(arn)
    before = restarter.list_previous(arn)

    restart_id = restarter.start(arn, "token", before)

    assert restarter.read_status(arn, restart_id, before).state == RestartState.STARTED


def test_a_function_is_restarted_once_and_settles(aws, product, rotation_function):
    token = str(uuid.uuid4())
    restarter = product(rotation_function)

    def start():
        try:
            return restarter.start(rotation_function, token, ())
        except NotReady:
            return None

    revisions = [aws.client("lambda").get_function_configuration(FunctionName=rotation_function)["RevisionId"]]
    for _ in range(2):
        # Its deployment may still be in progress.
        assert eventually(start, "a function that is ready to be restarted", seconds=5) == token
        configuration = aws.client("lambda").get_function_configuration(FunctionName=rotation_function)
        revisions.append(configuration["RevisionId"])

    assert revisions[0] != revisions[1] == revisions[2]
    settles(restarter, rotation_function, token)


def test_an_automation_is_started_once_and_settles(product, arn):
    document, token = arn("ssm", "document/restart-orders"), str(uuid.uuid4())
    restarter = product(document)

    first, again = (restarter.start(document, token, ()) for _ in range(2))

    assert first == again
    assert [restarter.read_status(document, first, ()).state for _ in range(2)] == [
        RestartState.STARTED,
        RestartState.SETTLED,
    ]


def test_missing_targets_cannot_be_restarted(product, arn):
    for target in (
        arn("ecs", "service/nowhere/orders"),
        arn("lambda", "function:nobody"),
        arn("ssm", "document/restart-missing"),
    ):
        with pytest.raises(CannotBeRestarted):
            product(target).start(target, str(uuid.uuid4()), ())
