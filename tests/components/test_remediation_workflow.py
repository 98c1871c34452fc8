"""The definition of the state machine: whatever its steps answer, an incident ends, and not unheard."""

import json
import re

import pytest

from components.remediation_workflow import Workflow

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
    limits = {"probe_seconds": 45, "debounce_seconds": 60, "restart_minutes": 1, **changes}
    return json.loads(Workflow("aws", functions, CRITICAL, **limits).definition())


@pytest.fixture(params=VARIANTS)
def definition(request):
    """The definition for each mode, with and without probes and restarts."""
    return define(VARIANTS[request.param])


@pytest.fixture
def states(definition):
    return definition["States"]


def ways(state):
    """Where a state leads to."""
    found = [state, *state.get("Choices", []), *state.get("Catch", [])]
    return [one[key] for one in found for key in ("Next", "Default") if key in one]


def texts(value):
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def test_every_way_leads_to_a_state_and_every_state_is_on_a_way(definition, states):
    reached, ahead = set(), {definition["StartAt"]}
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead |= set(ways(states[name])) - reached

    assert reached == set(states)
    assert len(reached) > 20


def test_from_every_state_the_end_can_be_reached(states):
    ends = {name for name, state in states.items() if state["Type"] in ("Succeed", "Fail")}
    size = 0
    while size < len(ends):
        size = len(ends)
        ends |= {name for name, state in states.items() if set(ways(state)) & ends}

    assert ends == set(states)


def test_whatever_goes_round_in_circles_waits_or_asks_for_a_decision(states):
    paused = {name for name, state in states.items() if state["Type"] == "Wait"} | {"Decide", "End"}

    def circles(name, seen):
        if name in seen:
            return [name]
        return [one for way in ways(states[name]) if way not in paused for one in circles(way, {*seen, name})]

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


def test_each_task_is_tried_again_and_what_it_fails_at_for_good_is_caught(states):
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task"}

    assert len(tasks) > 8
    for name, state in tasks.items():
        [retry], [catch] = state["Retry"], state["Catch"]
        assert {"States.TaskFailed", "States.Timeout"} <= set(retry["ErrorEquals"]) or name == "Unheard"
        assert (retry["MaxAttempts"], retry["BackoffRate"], retry["JitterStrategy"]) == (5, 2, "FULL")
        assert catch["ErrorEquals"] == ["States.ALL"]
        assert catch["Next"] in ("Broken", "Unheard", "Unhandled")


BEFORE_THE_END = {"TellOpened", "TellRetried"}


def test_what_breaks_while_an_incident_is_open_ends_it_and_what_breaks_besides_is_told_without_a_function(states):
    caught = {name: state["Catch"][0]["Next"] for name, state in states.items() if state["Type"] == "Task"}

    nobodys = {"Claim", "End"} | {name for name in caught if name.startswith("Tell")} - BEFORE_THE_END
    assert caught.pop("Unheard") == "Unhandled"
    assert {name for name, next_ in caught.items() if next_ == "Unheard"} == nobodys
    assert {name for name, next_ in caught.items() if next_ == "Broken"} == set(caught) - nobodys
    assert states["Unheard"]["Parameters"]["TopicArn"] == CRITICAL
    assert states["Unheard"]["Resource"] == "arn:aws:states:::sns:publish"
    assert len(states["Unheard"]["Parameters"]["Subject"]) < 100


def test_each_task_says_which_execution_asks_and_when_it_was_entered_by_the_clock_of_aws(states):
    steps = [state for state in states.values() if "function:" in state.get("Resource", "")]

    assert len(steps) > 8
    for state in steps:
        asks = state["Parameters"]
        assert (asks["execution.$"], asks["entered_at.$"]) == ("$$.Execution.Id", "$$.State.EnteredTime")


def test_an_execution_ends_badly_only_where_no_function_could_tell_of_it(states):
    assert {name for name, state in states.items() if state["Type"] == "Fail"} == {"Unhandled"}


