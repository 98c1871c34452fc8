"""A role grants exactly what its function declares and uses."""

import importlib
import json
import os
import re
import subprocess
import sys

import pytest

from local.deploy.stacks import ROOT
from local.mocks.recording import deploy_program, stack_config
from tests import used_permissions
from tests.contracts.conftest import EVERYTHING

ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"
SCENARIOS = (
    "tests/remediation/test_races_and_crashes.py::test_a_lost_race_is_diagnosed_again",
    "tests/remediation/test_scenarios.py::test_incidents_beyond_the_hourly_limit_are_published_in_one_digest",
    "tests/remediation/test_scenarios.py::test_repairs_of_a_secret_that_keeps_failing_are_suspended_until_it_is_released",
    "tests/remediation/test_restarts.py::test_each_dependent_is_restarted_once_before_recovery_is_published",
    "tests/remediation/test_deleted_rows.py::test_a_claim_without_its_incident_is_released_and_escalated_once",
    "tests/handlers/trail/test_writer_faults.py::test_each_event_is_recorded_or_retried[ListSecretVersionIds-kill]",
    "tests/handlers/audit/test_completion.py::test_a_vanished_secret_is_recorded_even_if_the_run_fails_afterwards",
    "tests/handlers/audit/test_runs_that_hand_over.py::test_a_repeated_handover_is_continued_once",
    "tests/handlers/audit/test_stuck_rotations.py::"
    "test_a_stalled_incident_is_reported_whether_its_rotation_is_stuck_or_not",
    "tests/handlers/organization/test_record.py::test_a_transition_is_published_to_its_topics_once[held-topics4]",
    "tests/handlers/organization/test_record.py::test_the_latest_status_wins_in_every_order[order0]",
    "tests/handlers/organization/test_import_findings.py::test_a_secret_that_needs_attention_becomes_a_finding",
    "tests/handlers/organization/test_redeliver.py::test_an_event_arrives_wrapped_under_a_source_that_anyone_may_use",
    "tests/handlers/reports/test_report.py::test_the_report_is_stored_as_html_and_csv_and_its_headline_sent",
    "tests/handlers/demo/test_rotation.py::test_the_label_moves_away_from_the_version_that_holds_it",
    "tests/handlers/demo/test_rotation.py::test_no_password_is_ever_logged",
)
"""The smallest set of tests in which every function makes every kind of call. In all other tests of functions,
an undeclared call fails its test."""
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html#monitoring-cloudwatchlogs-prereqs"""
POLLING = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
"""What Lambda does with a function's role to read its queue
(https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html)."""
LOG_DELIVERY = {
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}
"""https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy"""
NEEDS_OF_KEY = {
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    "sns:Publish": {"kms:GenerateDataKey", "kms:Decrypt"},
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    "sqs:SendMessage": {"kms:GenerateDataKey", "kms:Decrypt"},
    "sqs:ReceiveMessage": {"kms:Decrypt"},
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    "s3:PutObject": {"kms:GenerateDataKey"},
}
"""What AWS requires of a caller for messages and files encrypted with a customer key, which tables and parameters are
not."""


@pytest.fixture(scope="session")
def used(tmp_path_factory):
    """Entry point -> the actions that it uses in the scenarios."""
    file = tmp_path_factory.mktemp("used") / "permissions.json"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SCENARIOS],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, used_permissions.FILE: str(file)},
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    return {name: set(actions) for name, actions in json.loads(file.read_text()).items()}


@pytest.fixture(scope="session")
def encrypted():
    """The whole stack with a customer key for its topics and queues."""
    config = {
        f"rotation-guard:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in EVERYTHING.items()
    }
    return deploy_program({**stack_config("dev"), **config, "rotation-guard:kmsKeyArn": KEY}, stack="dev")


def granted_actions(recording, role_arn):
    """The actions that the role is allowed."""
    [role] = [resource for resource in recording.of_type(ROLE) if resource.arn == role_arn]
    policies = [
        resource for resource in recording.of_type(ROLE_POLICY) if resource.inputs["role"] == role.outputs["name"]
    ]
    assert policies
    statements = [statement for policy in policies for statement in policy.policy()]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    return {action for statement in statements for action in as_list(statement["Action"])}


