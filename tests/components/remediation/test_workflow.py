"""The definition of the state machine: whatever its steps return, an incident ends, and not silently."""

import json
import re
from typing import Any

import pytest

from components.remediation.workflow import Workflow

ALWAYS = ("claim", "diagnose", "decide", "end", "notify")
CRITICAL = "arn:aws:sns:eu-west-1:111122223333:critical"
MODES = {"notify": (), "retry": ("retry",), "repair": ("retry", "move")}
VARIANTS = {
    f"{mode}{' with probes' if probe else ''}{' and restarts' if restart else ''}": (*ALWAYS, *steps, *probe, *restart)
    for mode, steps in MODES.items()
    for probe in ((), ("probe",))
    for restart in ((), ("restart", "watch"))
}
FULL = VARIANTS["repair with probes and restarts"]


def define(steps=FULL, **changes):
    functions = {step: f"arn:aws:lambda:eu-west-1:111122223333:function:{step}" for step in steps}
    limits: dict[str, Any] = {"probe_seconds": 45, "debounce_seconds": 60, "restart_minutes": 1, **changes}
    return json.loads(Workflow("aws", functions, CRITICAL, "incidents", **limits).definition())


@pytest.fixture(params=VARIANTS)
def definition(request):
    """The definition for each mode, with and without probes and restarts."""
    return define(VARIANTS[request.param])


@pytest.fixture
def states(definition):
    return definition["States"]


def next_states(state):
    """The states that may follow a state."""
    sources = [state, *state.get("Choices", []), *state.get("Catch", [])]
    return [source[key] for source in sources for key in ("Next", "Default") if key in source]


