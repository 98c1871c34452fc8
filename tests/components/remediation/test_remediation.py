"""Remediation: the workflow, its steps, the incidents table, and the kill switch."""

import json

import pulumi
import pytest
from pulumi_aws import ssm

from components.release import resolve_runbook
from components.remediation.remediation import Remediation
from components.remediation.steps import STEPS_OF_EVERY_MODE
from components.settings.declarations import SETTINGS
from components.settings.setting import to_camel_case

MACHINE, TABLE = "aws:sfn/stateMachine:StateMachine", "aws:dynamodb/table:Table"
FUNCTION, LOG_GROUP = "aws:lambda/function:Function", "aws:cloudwatch/logGroup:LogGroup"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
QUEUE, PARAMETER = "aws:sqs/queue:Queue", "aws:ssm/parameter:Parameter"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
HERE = "eu-west-1:111122223333"
TOPICS = {
    "remediation_topic_arn": f"arn:aws:sns:{HERE}:remediation",
    "critical_topic_arn": f"arn:aws:sns:{HERE}:critical",
}
PROBE, ROTATION, API = (f"arn:aws:lambda:{HERE}:function:{name}" for name in ("probe", "rotation", "api"))
SERVICE, DOCUMENT = f"arn:aws:ecs:{HERE}:service/shop/orders", f"arn:aws:ssm:{HERE}:document/restart"
ROLE_ARN = "arn:aws:iam::111122223333:role/automation"
EVERYTHING = {
    **TOPICS,
    "remediation_mode": "repair",
    "settle_minutes": 1,
    "max_retries": 4,
    "breaker_threshold": 5,
    "max_actions_per_hour": 7,
    "reserved_concurrency": 4,
    "change_window": {"start": "22:00", "end": "04:00"},
    "probe_functions": [PROBE],
    "rotation_functions": [ROTATION],
    "restart_targets": [SERVICE, API, DOCUMENT],
    "restart_role_arns": [ROLE_ARN],
    "restart_timeout_minutes": 10,
    "runbook_url": "https://example.com/runbook",
    "history_days": 12,
}
ALWAYS = {"start", "claim", "diagnose", "decide", "end", "notify"}
KEY = f"arn:aws:kms:{HERE}:key/7d0e"


@pytest.fixture(scope="module")
def plain(deploy):
    return deploy(Remediation, "remediation", TOPICS)


@pytest.fixture(scope="module")
def full(deploy):
    return deploy(Remediation, "remediation", EVERYTHING)


def functions_of(recording):
    return {resource.name.removeprefix("remediation-"): resource.inputs for resource in recording.of_type(FUNCTION)}


def environment_of(recording, step):
    variables = functions_of(recording)[step]["environment"]["variables"]
    return {name: value for name, value in variables.items() if not name.startswith("POWERTOOLS")}


@pytest.mark.parametrize(
    ("args", "more"),
    [
        ({}, set()),
        ({"remediation_mode": "notify"}, set()),
        ({"remediation_mode": "retry"}, {"retry"}),
        ({"remediation_mode": "repair"}, {"retry", "move"}),
        ({"probe_functions": [PROBE]}, {"probe"}),
        ({"restart_targets": [SERVICE]}, {"restart", "watch"}),
        ({"rotation_functions": [ROTATION], "restart_role_arns": [ROLE_ARN]}, set()),
    ],
)
def test_a_mode_has_only_the_functions_that_it_needs(deploy, args, more):
    recording = deploy(Remediation, "remediation", {**TOPICS, **args})

    functions = functions_of(recording)
    assert set(functions) == ALWAYS | more
    assert all(inputs["handler"] == f"handlers.remediation.{step}.handler" for step, inputs in functions.items())
    roles = {resource.name for resource in recording.of_type(ROLE)}
    assert roles == {f"remediation-{step}" for step in functions} | {"remediation-workflow"}


def test_the_log_of_a_function_that_a_setting_removes_is_retained(full):
    retained = {
        resource.name.removeprefix("remediation-") for resource in full.of_type(LOG_GROUP) if resource.retain_on_delete
    }

    assert retained == {"retry", "move", "probe", "restart", "watch"}


def test_the_workflow_is_a_standard_one_that_logs_errors_without_execution_data(plain):
    machine = plain.named(MACHINE, "remediation").inputs
    log_group = plain.named(LOG_GROUP, "remediation-workflow")

    assert machine["type"] == "STANDARD"
    assert machine["loggingConfiguration"] == {
        "level": "ERROR",
        "includeExecutionData": False,
        "logDestination": f"{log_group.arn}:*",
    }


@pytest.mark.parametrize("args", [TOPICS, EVERYTHING], ids=["plain", "full"])
def test_the_workflow_calls_all_its_steps_and_the_critical_topic(deploy, args):
    recording = deploy(Remediation, "remediation", args)

    states = json.loads(recording.named(MACHINE, "remediation").inputs["definition"])["States"].values()
    called = {state["Resource"] for state in states if state["Type"] == "Task"}
    steps = {resource.arn for resource in recording.of_type(FUNCTION) if resource.name != "remediation-start"}
    own = {
        f"arn:aws:states:::{integration}" for integration in ("sns:publish", "dynamodb:getItem", "dynamodb:updateItem")
    }
    assert called == steps | own
    assert TOPICS["critical_topic_arn"] in recording.named(MACHINE, "remediation").inputs["definition"]


