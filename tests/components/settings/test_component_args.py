"""A component that is placed by itself refuses bad arguments in one message, before it makes anything."""

import json
from typing import Any

import pulumi
import pytest

from components.audit.audit_status import AuditStatus
from components.audit.audit_trail import AuditTrail
from components.audit.rotation_audit import RotationAudit
from components.demo.demo_secrets import DemoSecrets
from components.events.canary import RotationCanary
from components.events.management_trail import ManagementTrail
from components.events.rotation_events import RotationEvents
from components.integrations.integrations import Integrations
from components.integrations.security_findings import SecurityFindings
from components.notifications.notifications import Notifications
from components.observability.observability import Observability
from components.organization.hub import Hub
from components.organization.member import Member
from components.remediation.remediation import Remediation
from components.reports.scheduled_reports import ScheduledReports
from components.settings.name_lengths import LONGEST_NAMES
from components.settings.validation import InvalidSettings
from tests.component_classes import list_components
from tests.components.integrations.receivers import subscription
from tests.components.settings.test_name_lengths import ACTUALLY_ADDED, LIMITS

AT = "eu-west-1:111122223333"
TOPIC = f"arn:aws:sns:{AT}:topic"
FUNCTION = {"function_name": "f", "service": "s"}
ARGS = {
    AuditStatus: {},
    AuditTrail: {},
    DemoSecrets: {},
    Hub: {"organization_id": "o-a1b2c3d4e5"},
    Integrations: {"subscriptions": [subscription("webhook", "remediation")]},
    Member: {"hub_event_bus_arn": f"arn:aws:events:{AT}:event-bus/hub", "alarms_topic_arn": TOPIC},
    ManagementTrail: {"regional_arn": f"arn:aws:sqs:{AT}:queue"},
    Notifications: {"subscriptions": [{"topic": "critical", "protocol": "sqs", "endpoint": f"arn:aws:sqs:{AT}:q"}]},
    Observability: {"alarms_topic_arn": TOPIC, "rule_names": {"service": "r"}, "steps": {"claim": FUNCTION}},
    Remediation: {"remediation_topic_arn": TOPIC, "critical_topic_arn": TOPIC},
    RotationAudit: {},
    SecurityFindings: {},
    RotationCanary: {
        "incidents_table_name": "incidents",
        "dead_letter_queue_arn": f"arn:aws:sqs:{AT}:queue",
        "canary_schedule": "rate(1 day)",
    },
    RotationEvents: {
        "failures_topic_arn": TOPIC,
        "audit_queue_arn": f"arn:aws:sqs:{AT}:queue",
        "start_function_arn": f"arn:aws:lambda:{AT}:function:start",
        "start_function_name": "start",
    },
    ScheduledReports: {
        "report_schedule": "rate(1 day)",
        "status_table_name": "status",
        "status_table_arn": f"arn:aws:dynamodb:{AT}:table/status",
        "runs_table_name": "runs",
        "runs_table_arn": f"arn:aws:dynamodb:{AT}:table/runs",
        "reports_topic_arn": TOPIC,
    },
}
"""Arguments with which each component is deployed."""


def by_name(component):
    return component.__name__


@pytest.fixture
def refuse(run):
    """The complaints of a component about these arguments, which make no resource."""

    def refuse(component, args, name="one"):
        refusals = []

        def program():
            with pytest.raises(InvalidSettings) as refused:
                component(name, args() if callable(args) else args)
            refusals.extend(refused.value.complaints)

        assert run(program).resources == []
        assert refusals
        return refusals

    return refuse


NAMED = [component for component in ARGS if component is not ManagementTrail]
"""Those whose names are limited: the trail's bucket has a name of its own."""


def test_every_component_is_here():
    assert {component.__name__ for component in ARGS} | {"RotationGuard", "Function"} == {
        component.__name__ for component in list_components()
    }
    assert {component.__name__ for component in NAMED} | {"RotationGuard"} == set(LONGEST_NAMES)


@pytest.mark.parametrize("component", ARGS, ids=by_name)
def test_an_argument_that_does_not_exist_is_refused_with_a_suggestion(refuse, component):
    [complaint] = refuse(component, {**ARGS[component], "tagz": {}})

    assert complaint == f"tagz is not an argument of {component.__name__}; did you mean tags?"


@pytest.mark.parametrize("component", ARGS, ids=by_name)
@pytest.mark.parametrize("args", ["x", 5, ["tags"], True])
def test_what_is_no_map_is_refused(refuse, component, args):
    assert refuse(component, args) == [f"the arguments of {component.__name__} must be a map, got {json.dumps(args)}"]