def as_list(value):
    return [value] if isinstance(value, str) else value


def service_actions(recording, function):
    """What Lambda does with a function's role: writes its log, reads its queue, and sends failed events on."""
    arn, name = function.arn, function.outputs["name"]
    polled = recording.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    configured = recording.of_type("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
    assert polled
    assert configured
    actions = set(LOGGING)
    if any(resource.inputs["functionName"] == arn for resource in polled):
        actions |= POLLING
    if any(resource.inputs["functionName"] == name for resource in configured):
        actions |= {"sqs:SendMessage"}
    return actions


def functions_by_entry_point(recording):
    """Every function by its entry point."""
    return {resource.inputs["handler"]: resource for resource in recording.of_type("aws:lambda/function:Function")}


def test_every_function_uses_what_its_role_grants_and_declares_it(whole, organization, used):
    # The hub's writer is that of the stack, and has fewer permissions where there is no table of statuses.
    functions = {
        entry_point: (stack, function)
        for stack in (organization, whole)
        for entry_point, function in functions_by_entry_point(stack).items()
    }
    assert set(functions) == set(used)

    for entry_point, (stack, function) in functions.items():
        declared = importlib.import_module(entry_point.rpartition(".")[0]).ACTIONS
        grants = granted_actions(stack, function.inputs["role"]) - service_actions(stack, function)
        assert grants == used[entry_point], f"{entry_point}: what its role grants is not what it uses"
        assert declared == used[entry_point], f"{entry_point}: what it declares is not what it uses"


@pytest.mark.parametrize("stack", ["whole", "organization"])
def test_what_lambda_does_with_the_role_of_a_function_is_granted(stack, request):
    recording = request.getfixturevalue(stack)
    for function in functions_by_entry_point(recording).values():
        assert service_actions(recording, function) <= granted_actions(recording, function.inputs["role"])


def test_only_functions_that_send_or_receive_encrypted_messages_may_use_the_key(whole, encrypted, used):
    functions = functions_by_entry_point(encrypted)
    plain = functions_by_entry_point(whole)
    with_key = set()

    for entry_point, function in functions.items():
        calls = used[entry_point] | service_actions(encrypted, function)
        needed = set().union(*(NEEDS_OF_KEY.get(action, set()) for action in calls))
        grants = granted_actions(encrypted, function.inputs["role"])
        assert {action for action in grants if action.startswith("kms:")} == needed, entry_point
        assert grants - needed == granted_actions(whole, plain[entry_point].inputs["role"])
        with_key |= {entry_point} if needed else set()

    assert with_key == {
        f"handlers.{name}.handler"
        for name in (
            *("trail.writer", "audit.check", "remediation.start", "remediation.notify"),
            *("organization.import_findings", "reports.report"),
        )
    }


def test_the_key_is_granted_where_it_is_used_and_nowhere_else(encrypted):
    for policy in encrypted.of_type(ROLE_POLICY):
        for statement in policy.policy():
            names_key = KEY in as_list(statement["Resource"])
            assert names_key == all(action.startswith("kms:") for action in as_list(statement["Action"]))


@pytest.mark.parametrize("stack", ["whole", "encrypted"])
def test_the_role_of_the_workflow_has_the_permissions_of_its_definition(stack, request):
    recording = request.getfixturevalue(stack)
    [machine] = recording.of_type("aws:sfn/stateMachine:StateMachine")
    states = json.loads(machine.inputs["definition"])["States"].values()
    resources = {state["Resource"] for state in states if state["Type"] == "Task"}

    actions = {_action_of(resource) for resource in resources}
    needed = set().union(*(NEEDS_OF_KEY.get(action, set()) for action in actions)) if stack == "encrypted" else set()
    assert granted_actions(recording, machine.inputs["roleArn"]) == actions | needed | LOG_DELIVERY


def _action_of(resource):
    """The IAM action of a task: arn:aws:states:::dynamodb:updateItem is dynamodb:UpdateItem, and a function is invoked.

    (https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html)
    """
    match = re.fullmatch(r"arn:[\w-]+:states:::(\w+):(\w)(\w+)", resource)
    return f"{match[1]}:{match[2].upper()}{match[3]}" if match else "lambda:InvokeFunction"