def test_each_function_has_the_reserved_concurrency(full):
    functions = full.of_type(FUNCTION)

    assert {function.inputs["reservedConcurrentExecutions"] for function in functions} == {4}
    assert len(functions) > len(STEPS_OF_EVERY_MODE)


@pytest.mark.parametrize("args", [{}, {"reserved_concurrency": 0}])
def test_by_default_no_concurrency_is_reserved(deploy, args):
    """A function with a reserved concurrency of 0 would never run; an account with a low limit could deploy nothing."""
    functions = deploy(Remediation, "remediation", {**TOPICS, **args}).of_type(FUNCTION)

    assert [function.name for function in functions if "reservedConcurrentExecutions" in function.inputs] == []


def test_waits_and_timeouts_follow_the_settings(full):
    states = json.loads(full.named(MACHINE, "remediation").inputs["definition"])["States"]

    assert states["Debounce"]["Seconds"] == 60
    assert states["Probe"]["TimeoutSeconds"] == 3 * 10 + 10 + 10
    assert functions_of(full)["probe"]["timeout"] == 3 * 10 + 10
    assert [rule for rule in states["Watched"]["Choices"] if rule.get("NumericGreaterThanEquals") == 40]


@pytest.mark.parametrize("key", [None, KEY])
def test_the_role_of_the_workflow_may_invoke_steps_publish_and_use_the_key(deploy, key):
    args = {**TOPICS, "runtime": {"kms_key_arn": key}} if key else TOPICS

    recording = deploy(Remediation, "remediation", args)

    *rest, logs = recording.named(ROLE_POLICY, "remediation-workflow").policy()
    assert logs["Resource"] == "*"
    assert all(action.startswith("logs:") for action in logs["Action"])
    steps = {recording.named(FUNCTION, f"remediation-{step}").arn for step in ALWAYS - {"start"}}
    assert set(rest[0].pop("Resource")) == steps
    expected = [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction"},
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPICS["critical_topic_arn"]},
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Resource": recording.named(TABLE, "remediation-incidents").arn,
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "limit#notices"}},
        },
    ]
    if key:
        expected.append({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key})
    assert rest == expected


def test_only_state_machines_of_this_account_and_region_may_use_the_role(plain):
    [trust] = plain.named(ROLE, "remediation-workflow").policy("assumeRolePolicy")

    assert trust["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:*"},
    }


def test_the_workflow_is_created_after_the_policy_of_its_role(plain):
    machine = plain.named(MACHINE, "remediation")

    assert plain.named(ROLE_POLICY, "remediation-workflow").urn in machine.depends_on
    assert machine.inputs["roleArn"] == plain.named(ROLE, "remediation-workflow").arn