@pytest.mark.parametrize(
    "component", [component for component, args in ARGS.items() if not args or component is Notifications], ids=by_name
)
def test_nothing_at_all_is_enough_where_nothing_is_required(run, component):
    assert run(lambda: component("one", None)).resources
    assert run(lambda: component("one")).resources


@pytest.mark.parametrize(
    ("component", "missing"),
    [
        (
            Remediation,
            ["remediation_topic_arn must be given, got nothing", "critical_topic_arn must be given, got nothing"],
        ),
        (
            Hub,
            ["organization_id must be given, or member_accounts, to say which accounts may send events, got neither"],
        ),
        (ManagementTrail, ["regional_arn must be given, got nothing"]),
        (Member, ["hub_event_bus_arn must be given, got nothing", "alarms_topic_arn must be given, got nothing"]),
        (Observability, ["alarms_topic_arn must be given, got nothing"]),
        (RotationEvents, ["one of failures_topic_arn, audit_queue_arn, start_function_arn must be given, got none"]),
    ],
    ids=["Remediation", "Hub", "ManagementTrail", "Member", "Observability", "RotationEvents"],
)
def test_what_is_required_is_named(refuse, component, missing):
    assert refuse(component, {}) == missing
    assert refuse(component, None) == missing


@pytest.mark.parametrize("component", ARGS, ids=by_name)
def test_a_wrong_setting_is_refused_with_its_limits(refuse, component):
    [complaint] = refuse(component, {**ARGS[component], "tags": {"a": 5}})

    assert complaint.startswith("tags.a must be a tag whose value is text (in quotes) ")


@pytest.mark.parametrize(
    ("component", "args", "complaint"),
    [
        (AuditTrail, {"history_days": True}, "history_days must be an integer from 0 to 3650, got true"),
        (
            AuditTrail,
            {"runtime": {"log_retention_days": 2}},
            "runtime.log_retention_days must be ",
        ),
        (AuditTrail, {"runtime": {"memory": 2}}, "runtime.memory is not one of runtime; there are "),
        (AuditTrail, {"runtime": 2}, "runtime must be a map of log_retention_days, "),
        (
            ManagementTrail,
            {"regional_arn": "x"},
            "regional_arn must be the ARN of a resource in a Region of an account",
        ),
        (AuditTrail, {"table_arn": "trail"}, 'table_arn must be the ARN of a table of DynamoDB, got "trail"'),
        (
            AuditTrail,
            {"queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/events"},
            "queue_arn and queue_url must be given together, got queue_url alone",
        ),
        (AuditTrail, {"queue_arn": f"arn:aws:sqs:{AT}:q", "queue_url": "q"}, "queue_url must be the URL of a standard"),
        (
            ManagementTrail,
            {"regional_arn": "eu-west-1"},
            "regional_arn must be the ARN of a resource in a Region of an account, got",
        ),
        (
            ManagementTrail,
            {"regional_arn": "arn:aws:s3:::bucket"},
            "regional_arn must be the ARN of a resource in a Region of an account",
        ),
        (
            Member,
            {**ARGS[Member], "hub_event_bus_arn": f"arn:aws:events:{AT}:event-bus/default"},
            "hub_event_bus_arn must be the ARN of an event bus that is no default one, got",
        ),
        (
            RotationEvents,
            {**ARGS[RotationEvents], "event_bus_name": ""},
            'event_bus_name must be the name of an event bus, or its ARN, got ""',
        ),
        (RotationAudit, {"status_table_name": "x"}, "status_table_name and status_table_arn must be given together"),
        (
            RotationAudit,
            {"status_table_name": None, "status_table_arn": None},
            "status_table_name must be text, got null",
        ),
        (Observability, {"alarms_topic_arn": TOPIC, "rule_names": ["a"]}, 'rule_names must be a map, got ["a"]'),
        (Observability, {"alarms_topic_arn": TOPIC, "rule_names": {"a": 1}}, "rule_names.a must be text, got 1"),
        (
            Observability,
            {"alarms_topic_arn": TOPIC, "steps": {"claim": {"function_name": "x"}}},
            "steps.claim.service must be given, got nothing",
        ),
        (Observability, {"alarms_topic_arn": TOPIC}, "one of rule_names, "),
        (RotationEvents, {"start_function_name": "x", "failures_topic_arn": TOPIC}, "start_function_arn and "),
        (
            RotationEvents,
            {
                "failures_topic_arn": TOPIC,
                "extra_rules": [{"name": "x", "event_pattern": {"source": ["a"]}, "to": "both"}],
            },
            "extra_rules[0].to must be a destination that is given, got 'both' without audit_queue_arn",
        ),
    ],
)
def test_each_wrong_argument_has_a_sentence_with_its_path(refuse, component, args, complaint):
    first, *others = refuse(component, args)

    assert first.startswith(complaint)
    assert all(other.startswith("status_table_arn must be text") for other in others)


