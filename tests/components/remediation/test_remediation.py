"""What is done about a failed rotation: the workflow, its steps, its incidents, and what stops it."""

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
    return deploy(Remediation, "mend", TOPICS)


@pytest.fixture(scope="module")
def full(deploy):
    return deploy(Remediation, "mend", EVERYTHING)


def functions_of(recording):
    return {resource.name.removeprefix("mend-"): resource.inputs for resource in recording.of_type(FUNCTION)}


def environment_of(recording, step):
    variables = functions_of(recording)[step]["environment"]["variables"]
    return {name: value for name, value in variables.items() if not name.startswith("POWERTOOLS")}


@pytest.mark.parametrize(
    ("given", "more"),
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
def test_a_mode_has_the_functions_that_it_needs_and_no_other(deploy, given, more):
    recording = deploy(Remediation, "mend", {**TOPICS, **given})

    functions = functions_of(recording)
    assert set(functions) == ALWAYS | more
    assert all(one["handler"] == f"handlers.remediation.{step}.handler" for step, one in functions.items())
    roles = {resource.name for resource in recording.of_type(ROLE)}
    assert roles == {f"mend-{step}" for step in functions} | {"mend-workflow"}


def test_a_function_that_a_setting_takes_away_leaves_its_log(full):
    kept = {resource.name.removeprefix("mend-") for resource in full.of_type(LOG_GROUP) if resource.retain_on_delete}

    assert kept == {"retry", "move", "probe", "restart", "watch"}


def test_the_workflow_is_a_standard_one_that_logs_errors_without_what_it_handles(plain):
    machine = plain.named(MACHINE, "mend").inputs
    log_group = plain.named(LOG_GROUP, "mend-workflow")

    assert machine["type"] == "STANDARD"
    assert machine["loggingConfiguration"] == {
        "level": "ERROR",
        "includeExecutionData": False,
        "logDestination": f"{log_group.arn}:*",
    }


@pytest.mark.parametrize("given", [TOPICS, EVERYTHING], ids=["plain", "full"])
def test_the_workflow_calls_all_its_steps_and_the_critical_topic(deploy, given):
    recording = deploy(Remediation, "mend", given)

    states = json.loads(recording.named(MACHINE, "mend").inputs["definition"])["States"].values()
    called = {state["Resource"] for state in states if state["Type"] == "Task"}
    steps = {resource.arn for resource in recording.of_type(FUNCTION) if resource.name != "mend-start"}
    own = {f"arn:aws:states:::{one}" for one in ("sns:publish", "dynamodb:getItem", "dynamodb:updateItem")}
    assert called == steps | own
    assert TOPICS["critical_topic_arn"] in recording.named(MACHINE, "mend").inputs["definition"]


def test_each_function_of_remediation_has_the_concurrency_that_is_reserved(full):
    functions = full.of_type(FUNCTION)

    assert {function.inputs["reservedConcurrentExecutions"] for function in functions} == {4}
    assert len(functions) > len(STEPS_OF_EVERY_MODE)


@pytest.mark.parametrize("given", [{}, {"reserved_concurrency": 0}])
def test_unless_it_is_asked_for_no_concurrency_is_reserved(deploy, given):
    """A function with 0 of it would never run, and an account with a low limit could deploy nothing."""
    functions = deploy(Remediation, "mend", {**TOPICS, **given}).of_type(FUNCTION)

    assert [function.name for function in functions if "reservedConcurrentExecutions" in function.inputs] == []


def test_what_is_waited_for_is_what_was_set(full):
    states = json.loads(full.named(MACHINE, "mend").inputs["definition"])["States"]

    assert states["Debounce"]["Seconds"] == 60
    assert states["Probe"]["TimeoutSeconds"] == 3 * 10 + 10 + 10
    assert functions_of(full)["probe"]["timeout"] == 3 * 10 + 10
    assert [rule for rule in states["Watched"]["Choices"] if rule.get("NumericGreaterThanEquals") == 40]


@pytest.mark.parametrize("key", [None, KEY])
def test_the_workflows_role_invokes_its_steps_and_tells_people_and_uses_the_key(deploy, key):
    given = {**TOPICS, "runtime": {"kms_key_arn": key}} if key else TOPICS

    recording = deploy(Remediation, "mend", given)

    *rest, logs = recording.named(ROLE_POLICY, "mend-workflow").policy()
    assert logs["Resource"] == "*"
    assert all(action.startswith("logs:") for action in logs["Action"])
    steps = {recording.named(FUNCTION, f"mend-{step}").arn for step in ALWAYS - {"start"}}
    assert set(rest[0].pop("Resource")) == steps
    expected = [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction"},
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPICS["critical_topic_arn"]},
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Resource": recording.named(TABLE, "mend-incidents").arn,
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "limit#notices"}},
        },
    ]
    if key:
        expected.append({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key})
    assert rest == expected


def test_only_state_machines_of_this_account_and_region_may_use_the_role(plain):
    [trust] = plain.named(ROLE, "mend-workflow").policy("assumeRolePolicy")

    assert trust["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:*"},
    }


def test_the_workflow_waits_until_its_role_may_do_its_work(plain):
    machine = plain.named(MACHINE, "mend")

    assert plain.named(ROLE_POLICY, "mend-workflow").urn in machine.depends_on
    assert machine.inputs["roleArn"] == plain.named(ROLE, "mend-workflow").arn


