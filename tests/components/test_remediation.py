"""What is done about a failed rotation: the workflow, its steps and their incidents."""

import json

import pytest

from components.remediation import Remediation

MACHINE, TABLE = "aws:sfn/stateMachine:StateMachine", "aws:dynamodb/table:Table"
FUNCTION, LOG_GROUP = "aws:lambda/function:Function", "aws:cloudwatch/logGroup:LogGroup"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
TOPICS = {
    "remediation_topic_arn": "arn:aws:sns:eu-west-1:111122223333:remediation",
    "critical_topic_arn": "arn:aws:sns:eu-west-1:111122223333:critical",
}
STEPS = ("claim", "notify")


@pytest.fixture(scope="module")
def remediation(deploy):
    return deploy(Remediation, "mend", TOPICS)


def states_of(recording):
    return json.loads(recording.named(MACHINE, "mend").inputs["definition"])["States"]


def test_the_workflow_is_a_standard_one_that_logs_errors_without_the_event(remediation):
    machine = remediation.named(MACHINE, "mend").inputs
    log_group = remediation.named(LOG_GROUP, "mend-workflow")

    assert machine["type"] == "STANDARD"
    assert machine["loggingConfiguration"] == {
        "level": "ERROR",
        "includeExecutionData": False,
        "logDestination": f"{log_group.arn}:*",
    }


def test_the_workflow_calls_its_own_steps_and_tells_the_critical_topic(remediation):
    states = states_of(remediation)

    called = {name: states[name]["Parameters"]["FunctionName"] for name in ("Claim", "Notify")}
    assert called == {
        "Claim": remediation.named(FUNCTION, "mend-claim").arn,
        "Notify": remediation.named(FUNCTION, "mend-notify").arn,
    }
    assert states["Escalate"]["Parameters"]["TopicArn"] == TOPICS["critical_topic_arn"]


def test_a_step_that_fails_for_good_is_heard_by_the_critical_topic(remediation):
    states = states_of(remediation)

    tasks = {name: state for name, state in states.items() if "FunctionName" in state.get("Parameters", {})}
    assert set(tasks) == {"Claim", "Notify"}
    for state in tasks.values():
        [catch] = state["Catch"]
        assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "Escalate")
        assert state["TimeoutSeconds"] > 30
        [retry] = state["Retry"]
        assert {"States.TaskFailed", "States.Timeout"} <= set(retry["ErrorEquals"])
        assert retry["MaxAttempts"] > 0
        assert retry["BackoffRate"] > 1
    assert states[states["Escalate"]["Next"]]["Type"] == "Fail"


def test_every_state_can_be_reached_and_every_next_exists(remediation):
    definition = json.loads(remediation.named(MACHINE, "mend").inputs["definition"])
    states, reached, ahead = definition["States"], set(), {definition["StartAt"]}
    while ahead:
        name = ahead.pop()
        reached.add(name)
        exits = [states[name], *states[name].get("Choices", []), *states[name].get("Catch", [])]
        ahead |= {one[way] for one in exits for way in ("Next", "Default") if way in one} - reached

    assert reached == set(states)
    assert len(reached) > 5


def test_people_are_told_of_a_new_incident_and_of_one_without_a_secret_and_of_no_other(remediation):
    choice = states_of(remediation)["WhoTells"]

    assert {one["StringEquals"]: one["Next"] for one in choice["Choices"]} == {
        "opened": "Notify",
        "unidentified": "Notify",
    }
    assert states_of(remediation)[choice["Default"]]["Type"] == "Succeed"


@pytest.mark.parametrize("key", [None, "arn:aws:kms:eu-west-1:111122223333:key/7d0e"])
def test_the_workflows_role_invokes_its_steps_and_tells_people_and_uses_the_key(deploy, key):
    given = {**TOPICS, "runtime": {"kms_key_arn": key}} if key else TOPICS

    recording = deploy(Remediation, "mend", given)

    *rest, logs = recording.named(ROLE_POLICY, "mend-workflow").policy()
    assert logs["Resource"] == "*"
    assert all(action.startswith("logs:") for action in logs["Action"])
    steps = [recording.named(FUNCTION, f"mend-{step}").arn for step in STEPS]
    expected = [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": steps},
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPICS["critical_topic_arn"]},
    ]
    if key:
        expected.append({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key})
    assert rest == expected


def test_only_state_machines_of_this_account_and_region_may_use_the_role(remediation):
    [trust] = remediation.named(ROLE, "mend-workflow").policy("assumeRolePolicy")

    assert trust["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:*"},
    }


def test_the_workflow_waits_until_its_role_may_do_its_work(remediation):
    machine = remediation.named(MACHINE, "mend")

    assert remediation.named(ROLE_POLICY, "mend-workflow").urn in machine.depends_on
    assert machine.inputs["roleArn"] == remediation.named(ROLE, "mend-workflow").arn


def test_incidents_are_keyed_by_secret_and_opening_time(remediation):
    table = remediation.named(TABLE, "mend-incidents").inputs

    assert (table["hashKey"], table["rangeKey"]) == ("secret_arn", "opened_at")


@pytest.mark.parametrize(("given", "mode"), [({}, "notify"), ({"mode": "repair"}, "repair")])
def test_the_notice_says_how_far_remediation_may_go(deploy, given, mode):
    recording = deploy(Remediation, "mend", {**TOPICS, **given})

    variables = recording.named(FUNCTION, "mend-notify").inputs["environment"]["variables"]
    assert variables["REMEDIATION_MODE"] == mode
    assert variables["REMEDIATION_TOPIC_ARN"] == TOPICS["remediation_topic_arn"]
    assert variables["INCIDENTS_TABLE_NAME"] == recording.named(TABLE, "mend-incidents").outputs["name"]


@pytest.mark.parametrize(("given", "days"), [({}, "400"), ({"history_days": 0}, "0")])
def test_closed_incidents_expire_after_the_days_given_and_zero_is_never(deploy, given, days):
    recording = deploy(Remediation, "mend", {**TOPICS, **given})

    assert recording.named(FUNCTION, "mend-claim").inputs["environment"]["variables"]["HISTORY_DAYS"] == days


@pytest.mark.parametrize(("given", "days"), [({}, 90), ({"log_retention_days": 7}, 7)])
def test_the_workflows_log_expires(deploy, given, days):
    recording = deploy(Remediation, "mend", {**TOPICS, **given})

    assert recording.named(LOG_GROUP, "mend-workflow").inputs["retentionInDays"] == days


def test_the_step_that_claims_sees_labels_and_no_values(remediation):
    statements = remediation.named(ROLE_POLICY, "mend-claim").policy()

    assert "GetSecretValue" not in json.dumps(statements)
    [describing] = [one for one in statements if one["Action"] == "secretsmanager:DescribeSecret"]
    assert describing["Resource"] == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"


def test_the_outputs_lead_to_the_workflow_and_the_incidents(remediation):
    incidents = remediation.named(TABLE, "mend-incidents")

    assert remediation.outputs == {
        "state_machine_arn": remediation.named(MACHINE, "mend").arn,
        "incidents_table_name": incidents.outputs["name"],
        "incidents_table_arn": incidents.arn,
    }