def test_what_is_refused_is_a_property_error_with_the_path_and_the_reason(run):
    refusals = []
    args: Any = {"runtime": {"log_retention_days": 2}, "table_arn": 5, "color": 1}

    def program():
        with pytest.raises(pulumi.errors.InputPropertiesError) as refused:
            AuditTrail("one", args)
        refusals.extend(refused.value.errors or [])

    assert run(program).resources == []
    assert {error["property_path"]: error["reason"].split(",")[0] for error in refusals} == {
        "color": "is not an argument of AuditTrail; there are all_accounts",
        "runtime.log_retention_days": "must be one of 1",
        "table_arn": "must be text",
    }


@pytest.mark.parametrize(
    ("component", "args", "path", "reason"),
    [
        (
            Hub,
            {},
            "organization_id",
            "must be given, or member_accounts, to say which accounts may send events, got neit",
        ),
        (
            AuditTrail,
            {"queue_arn": f"arn:aws:sqs:{AT}:q"},
            "queue_arn",
            "queue_arn and queue_url must be given together, got queue_arn alone",
        ),
    ],
)
def test_what_is_missing_besides_another_argument_has_a_path_as_well(run, component, args, path, reason):
    refusals = []

    def program():
        with pytest.raises(pulumi.errors.InputPropertiesError) as refused:
            component("one", args)
        refusals.extend(refused.value.errors or [])

    assert run(program).resources == []
    [error] = refusals
    assert (error["property_path"], error["reason"].startswith(reason)) == (path, True)


def test_an_output_is_refused_where_a_plain_value_is_needed_and_taken_elsewhere(run, refuse):
    [complaint] = refuse(AuditTrail, lambda: {"history_days": pulumi.Output.from_input(5)})
    assert complaint == 'history_days must be an integer from 0 to 3650, got "a value that is known only later"'
    [complaint] = refuse(Observability, lambda: {"alarms_topic_arn": TOPIC, "rule_names": pulumi.Output.from_input({})})
    assert complaint == 'rule_names must be a map, got "a value that is known only later"'

    table = pulumi.Output.from_input(f"arn:aws:dynamodb:{AT}:table/trail")
    assert run(lambda: AuditTrail("one", {"table_arn": table})).resources


@pytest.mark.parametrize(
    ("component", "name", "what"),
    [
        (AuditTrail, "table_arn", "the ARN of a table of DynamoDB"),
        (ManagementTrail, "regional_arn", "the ARN of a resource in a Region of an account"),
        (Member, "hub_event_bus_arn", "the ARN of an event bus that is no default one"),
        (Member, "alarms_topic_arn", "the ARN of a standard SNS topic"),
        (Remediation, "incidents_table_arn", "the ARN of a table of DynamoDB"),
    ],
)
def test_an_output_that_turns_out_to_be_wrong_fails_with_the_same_sentence_without_its_value(
    deploy, component, name, what
):
    for wrong in ("hunter2", "arn:aws:iam::111122223333:role/hunter2", None):
        with pytest.raises(InvalidSettings) as refused:
            deploy(component, "one", lambda wrong=wrong: {**ARGS[component], name: pulumi.Output.from_input(wrong)})

        assert refused.value.complaints == [f"{name} must be {what}, got an Output with another value"]


def test_an_optional_output_may_turn_out_to_be_nothing(deploy):
    assert deploy(
        Observability,
        "one",
        lambda: {**ARGS[Observability], "state_machine_arn": pulumi.Output.from_input(None)},
    ).resources


@pytest.mark.parametrize("component", NAMED, ids=by_name)
def test_the_longest_name_of_each_component_follows_from_the_limits_of_aws(deploy, refuse, component):
    recording = deploy(component, "one", ARGS[component])

    longest = min(
        LIMITS[resource.type] - ACTUALLY_ADDED - (len(resource.name) - len("one"))
        for resource in recording.custom()
        if resource.type in LIMITS
    )
    assert longest == LONGEST_NAMES[component.__name__]
    [complaint] = refuse(component, ARGS[component], "n" * (longest + 1))
    assert complaint.startswith(f"the component's name must be at most {longest} characters, as the name of ")
    assert complaint.endswith(f" with {longest + 1}")