def test_what_starts_the_workflow_may_do_that_alone_and_keeps_what_it_fails_at(plain):
    machine, dead_letters = plain.named(MACHINE, "mend"), plain.named(QUEUE, "mend-dead-letters")

    assert environment_of(plain, "start") == {"STATE_MACHINE_ARN": machine.arn}
    _, starting, sending = plain.named(ROLE_POLICY, "mend-start").policy()
    assert starting == {"Effect": "Allow", "Action": "states:StartExecution", "Resource": machine.arn}
    assert sending == {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": dead_letters.arn}
    [config] = plain.of_type(INVOKE_CONFIG)
    assert config.inputs["functionName"] == plain.named(FUNCTION, "mend-start").outputs["name"]
    assert config.inputs["destinationConfig"] == {"onFailure": {"destination": dead_letters.arn}}


@pytest.mark.parametrize(("given", "days"), [({}, 14), ({"dead_letter_retention_days": 2}, 2)])
def test_what_could_not_be_started_is_kept_as_long_as_said(deploy, given, days):
    queue = deploy(Remediation, "mend", {**TOPICS, **given}).named(QUEUE, "mend-dead-letters")

    assert queue.inputs["messageRetentionSeconds"] == days * 86_400
    assert queue.inputs["sqsManagedSseEnabled"] is True


def test_the_kill_switch_says_go_until_somebody_stops_it_and_no_deployment_sets_it_back(plain):
    switch = plain.named(PARAMETER, "mend-kill-switch")

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
    table = plain.named(TABLE, "mend-incidents").inputs

    assert (table["hashKey"], table["rangeKey"]) == ("secret_arn", "opened_at")


def read_by(step, args):
    """The variables for the settings that this step reads, as these arguments set them."""
    values = {name: args.get(name, setting.default) for name, setting in SETTINGS.items() if step in setting.read_by}
    return {name.upper(): value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


@pytest.mark.parametrize(("deployed", "args"), [("plain", {}), ("full", EVERYTHING)])
def test_each_step_gets_what_was_set_or_its_default(request, deployed, args):
    recording = request.getfixturevalue(deployed)
    table = {"INCIDENTS_TABLE_NAME": recording.named(TABLE, "mend-incidents").outputs["name"]}
    switch = {"KILL_SWITCH_PARAMETER_NAME": recording.named(PARAMETER, "mend-kill-switch").outputs["name"]}
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
    table = {"INCIDENTS_TABLE_NAME": full.named(TABLE, "mend-incidents").outputs["name"]}
    switch = {"KILL_SWITCH_PARAMETER_NAME": full.named(PARAMETER, "mend-kill-switch").outputs["name"]}

    for step in ("retry", "move", "watch"):
        assert environment_of(full, step) == table
    assert environment_of(full, "restart") == table | switch
    assert environment_of(full, "probe") == {"PROBE_TIMEOUT_SECONDS": "10"}


@pytest.mark.parametrize(
    "url", ["https://example.com/on-call's", "https://example.com/{team}", "https://example.com/a\\b"]
)
def test_no_runbook_url_breaks_the_notice_of_last_resort(deploy, url):
    recording = deploy(Remediation, "mend", {**TOPICS, "runbook_url": url})

    [machine] = recording.of_type(MACHINE)
    said = json.loads(machine.inputs["definition"])["States"]["PublishLastResort"]["Parameters"]["Message.$"]
    # Quotes, braces and backslashes have a meaning in a template
    # (https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html, "Reserved characters").
    _, template, arguments = said.split("'")
    assert template.count("{") == template.count("}") == template.count("{}") == arguments.count(", ")
    assert "\\" not in template
    assert "Runbook: https://example.com/" in template


def test_arns_that_are_known_only_later_reach_steps_and_permissions(deploy):
    def args():
        later = {name: pulumi.Output.from_input(arn) for name, arn in (("probe", PROBE), ("service", SERVICE))}
        return {**TOPICS, "probe_functions": [later["probe"]], "restart_targets": [later["service"]]}

    recording = deploy(Remediation, "mend", args)

    assert environment_of(recording, "diagnose")["PROBE_FUNCTIONS"] == json.dumps([PROBE])
    assert environment_of(recording, "claim")["RESTART_TARGETS"] == json.dumps([SERVICE])
    assert recording.named(ROLE_POLICY, "mend-probe").policy()[1]["Resource"] == [PROBE, f"{PROBE}:*"]
    assert recording.named(ROLE_POLICY, "mend-watch").policy()[2]["Resource"] == [SERVICE]


@pytest.mark.parametrize(("given", "days"), [({}, 90), ({"log_retention_days": 7}, 7)])
def test_the_workflows_log_expires(deploy, given, days):
    recording = deploy(Remediation, "mend", {**TOPICS, **given})

    assert recording.named(LOG_GROUP, "mend-workflow").inputs["retentionInDays"] == days


def test_the_outputs_lead_to_what_was_made(plain):
    incidents, start = plain.named(TABLE, "mend-incidents"), plain.named(FUNCTION, "mend-start")

    assert plain.outputs == {
        "start_function_arn": start.arn,
        "start_function_name": start.outputs["name"],
        "state_machine_arn": plain.named(MACHINE, "mend").arn,
        "kill_switch_parameter_name": plain.named(PARAMETER, "mend-kill-switch").outputs["name"],
        "incidents_table_name": incidents.outputs["name"],
        "incidents_table_arn": incidents.arn,
        "dead_letters_url": plain.named(QUEUE, "mend-dead-letters").outputs["url"],
    }
