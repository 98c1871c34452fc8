"""Drills: what they show on a running stack, and how they name a violated expectation."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from local import commands
from local.console import ProgressLine, Timeline
from local.demo import drill, expectations
from local.demo.secret import STEPS, DemoSecret
from local.demo.timeline import TimelineEntry, build_timeline
from local.demo.trace import AWS, CRITICAL, REMEDIATION, Execution, Message, StateExit, Trace
from local.deploy import deployment
from local.errors import LocalError
from rotation_guard.domain.tags import BREAK_TAG
from tests.local.demo.traces import (
    EVIDENCE,
    EXECUTION,
    NEW,
    OLD,
    PASSWORD,
    RECOVERED,
    RETRIED,
    ROLLED_FORWARD,
    call,
    incident_event,
    move,
    notification,
    row,
)


def without(*removed: Message) -> tuple[Message, ...]:
    return tuple(message for message in RECOVERED.messages if message not in removed)


def drop_dates() -> dict:
    [incident] = RECOVERED.rows
    return {**incident, "actions": [{**action, "at": ""} for action in incident["actions"]]}


def drop_evidence() -> dict:
    [incident] = RECOVERED.rows
    return {**incident, "actions": [{**action, "evidence": {}} for action in incident["actions"]]}


BROKEN = {
    "no closing notification": (
        {"messages": without(notification("recovered"))},
        "The notifications were opened, not one opened and",
    ),
    "a second opening notification": (
        {"messages": (*RECOVERED.messages, notification("opened"))},
        "were opened, opened, recovered, not",
    ),
    "a critical notification": (
        {"messages": (*RECOVERED.messages, notification("escalated", CRITICAL))},
        "The critical topic received: Rotation escalated: demo.",
    ),
    "another end": (
        {"rows": (row(*RETRIED, outcome="held"),)},
        "It ended as held, not as recovered by retry: why so",
    ),
    "two incidents": ({"rows": RECOVERED.rows * 2}, "There were 2 incidents, not one."),
    "no AWSCURRENT": ({"versions": {OLD: ["AWSPREVIOUS"]}}, "AWSCURRENT is on 0 versions."),
    "two AWSCURRENT": ({"versions": {OLD: ["AWSCURRENT"], NEW: ["AWSCURRENT"]}}, "AWSCURRENT is on 2 versions."),
    "the old AWSCURRENT": ({"versions": {OLD: ["AWSCURRENT"]}}, "AWSCURRENT is still on 11111111."),
    "a value that opens nothing": ({"is_working": False}, "AWSCURRENT is on 22222222, and the database rejects it."),
    "a second move": ({"messages": (*RECOVERED.messages, move())}, "AWSCURRENT was moved 2 times."),
    "a move from elsewhere": (
        {"messages": (*without(move()), move(away_from="33333333-cccc"))},
        "AWSCURRENT was not moved away from 11111111, which had it",
    ),
    "a rotation that is stuck": (
        {"versions": {NEW: ["AWSCURRENT"], "33333333-cccc": ["AWSPENDING"]}},
        "AWSPENDING is on a version that is not AWSCURRENT",
    ),
    "AWSPENDING cleared": (
        {"messages": (*RECOVERED.messages, move("AWSPENDING", role="rotation-guard-repair-move-1234567"))},
        "AWSPENDING was removed or moved by rotation-guard-repair-move.",
    ),
    "a rotation cancelled": (
        {"messages": (*RECOVERED.messages, call("CancelRotateSecret"))},
        "CancelRotateSecret was called by rotates.",
    ),
    "an execution that failed": (
        {"executions": (Execution(EXECUTION, "FAILED"),)},
        "Execution RotationFailed-1 is FAILED, not SUCCEEDED.",
    ),
    "a step that failed": (
        {"executions": (Execution(EXECUTION, "SUCCEEDED", (StateExit(2.0, "Decide", {"error": {"Error": "Gone"}}),)),)},
        "Execution RotationFailed-1 is SUCCEEDED. A step failed for good: Decide: Gone.",
    ),
    "an execution that is lost": (
        {"executions": ()},
        "The row names an execution that does not exist: RotationFailed-1.",
    ),
    "an action without time": ({"rows": (drop_dates(),)}, "The row has an action notify without at."),
    "a decision without evidence": ({"rows": (drop_evidence(),)}, "The row has an action decide without evidence."),
    "an action that is not written": ({"rows": (row(*RETRIED[:2]),)}, "The row lacks: retry asked."),
    "an event that is lost": (
        {"messages": without(incident_event("Recovered"))},
        "The events on the bus were Opened, Retried, not Opened, Recovered, Retried.",
    ),
    "an event too many": (
        {"messages": (*RECOVERED.messages, incident_event("Opened"))},
        "were Opened, Opened, Recovered, Retried",
    ),
    "a value in a notification": (
        {"messages": (*without(notification("opened")), replace(notification("opened"), raw=f"it is {PASSWORD}"))},
        "A value of the secret is in a message of remediation: Rotation opened: demo.",
    ),
    "a value in an execution": (
        {"executions": (Execution(EXECUTION, "SUCCEEDED", raw=f"it is {PASSWORD}"),)},
        "A value of the secret is in execution RotationFailed-1.",
    ),
    "a value in a row": (
        {"rows": ({**RECOVERED.rows[0], "reason": f"it is {PASSWORD}"},)},
        "A value of the secret is in the incident's row.",
    ),
    "a value in a log": (
        {"logs": {**RECOVERED.logs, "probe": f"it is {PASSWORD}"}},
        "A value of the secret is in the log probe.",
    ),
    "a value elsewhere": (
        {"texts": {"the audit trail": f"it is {PASSWORD}"}},
        "A value of the secret is in the audit trail.",
    ),
    "no log to seek in": (
        {"logs": {"probe": '{"message":"published"}'}},
        "No function has logged claimed, decided, so",
    ),
    "no value to seek": ({"values": frozenset()}, "No value of the secret could be read"),
}


@pytest.fixture
def run_drill(monkeypatch, tmp_path):
    """Runs the command on a stack whose drills have this trace."""

    def run(trace: Trace, *arguments: str) -> int:
        monkeypatch.setattr(deployment, "require_running", lambda directory: None)
        monkeypatch.setattr(drill, "run", lambda stack, step, shows: replace(trace, step=step))
        return commands.main(["--directory", str(tmp_path), "drill", *arguments])

    return run


def test_a_drill_that_meets_every_expectation_ticks_all_of_them(run_drill, capsys):
    assert run_drill(RECOVERED, "--step", "setSecret") == 0
    assert run_drill(ROLLED_FORWARD, "--step", "finishSecret") == 0
    output = capsys.readouterr()
    assert output.out.count("✓ ") == 2 * len(expectations.EXPECTATIONS)
    assert "✗" not in output.out + output.err


@pytest.mark.parametrize("name", BROKEN)
def test_a_violated_expectation_is_named_and_fails_the_drill(run_drill, capsys, name):
    changes, sentence = BROKEN[name]
    assert run_drill(replace(RECOVERED, **changes), "--step", "setSecret") == 1
    output = capsys.readouterr()
    assert "✗ " in output.out
    assert sentence in output.err
    assert output.err.startswith("The drill failed at setSecret: ")


def test_messages_about_an_earlier_incident_violate_no_expectation(run_drill, capsys):
    """A successful drill resolves an incident that an earlier one left escalated, and notifies those who were paged."""
    before = {"opened_at": "1970-01-01T00:00:00.500Z"}
    resolved = [
        replace(notification("resolved", topic), body={"turn": "resolved", **before})
        for topic in (REMEDIATION, CRITICAL)
    ]
    events = [replace(incident_event(name), body=before) for name in ("Stalled", "Resolved")]
    assert run_drill(replace(RECOVERED, messages=(*RECOVERED.messages, *resolved, *events)), "--step", "setSecret") == 0
    assert "✗" not in capsys.readouterr().out


def test_every_expectation_can_be_violated(run_drill):
    broken = {
        expectation.text
        for changes, _ in BROKEN.values()
        for expectation, sentence in expectations.check_all(replace(RECOVERED, **changes))
        if sentence
    }
    assert broken == {expectation.text for expectation in expectations.EXPECTATIONS}


def test_all_four_steps_are_drilled_in_turn_until_one_fails(run_drill, capsys):
    assert run_drill(RECOVERED) == 1
    output = capsys.readouterr()
    headlines = [line.split(":")[0] for line in output.out.splitlines() if line.split(":")[0] in STEPS]
    assert headlines == ["createSecret", "setSecret", "testSecret"]
    assert "The drill failed at testSecret" in output.err


def test_an_unknown_step_is_reported_in_one_line(run_drill, capsys):
    assert run_drill(RECOVERED, "--step", "resetSecret") == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"There is no step 'resetSecret': STEP is one of {', '.join(STEPS)}."


def test_a_timeline_is_in_the_order_of_what_happened():
    event = {"kind": "RotationFailed", "failed_step": "setSecret"}
    diagnosis = {"current": OLD, "pending": NEW, "previous": None}
    decision = {"action": "retry", "outcome": "", "how": "", "reason": "Retry 1 of 3.", "number": 1}
    left = (
        StateExit(1.4, "Claim", {"heard": event, "claim": {"outcome": "opened"}}),
        StateExit(2.0, "Settle", {"claim": {"wait_seconds": 60}}),
        StateExit(2.1, "Probe", {"look": {"diagnosis": diagnosis}, "proofs": EVIDENCE}),
        StateExit(2.2, "Decide", {"decision": decision}),
        StateExit(2.3, "Retry", {"decision": decision, "retried": {"reason": ""}}),
        StateExit(2.4, "WatchRotation", {}),
        StateExit(
            3.1, "End", {"end": {"state": "mine"}, "decision": {"outcome": "recovered by retry", "reason": "So."}}
        ),
    )
    entries = build_timeline(
        replace(
            RECOVERED,
            messages=(replace(notification("opened"), at=1.5), Message(1.3, AWS, "RotationFailed", {}), move()),
            executions=(Execution(EXECUTION, "SUCCEEDED", left),),
            fault_removed_at=1.35,
            recovered_at=3.2,
        )
    )
    assert [entry.label for entry in entries] == [
        *("started", "AWS", "fault removed", "opened", "opened notice", "waited", "diagnosed", "decided", "retry 1"),
        "moved",
        *("recovered by retry", "recovered"),
    ]
    assert entries[0].seconds == 0
    assert "AWSCURRENT 11111111 works, AWSPENDING 22222222 unknown" in entries[6].text
    assert entries[9].text == "AWSCURRENT from 11111111 to 22222222, by rotates"


def test_an_entry_that_arrives_late_is_printed_in_its_place_and_once():
    text = io.StringIO()
    timeline = Timeline(Console(file=text, width=200), ProgressLine())
    first, second, third = (TimelineEntry(seconds, f"entry {seconds}", "") for seconds in (1.0, 1.1, 3.0))
    timeline.add([second], 1.15, "more")
    timeline.add([first, second], 1.2, "more")
    timeline.add([first, second], 2.0, "more")
    timeline.add([first, second, third], 3.0, "more")
    timeline.flush()
    assert [line.split("s", 1)[1].strip() for line in text.getvalue().splitlines()] == [
        *("entry 1.0", "entry 1.1", "entry 3.0"),
    ]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The dev stack with very short waits."""
    with deployment.deploy_temporarily(tmp_path_factory.mktemp("drill") / ".local", wait_scale=0.005) as stack:
        yield stack