def texts(value):
    if isinstance(value, dict):
        return [text for pair in value.items() for inner in pair for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def test_every_transition_leads_to_a_state_and_every_state_is_reachable(definition, states):
    reached, pending = set(), {definition["StartAt"]}
    while pending:
        name = pending.pop()
        reached.add(name)
        pending |= set(next_states(states[name])) - reached

    assert reached == set(states)
    assert len(reached) > 20


def test_from_every_state_the_end_can_be_reached(states):
    ends = {name for name, state in states.items() if state["Type"] in ("Succeed", "Fail")}
    size = 0
    while size < len(ends):
        size = len(ends)
        ends |= {name for name, state in states.items() if set(next_states(state)) & ends}

    assert ends == set(states)


def test_every_loop_has_a_wait_or_a_decision(states):
    paused = {name for name, state in states.items() if state["Type"] == "Wait"} | {"Decide", "End"}

    def circles(name, seen):
        if name in seen:
            return [name]
        return [
            circle
            for next_state in next_states(states[name])
            if next_state not in paused
            for circle in circles(next_state, {*seen, name})
        ]

    assert [name for name in states if name not in paused and circles(name, set())] == []


def test_every_state_has_the_fields_of_its_type(states):
    needed = {
        "Task": {"Resource", "Parameters", "Retry", "Catch", "ResultPath", "Next"},
        "Choice": {"Choices", "Default"},
        "Pass": {"ResultPath", "Next"},
        "Wait": {"Next"},
        "Succeed": set(),
        "Fail": {"Error", "Cause"},
    }
    for name, state in states.items():
        assert needed[state["Type"]] <= set(state), name
        assert ("Parameters" in state) != ("Result" in state) or state["Type"] != "Pass", name
        assert ("Seconds" in state) != ("SecondsPath" in state) or state["Type"] != "Wait", name


def test_each_task_has_a_retry_and_a_catch(states):
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task"}

    assert len(tasks) > 8
    for name, state in tasks.items():
        *_, retry = state["Retry"]
        [catch] = state["Catch"]
        assert {"States.TaskFailed", "States.Timeout"} <= set(retry["ErrorEquals"]) or name in LAST_RESORT
        assert (retry["MaxAttempts"], retry["BackoffRate"], retry["JitterStrategy"]) == (5, 2, "FULL")
        assert catch["ErrorEquals"] == ["States.ALL"]
        assert catch["Next"] in ("StepFailed", "ClaimLastResort") or name in LAST_RESORT


def test_throttling_by_lambda_is_retried_for_longer_than_an_error_but_not_for_hours(states):
    """https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html"""
    steps = {name: state for name, state in states.items() if ":function:" in state.get("Resource", "")}

    for name, state in steps.items():
        busy, _ = state["Retry"]
        assert {"Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.SdkClientException"} <= set(
            busy["ErrorEquals"]
        )
        # Before anybody is notified, this step may wait, then the end of the incident, then its notification.
        assert 600 <= longest_wait(busy) <= 1900, name
        if name in ("End", "CheckRotation", "Watch") or name.startswith(("Notify", "AddToDigest", "PublishDigest")):
            assert longest_wait(busy) <= 1000, name
    assert len(steps) >= 8


def test_the_maximum_number_of_retries_fits_into_the_history_of_an_execution():
    """An attempt of a function is three events, and its state two more; an execution may have 25,000
    (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)."""
    states = define(restart_minutes=720)["States"]
    polls = [
        rule["NumericGreaterThanEquals"] for rule in states["RotationChecked"]["Choices"] if "Numeric" in str(rule)
    ]
    watches = [rule["NumericGreaterThanEquals"] for rule in states["Watched"]["Choices"] if "Numeric" in str(rule)]

    attempts = 1 + sum(rule["MaxAttempts"] for rule in states["Watch"]["Retry"])
    assert watches[0] * (3 * attempts + 8) < 25_000
    assert polls[0] * (3 * attempts + 8) * 3 < 25_000  # for each of three retries


def longest_wait(rule):
    """Seconds that a rule may wait over all of its attempts."""
    waits = (rule["IntervalSeconds"] * rule["BackoffRate"] ** number for number in range(rule["MaxAttempts"]))
    return sum(min(wait, rule["MaxDelaySeconds"]) for wait in waits)


LAST_RESORT = {"ClaimLastResort", "ReadLastResort", "PublishLastResort", "RecordLastResort"}
BEFORE_THE_END = {"NotifyOpened", "NotifyRetried"}


def test_a_failed_step_ends_an_open_incident_and_is_otherwise_published_without_a_function(states):
    caught = {name: state["Catch"][0]["Next"] for name, state in states.items() if state["Type"] == "Task"}

    without_incident = {"Claim", "End"} | {
        name for name in caught if name.startswith(("Notify", "AddToDigest", "PublishDigest"))
    } - BEFORE_THE_END
    # It is published even if nothing can be written or read.
    last = {name: caught.pop(name) for name in LAST_RESORT}
    assert last == {
        "ClaimLastResort": "PublishLastResort",
        "ReadLastResort": "PublishLastResort",
        "PublishLastResort": "Unhandled",
        "RecordLastResort": "Done",
    }
    assert {name for name, next_ in caught.items() if next_ == "ClaimLastResort"} == without_incident
    assert {name for name, next_ in caught.items() if next_ == "StepFailed"} == set(caught) - without_incident
    assert states["PublishLastResort"]["Parameters"]["TopicArn"] == CRITICAL
    assert states["PublishLastResort"]["Resource"] == "arn:aws:states:::sns:publish"
    assert states["PublishLastResort"]["Parameters"]["Subject"] == (
        "AT RISK rotation-guard 111122223333 eu-west-1: a rotation event was not handled"
    )
    assert states["PublishLastResort"]["Parameters"]["MessageAttributes"] == {
        "severity": {"DataType": "String", "StringValue": "AT RISK"}
    }


def test_each_step_gets_the_execution_and_the_time_it_was_entered_from_step_functions(states):
    steps = [state for state in states.values() if "function:" in state.get("Resource", "")]

    assert len(steps) > 8
    for state in steps:
        parameters = state["Parameters"]
        assert (parameters["execution.$"], parameters["entered_at.$"]) == ("$$.Execution.Id", "$$.State.EnteredTime")


def test_an_execution_fails_only_if_the_last_resort_notification_fails(states):
    assert {name for name, state in states.items() if state["Type"] == "Fail"} == {"Unhandled"}


def test_only_wait_states_wait(states):
    waits = {name for name, state in states.items() if state["Type"] == "Wait"}

    assert {"Settle", "AwaitWindow", "CollectDigest"} <= waits
    in_some = {"WatchRotation", "BackOff", "Debounce", "WatchRestarts"}
    assert waits <= {"Settle", "AwaitWindow", "CollectDigest", "AwaitLastResort"} | in_some
    assert all(state["TimeoutSeconds"] <= 60 for name, state in states.items() if "TimeoutSeconds" in state) or (
        "Probe" in states
    )


def test_a_step_times_out_after_a_minute_and_the_probe_after_the_time_for_its_versions():
    limits = {name: state.get("TimeoutSeconds") for name, state in define(probe_seconds=105)["States"].items()}

    assert limits["Probe"] == 105
    assert {limit for name, limit in limits.items() if name != "Probe"} == {60, None}


def test_the_cause_of_an_error_which_may_hold_secrets_is_never_read(definition):
    assert not [text for text in texts(definition) if "Cause" in text and text != "Cause"]
    assert [text for text in texts(definition) if "$.error.Error" in text]


def test_only_widely_supported_intrinsic_functions_are_used(definition):
    used = {name for text in texts(definition) for name in re.findall(r"States\.(\w+)\(", text)}

    assert used <= {"Format", "JsonToString", "MathAdd", "StringSplit", "ArrayGetItem"}


def _reads(state):
    """The fields of the execution's data that a state needs."""
    tests = [rule for rule in state.get("Choices", []) if "IsPresent" not in rule]
    read = texts([state.get("Parameters", {}), state.get("SecondsPath", ""), tests])
    return {field for text in read for field in re.findall(r"(?<!\$)\$\.(\w+)", text)}


def _after(state, before):
    """The states that may follow a state, and the fields that are set by then."""
    written = re.match(r"\$\.(\w+)$", state.get("ResultPath") or "")
    after = before | ({written[1]} if written else set())
    if state.get("ResultPath") == "$":
        after = {key.removesuffix(".$") for key in state["Parameters"]}
    for next_state in next_states({**state, "Catch": [], "Choices": []}):
        yield next_state, after
    for catch in state.get("Catch", []):
        yield catch["Next"], before | ({"error"} if catch["ResultPath"] else set())
    for rule in state.get("Choices", []):
        yield rule["Next"], before | ({rule["Variable"].removeprefix("$.")} if "IsPresent" in rule else set())


def test_each_state_reads_only_fields_that_every_predecessor_sets(definition, states):
    fields_at = {definition["StartAt"]: {"heard"}}
    pending = [definition["StartAt"]]
    while pending:
        name = pending.pop()
        for next_state, after in _after(states[name], fields_at[name]):
            common = after & fields_at.get(next_state, after)
            if common != fields_at.get(next_state):
                fields_at[next_state] = common
                pending.append(next_state)

    missing = {name: _reads(state) - fields_at[name] for name, state in states.items()}
    assert {name: fields for name, fields in missing.items() if fields} == {}
    assert _reads(states["Decide"]) == {"incident", "look", "proofs", "backoff"}


def test_a_mode_has_no_states_for_steps_that_it_lacks():
    notify, retry = define(VARIANTS["notify"]), define(VARIANTS["retry"])

    assert not {"Retry", "Move", "Probe", "Debounce", "BackOff", "NotifyRetried"} & set(notify["States"])
    assert "function:retry" in json.dumps(retry)
    assert not {"Move", "Moved", "MoveRefused"} & set(retry["States"])
    assert "move" not in json.dumps(retry).replace("moved", "")


def test_a_long_watch_polls_less_often_to_fit_into_the_history():
    def interval_and_polls(minutes):
        states = define(restart_minutes=minutes)["States"]
        [timeout_rule] = [rule for rule in states["Watched"]["Choices"] if "NumericGreaterThanEquals" in rule]
        return states["WatchRestarts"]["Seconds"], timeout_rule["NumericGreaterThanEquals"]

    assert interval_and_polls(1) == (15, 4)
    assert interval_and_polls(30) == (15, 120)
    assert interval_and_polls(720) == (180, 240)
    assert interval_and_polls(61) == (16, 229)
    assert interval_and_polls(4320) == (1080, 240)


DAY = 1440
"""Minutes: the longest bake time of a deployment, and so of each shift of a canary deployment's traffic
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CanaryConfiguration.html)."""
LONGEST_HISTORY = 25_000
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
EVENTS = {"Task": 5, "Choice": 2, "Pass": 2, "Wait": 2}
"""How many events a state adds to the history at most: it is entered and left, and a function that a task names by its
ARN is scheduled, started and succeeds (https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html)."""


@pytest.mark.parametrize("minutes", [2 * DAY, 4320])
def test_the_longest_watch_of_a_deployment_fits_into_a_history(minutes):
    states = define(restart_minutes=minutes)["States"]
    [timeout_rule] = [rule for rule in states["Watched"]["Choices"] if "NumericGreaterThanEquals" in rule]
    polls = timeout_rule["NumericGreaterThanEquals"]
    round_ = ("Restart", "Restarted", "WatchRestarts", "Watch", "Watched", "CountRestart")

    assert polls * states["WatchRestarts"]["Seconds"] >= minutes * 60
    assert polls * sum(EVENTS[states[name]["Type"]] for name in round_) < LONGEST_HISTORY / 2