def test_only_wait_states_wait(states):
    waits = {name for name, state in states.items() if state["Type"] == "Wait"}

    assert {"Settle", "AwaitWindow", "Gather"} <= waits
    assert waits <= {"Settle", "AwaitWindow", "Gather", "WatchRotation", "BackOff", "Debounce", "WatchRestarts"}
    assert all(state["TimeoutSeconds"] <= 60 for name, state in states.items() if "TimeoutSeconds" in state) or (
        "Probe" in states
    )


def test_a_step_has_a_minute_and_the_probe_as_long_as_its_versions_take():
    limits = {name: state.get("TimeoutSeconds") for name, state in define(probe_seconds=105)["States"].items()}

    assert limits["Probe"] == 105
    assert {limit for name, limit in limits.items() if name != "Probe"} == {60, None}


def test_an_errors_cause_which_may_hold_anything_is_read_nowhere(definition):
    assert not [text for text in texts(definition) if "Cause" in text and text != "Cause"]
    assert [text for text in texts(definition) if "$.error.Error" in text]


def test_only_intrinsic_functions_that_all_interpreters_know_are_used(definition):
    used = {name for text in texts(definition) for name in re.findall(r"States\.(\w+)\(", text)}

    assert used <= {"Format", "JsonToString", "MathAdd"}


def _reads(state):
    """The fields of the execution's data that a state needs."""
    tests = [rule for rule in state.get("Choices", []) if "IsPresent" not in rule]
    read = texts([state.get("Parameters", {}), state.get("SecondsPath", ""), tests])
    return {field for text in read for field in re.findall(r"(?<!\$)\$\.(\w+)", text)}


def _after(state, before):
    """Where a state leads to, and the fields that are there by then."""
    written = re.match(r"\$\.(\w+)$", state.get("ResultPath") or "")
    after = before | ({written[1]} if written else set())
    if state.get("ResultPath") == "$":
        after = {key.removesuffix(".$") for key in state["Parameters"]}
    for way in ways({**state, "Catch": [], "Choices": []}):
        yield way, after
    for catch in state.get("Catch", []):
        yield catch["Next"], before | ({"error"} if catch["ResultPath"] else set())
    for rule in state.get("Choices", []):
        yield rule["Next"], before | ({rule["Variable"].removeprefix("$.")} if "IsPresent" in rule else set())


def test_each_state_reads_only_what_every_way_to_it_has_written(definition, states):
    there = {definition["StartAt"]: {"heard"}}
    ahead = [definition["StartAt"]]
    while ahead:
        name = ahead.pop()
        for way, after in _after(states[name], there[name]):
            found = after & there.get(way, after)
            if found != there.get(way):
                there[way] = found
                ahead.append(way)

    missing = {name: _reads(state) - there[name] for name, state in states.items()}
    assert {name: fields for name, fields in missing.items() if fields} == {}
    assert _reads(states["Decide"]) == {"incident", "look", "proofs"}


def test_what_a_mode_has_no_step_for_stands_nowhere_in_it():
    notify, retry = define(VARIANTS["notify"]), define(VARIANTS["retry"])

    assert not {"Retry", "Move", "Probe", "Debounce", "BackOff", "TellRetried"} & set(notify["States"])
    assert "function:retry" in json.dumps(retry)
    assert not {"Move", "Moved", "MoveRefused"} & set(retry["States"])
    assert "move" not in json.dumps(retry).replace("moved", "")


def test_a_long_watch_looks_less_often_so_that_its_history_does_not_burst():
    def pause_and_looks(minutes):
        states = define(restart_minutes=minutes)["States"]
        [late] = [rule for rule in states["Watched"]["Choices"] if "NumericGreaterThanEquals" in rule]
        return states["WatchRestarts"]["Seconds"], late["NumericGreaterThanEquals"]

    assert pause_and_looks(1) == (15, 4)
    assert pause_and_looks(30) == (15, 120)
    assert pause_and_looks(720) == (180, 240)
    assert pause_and_looks(61) == (16, 229)