def test_the_start_function_may_only_start_the_workflow_and_has_a_dead_letter_queue(plain):
    machine, dead_letters = plain.named(MACHINE, "remediation"), plain.named(QUEUE, "remediation-dead-letters")

    assert environment_of(plain, "start") == {"STATE_MACHINE_ARN": machine.arn}
    _, starting, sending = plain.named(ROLE_POLICY, "remediation-start").policy()
    assert starting == {"Effect": "Allow", "Action": "states:StartExecution", "Resource": machine.arn}
    assert sending == {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": dead_letters.arn}
    [config] = plain.of_type(INVOKE_CONFIG)
    assert config.inputs["functionName"] == plain.named(FUNCTION, "remediation-start").outputs["name"]
    assert config.inputs["destinationConfig"] == {"onFailure": {"destination": dead_letters.arn}}


@pytest.mark.parametrize(("args", "days"), [({}, 14), ({"dead_letter_retention_days": 2}, 2)])
def test_dead_letters_are_kept_for_the_configured_days(deploy, args, days):
    queue = deploy(Remediation, "remediation", {**TOPICS, **args}).named(QUEUE, "remediation-dead-letters")

    assert queue.inputs["messageRetentionSeconds"] == days * 86_400
    assert queue.inputs["sqsManagedSseEnabled"] is True


def test_the_kill_switch_starts_as_go_and_no_deployment_resets_it(plain):
    switch = plain.named(PARAMETER, "remediation-kill-switch")

    assert (switch.inputs["type"], switch.inputs["value"]) == ("String", "go")
    # A single property that is not ignored makes the provider send the value that was deployed.
    properties = {to_camel_case(name) for name in _properties_of(ssm.Parameter)}
    assert {"value", "valueWo", "insecureValue", "description", "tags", "name", "region"} < properties
    assert properties - set(switch.ignore_changes) == set()
    assert environment_of(plain, "decide")["KILL_SWITCH_PARAMETER_NAME"] == switch.outputs["name"]


def _properties_of(resource):
    """Inputs and outputs by the provider's own schema, from which its SDK is generated."""
    return {name for name, member in vars(resource).items() if isinstance(member, property)}


def test_incidents_are_keyed_by_secret_and_opening_time(plain):
    table = plain.named(TABLE, "remediation-incidents").inputs

    assert (table["hashKey"], table["rangeKey"]) == ("secret_arn", "opened_at")


def read_by(step, args):
    """The variables for the settings that this step reads, as these arguments set them."""
    values = {name: args.get(name, setting.default) for name, setting in SETTINGS.items() if step in setting.read_by}
    return {name.upper(): value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


@pytest.mark.parametrize(("deployed", "args"), [("plain", {}), ("full", EVERYTHING)])
def test_each_step_gets_what_was_set_or_its_default(request, deployed, args):
    recording = request.getfixturevalue(deployed)
    table = {"INCIDENTS_TABLE_NAME": recording.named(TABLE, "remediation-incidents").outputs["name"]}
    switch = {"KILL_SWITCH_PARAMETER_NAME": recording.named(PARAMETER, "remediation-kill-switch").outputs["name"]}
    back_off = {"RETRY_BASE_MINUTES": "5", "RETRY_CAP_MINUTES": "60"}

    assert read_by("decide", {"max_retries": 4})["MAX_RETRIES"] == "4"
    assert environment_of(recording, "claim") == table | read_by("claim", args)
    assert environment_of(recording, "diagnose") == table | read_by("diagnose", args)
    assert environment_of(recording, "decide") == table | switch | back_off | read_by("decide", args)
    assert environment_of(recording, "end") == table | read_by("end", args)
    assert environment_of(recording, "notify") == {
        **table,
        "REMEDIATION_TOPIC_ARN": TOPICS["remediation_topic_arn"],
        "CRITICAL_TOPIC_ARN": TOPICS["critical_topic_arn"],
        "RUNBOOK_URL": args.get("runbook_url", resolve_runbook()),
    }


def test_the_steps_that_act_get_no_settings(full):
    table = {"INCIDENTS_TABLE_NAME": full.named(TABLE, "remediation-incidents").outputs["name"]}
    switch = {"KILL_SWITCH_PARAMETER_NAME": full.named(PARAMETER, "remediation-kill-switch").outputs["name"]}

    for step in ("retry", "move", "watch"):
        assert environment_of(full, step) == table
    assert environment_of(full, "restart") == table | switch
    assert environment_of(full, "probe") == {"PROBE_TIMEOUT_SECONDS": "10"}


@pytest.mark.parametrize(
    "url", ["https://example.com/on-call's", "https://example.com/{team}", "https://example.com/a\\b"]
)
def test_no_runbook_url_breaks_the_last_resort_notification(deploy, url):
    recording = deploy(Remediation, "remediation", {**TOPICS, "runbook_url": url})

    [machine] = recording.of_type(MACHINE)
    message = json.loads(machine.inputs["definition"])["States"]["PublishLastResort"]["Parameters"]["Message.$"]
    # Quotes, braces and backslashes have a meaning in a template
    # (https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html, "Reserved characters").
    _, template, arguments = message.split("'")
    assert template.count("{") == template.count("}") == template.count("{}") == arguments.count(", ")
    assert "\\" not in template
    assert "Runbook: https://example.com/" in template


def test_arns_that_are_outputs_reach_steps_and_permissions(deploy):
    def args():
        outputs = {name: pulumi.Output.from_input(arn) for name, arn in (("probe", PROBE), ("service", SERVICE))}
        return {**TOPICS, "probe_functions": [outputs["probe"]], "restart_targets": [outputs["service"]]}

    recording = deploy(Remediation, "remediation", args)

    assert environment_of(recording, "diagnose")["PROBE_FUNCTIONS"] == json.dumps([PROBE])
    assert environment_of(recording, "claim")["RESTART_TARGETS"] == json.dumps([SERVICE])
    assert recording.named(ROLE_POLICY, "remediation-probe").policy()[1]["Resource"] == [PROBE, f"{PROBE}:*"]
    assert recording.named(ROLE_POLICY, "remediation-watch").policy()[2]["Resource"] == [SERVICE]


@pytest.mark.parametrize(("args", "days"), [({}, 90), ({"log_retention_days": 7}, 7)])
def test_the_log_of_the_workflow_expires(deploy, args, days):
    recording = deploy(Remediation, "remediation", {**TOPICS, **args})

    assert recording.named(LOG_GROUP, "remediation-workflow").inputs["retentionInDays"] == days


def test_the_outputs_identify_the_resources(plain):
    incidents, start = plain.named(TABLE, "remediation-incidents"), plain.named(FUNCTION, "remediation-start")

    assert plain.outputs == {
        "start_function_arn": start.arn,
        "start_function_name": start.outputs["name"],
        "state_machine_arn": plain.named(MACHINE, "remediation").arn,
        "kill_switch_parameter_name": plain.named(PARAMETER, "remediation-kill-switch").outputs["name"],
        "incidents_table_name": incidents.outputs["name"],
        "incidents_table_arn": incidents.arn,
        "dead_letters_url": plain.named(QUEUE, "remediation-dead-letters").outputs["url"],
        "dead_letters_name": plain.named(QUEUE, "remediation-dead-letters").outputs["name"],
    }