def list_leftovers(stack: deployment.RunningStack) -> list[str]:
    """List what a drill creates for itself, and its tag on the secret."""
    queues = stack.client("sqs").list_queues()["QueueUrls"]
    rules = stack.client("events").list_rules()["Rules"]
    tags = stack.client("secretsmanager").describe_secret(SecretId=DemoSecret(stack).arn)["Tags"]
    names = [*queues, *(rule["Name"] for rule in rules), *(tag["Key"] for tag in tags)]
    return [name for name in names if "drill-" in name or name == BREAK_TAG]


def test_an_interrupted_drill_leaves_nothing_behind_and_the_next_one_succeeds(stack, capsys):
    seen = []

    def interrupt(trace: Trace, waits: str) -> None:
        seen.append((waits, list_leftovers(stack)))
        if trace.rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drill.run(stack, "testSecret", interrupt)
    assert BREAK_TAG in seen[0][1]
    assert list_leftovers(stack) == []

    assert commands.main(["--directory", str(stack.directory), "drill", "--step", "testSecret"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.count("✓ ") == len(expectations.EXPECTATIONS)
    labels = ("AWS", "opened notice", "waited", "decided", "moved", "rolled forward", "recovered notice", "recovered")
    for word in labels:
        assert f" s  {word} " in output.out
    assert list_leftovers(stack) == []


def test_a_drill_fails_while_the_kill_switch_says_stop(stack, capsys):
    switch = {"Name": stack.outputs["kill_switch_parameter_name"], "Overwrite": True}
    stack.client("ssm").put_parameter(**switch, Value="stop")
    try:
        assert commands.main(["--directory", str(stack.directory), "drill", "--step", "setSecret"]) == 1
    finally:
        stack.client("ssm").put_parameter(**switch, Value="go")
    [line] = capsys.readouterr().err.splitlines()
    assert "It ended as escalated, not as recovered by retry: " in line
    assert "The notifications were escalated, opened, not one opened and one recovered." in line


def test_a_drill_notices_forbidden_calls_and_leaked_values(stack):
    secret, topic = DemoSecret(stack), stack.outputs["remediation_topic_arn"]
    done = []

    def interfere(trace: Trace, waits: str) -> None:
        if trace.recovered_at and not done:
            done.append(True)
            stack.client("secretsmanager").cancel_rotate_secret(SecretId=secret.arn)
            leak = f"{secret.arn} is {secret.read_value(trace.current[0])}"
            stack.client("sns").publish(TopicArn=topic, Subject="Told", Message=leak)

    results = expectations.check_all(drill.run(stack, "testSecret", interfere))
    secret.rotate()  # which switches rotation on again
    broken = " ".join(sentence for _, sentence in results if sentence)
    assert "CancelRotateSecret was called by somebody." in broken
    assert "A value of the secret is in a message of remediation: Told." in broken
    assert "The notifications were None, opened, recovered, not one opened and one recovered." in broken


@pytest.fixture
def short_timeout(monkeypatch):
    """Ends a drill soon after its executions, when its incident stays open."""
    monkeypatch.setattr(drill, "_ABANDONED_SECONDS", 0.8)


def forget_open_incidents(stack: deployment.RunningStack) -> None:
    """Delete the secret's claim and incidents, which no workflow can close any more."""
    table, client = stack.outputs["incidents_table_name"], stack.client("dynamodb")
    arn = DemoSecret(stack).arn
    query = {"KeyConditionExpression": "secret_arn = :arn", "ExpressionAttributeValues": {":arn": {"S": arn}}}
    rows = client.query(TableName=table, ConsistentRead=True, **query)["Items"]
    keys = [{name: row[name] for name in ("secret_arn", "opened_at")} for row in rows]
    unfinished = [
        {"secret_arn": {"S": "unfinished"}, "opened_at": {"S": f"{arn}#{key['opened_at']['S']}"}} for key in keys
    ]
    for key in [*keys, *unfinished, {"secret_arn": {"S": f"open#{arn}"}, "opened_at": {"S": "claim"}}]:
        client.delete_item(TableName=table, Key=key)


@pytest.mark.parametrize("broken", ["claim", "decide", "end"])
@pytest.mark.usefixtures("short_timeout")
def test_a_step_that_fails_for_good_is_reported_without_a_traceback(stack, broken, capsys):
    functions = stack.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    [name] = [
        function["FunctionName"]
        for page in pages
        for function in page["Functions"]
        if function["FunctionName"].startswith(f"rotation-guard-repair-{broken}-")
    ]
    handler = functions.get_function_configuration(FunctionName=name)["Handler"]
    functions.update_function_configuration(FunctionName=name, Handler="gone.handler")
    try:
        assert commands.main(["--directory", str(stack.directory), "drill", "--step", "testSecret"]) == 1
    finally:
        functions.update_function_configuration(FunctionName=name, Handler=handler)
        forget_open_incidents(stack)
    output = capsys.readouterr()
    [line] = output.err.splitlines()
    assert line.startswith("The drill failed at testSecret")
    # The execution itself succeeds when its last-resort notification can be sent.
    assert f"A step failed for good: {broken.capitalize()}: " in line
    assert f"{'step failed':20}{broken.capitalize()}: " in output.out


@pytest.mark.usefixtures("short_timeout")
def test_a_stopped_execution_is_reported(stack):
    stopped = []

    def stop(trace: Trace, waits: str) -> None:
        if trace.executions and trace.rows and not stopped:
            stopped.append(trace.executions[0].arn)
            stack.client("stepfunctions").stop_execution(executionArn=stopped[0], error="Stopped", cause="by hand")

    try:
        trace = drill.run(stack, "testSecret", stop)
    finally:
        forget_open_incidents(stack)
    broken = " ".join(sentence for _, sentence in expectations.check_all(trace) if sentence)
    assert f"Execution {stopped[0].rpartition(':')[2]} is ABORTED, not SUCCEEDED." in broken
    assert "It ended with Stopped: by hand." in broken
    assert "aborted" in [entry.label for entry in build_timeline(trace)]


def test_a_missing_event_is_named_after_the_timeout(stack, monkeypatch):
    monkeypatch.setattr(drill, "TIMEOUT_SECONDS", 0.0)
    with pytest.raises(
        LocalError, match=r"^The drill failed at createSecret: AWS's RotationFailed is missing after 0 s\.$"
    ):
        drill.run(stack, "createSecret")
    assert list_leftovers(stack) == []
    DemoSecret(stack).finish_pending_work()
