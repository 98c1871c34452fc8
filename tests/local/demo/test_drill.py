"""A drill: it keeps its word on a running stack, and says which promise was broken when one was."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from local import commands
from local.console import Live, Timeline
from local.demo import drill, expectations
from local.demo.secret import BREAK_TAG, STEPS, DemoSecret
from local.demo.timeline import Moment, moments
from local.demo.trace import AWS, CRITICAL, REMEDIATION, Execution, Left, Message, Trace
from local.deploy import deployment
from local.errors import LocalError
from tests.local.demo.traces import (
    EVIDENCE,
    EXECUTION,
    KEPT,
    NEW,
    OLD,
    PASSWORD,
    RETRIED,
    ROLLED_FORWARD,
    call,
    move,
    notice,
    row,
    turn,
)


def without(*lost: Message) -> tuple[Message, ...]:
    return tuple(message for message in KEPT.messages if message not in lost)


def undated() -> dict:
    [kept] = KEPT.rows
    return {**kept, "actions": [{**action, "at": ""} for action in kept["actions"]]}


def no_evidence() -> dict:
    [kept] = KEPT.rows
    return {**kept, "actions": [{**action, "evidence": {}} for action in kept["actions"]]}


BROKEN = {
    "no closed notice": ({"messages": without(notice("recovered"))}, "The notices were opened, not one opened and"),
    "a second opened notice": ({"messages": (*KEPT.messages, notice("opened"))}, "were opened, opened, recovered, not"),
    "a critical notice": (
        {"messages": (*KEPT.messages, notice("escalated", CRITICAL))},
        "The critical topic was told: Rotation escalated: demo.",
    ),
    "another end": (
        {"rows": (row(*RETRIED, outcome="held"),)},
        "It ended as held, not as recovered by retry: why so",
    ),
    "two incidents": ({"rows": KEPT.rows * 2}, "There were 2 incidents, not one."),
    "no AWSCURRENT": ({"versions": {OLD: ["AWSPREVIOUS"]}}, "AWSCURRENT is on 0 versions."),
    "two AWSCURRENT": ({"versions": {OLD: ["AWSCURRENT"], NEW: ["AWSCURRENT"]}}, "AWSCURRENT is on 2 versions."),
    "the old AWSCURRENT": ({"versions": {OLD: ["AWSCURRENT"]}}, "AWSCURRENT is on 11111111 still."),
    "a value that opens nothing": ({"works": False}, "AWSCURRENT is on 22222222, and the database does not take it."),
    "a second move": ({"messages": (*KEPT.messages, move())}, "AWSCURRENT was moved 2 times."),
    "a move from elsewhere": (
        {"messages": (*without(move()), move(away_from="33333333-cccc"))},
        "AWSCURRENT was not moved away from 11111111, which held it",
    ),
    "a rotation that is stuck": (
        {"versions": {NEW: ["AWSCURRENT"], "33333333-cccc": ["AWSPENDING"]}},
        "AWSPENDING is on a version that is not AWSCURRENT",
    ),
    "AWSPENDING cleared": (
        {"messages": (*KEPT.messages, move("AWSPENDING", role="rotation-guard-remediation-move-1234567"))},
        "AWSPENDING was cleared or moved by rotation-guard-remediation-move.",
    ),
    "a rotation cancelled": (
        {"messages": (*KEPT.messages, call("CancelRotateSecret"))},
        "CancelRotateSecret was called by rotates.",
    ),
    "an execution that failed": (
        {"executions": (Execution(EXECUTION, "FAILED"),)},
        "Execution RotationFailed-1 is FAILED, not SUCCEEDED.",
    ),
    "a step that failed": (
        {"executions": (Execution(EXECUTION, "SUCCEEDED", (Left(2.0, "Decide", {"error": {"Error": "Gone"}}),)),)},
        "Execution RotationFailed-1 is SUCCEEDED. A step failed for good: Decide: Gone.",
    ),
    "an execution that is lost": (
        {"executions": ()},
        "The row names an execution that is not there: RotationFailed-1.",
    ),
    "an action without time": ({"rows": (undated(),)}, "The row has an action notify without at."),
    "a decision without evidence": ({"rows": (no_evidence(),)}, "The row has an action decide without evidence."),
    "an action that is not written": ({"rows": (row(*RETRIED[:2]),)}, "The row does not have: retry asked."),
    "an event that is lost": (
        {"messages": without(turn("Recovered"))},
        "The events on the bus were Opened, Retried, not Opened, Recovered, Retried.",
    ),
    "an event too many": ({"messages": (*KEPT.messages, turn("Opened"))}, "were Opened, Opened, Recovered, Retried"),
    "a value in a notice": (
        {"messages": (*without(notice("opened")), replace(notice("opened"), raw=f"it is {PASSWORD}"))},
        "A value of the secret is in a message of remediation: Rotation opened: demo.",
    ),
    "a value in an execution": (
        {"executions": (Execution(EXECUTION, "SUCCEEDED", raw=f"it is {PASSWORD}"),)},
        "A value of the secret is in execution RotationFailed-1.",
    ),
    "a value in a row": (
        {"rows": ({**KEPT.rows[0], "reason": f"it is {PASSWORD}"},)},
        "A value of the secret is in the incident's row.",
    ),
    "a value in a log": (
        {"logs": {**KEPT.logs, "probe": f"it is {PASSWORD}"}},
        "A value of the secret is in the log probe.",
    ),
    "a value elsewhere": (
        {"texts": {"the audit trail": f"it is {PASSWORD}"}},
        "A value of the secret is in the audit trail.",
    ),
    "no log to seek in": (
        {"logs": {"probe": '{"message":"told"}'}},
        "No function has logged claimed, decided, so that",
    ),
    "no value to seek": ({"values": frozenset()}, "No value of the secret could be read"),
}


@pytest.fixture
def on(monkeypatch, tmp_path):
    """Runs the command on a stack where drills leave this trace."""

    def run(trace: Trace, *arguments: str) -> int:
        monkeypatch.setattr(deployment, "require_running", lambda directory: None)
        monkeypatch.setattr(drill, "run", lambda stack, step, shows: replace(trace, step=step))
        return commands.main(["--directory", str(tmp_path), "drill", *arguments])

    return run


def test_a_drill_that_kept_every_promise_ticks_each(on, capsys):
    assert on(KEPT, "--step", "setSecret") == 0
    assert on(ROLLED_FORWARD, "--step", "finishSecret") == 0
    said = capsys.readouterr()
    assert said.out.count("✓ ") == 2 * len(expectations.PROMISES)
    assert "✗" not in said.out + said.err


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_named_and_fails_the_drill(on, capsys, name):
    changes, sentence = BROKEN[name]
    assert on(replace(KEPT, **changes), "--step", "setSecret") == 1
    said = capsys.readouterr()
    assert "✗ " in said.out
    assert sentence in said.err
    assert said.err.startswith("Broken at setSecret, and not every promise was kept: ")


def test_what_is_told_of_an_incident_of_before_breaks_no_promise(on, capsys):
    """A drill that ends well resolves what an earlier one has left escalated, and whoever was paged is told."""
    before = {"opened_at": "1970-01-01T00:00:00.500Z"}
    resolved = [
        replace(notice("resolved", topic), body={"turn": "resolved", **before}) for topic in (REMEDIATION, CRITICAL)
    ]
    events = [replace(turn(name), body=before) for name in ("Stalled", "Resolved")]
    assert on(replace(KEPT, messages=(*KEPT.messages, *resolved, *events)), "--step", "setSecret") == 0
    assert "✗" not in capsys.readouterr().out


def test_every_promise_can_be_broken(on):
    broken = {
        promise.says
        for changes, _ in BROKEN.values()
        for promise, sentence in expectations.judged(replace(KEPT, **changes))
        if sentence
    }
    assert broken == {promise.says for promise in expectations.PROMISES}


def test_all_four_steps_are_drilled_in_turn_until_one_fails(on, capsys):
    assert on(KEPT) == 1
    told = capsys.readouterr()
    headlines = [line.split(":")[0] for line in told.out.splitlines() if line.split(":")[0] in STEPS]
    assert headlines == ["createSecret", "setSecret", "testSecret"]
    assert "Broken at testSecret" in told.err


def test_a_step_that_there_is_not_is_a_sentence(on, capsys):
    assert on(KEPT, "--step", "resetSecret") == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"There is no step 'resetSecret' to break at: STEP is one of {', '.join(STEPS)}."


def test_a_timeline_is_in_the_order_of_what_happened():
    heard = {"kind": "RotationFailed", "failed_step": "setSecret"}
    diagnosis = {"current": OLD, "pending": NEW, "previous": None}
    decision = {"action": "retry", "outcome": "", "how": "", "reason": "Retry 1 of 3.", "number": 1}
    left = (
        Left(1.4, "Claim", {"heard": heard, "claim": {"outcome": "opened"}}),
        Left(2.0, "Settle", {"claim": {"wait_seconds": 60}}),
        Left(2.1, "Probe", {"look": {"diagnosis": diagnosis}, "proofs": EVIDENCE}),
        Left(2.2, "Decide", {"decision": decision}),
        Left(2.3, "Retry", {"decision": decision, "retried": {"reason": ""}}),
        Left(2.4, "WatchRotation", {}),
        Left(3.1, "End", {"end": {"state": "mine"}, "decision": {"outcome": "recovered by retry", "reason": "So."}}),
    )
    told = moments(
        replace(
            KEPT,
            messages=(replace(notice("opened"), at=1.5), Message(1.3, AWS, "RotationFailed", {}), move()),
            executions=(Execution(EXECUTION, "SUCCEEDED", left),),
            mended_at=1.35,
            healed_at=3.2,
        )
    )
    assert [moment.who for moment in told] == [
        *("asked", "AWS", "mended", "opened", "opened notice", "settled", "diagnosed", "decided", "retry 1", "moved"),
        *("recovered by retry", "healed"),
    ]
    assert told[0].seconds == 0
    assert "AWSCURRENT 11111111 works, AWSPENDING 22222222 unknown" in told[6].what
    assert told[9].what == "AWSCURRENT from 11111111 to 22222222, by rotates"


def test_a_moment_that_is_heard_of_late_is_shown_in_its_place_and_once():
    text = io.StringIO()
    timeline = Timeline(Console(file=text, width=200), Live())
    first, second, third = (Moment(seconds, f"moment {seconds}", "") for seconds in (1.0, 1.1, 3.0))
    timeline.shows([second], 1.15, "more")
    timeline.shows([first, second], 1.2, "more")
    timeline.shows([first, second], 2.0, "more")
    timeline.shows([first, second, third], 3.0, "more")
    timeline.end()
    assert [line.split("s", 1)[1].strip() for line in text.getvalue().splitlines()] == [
        *("moment 1.0", "moment 1.1", "moment 3.0"),
    ]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The dev stack, in a hurry."""
    running = deployment.up(tmp_path_factory.mktemp("drill") / ".local", wait_scale=0.005)
    yield running
    if emulator := running.emulator:
        emulator.stop()


def left_behind(stack: deployment.RunningStack) -> list[str]:
    """What a drill makes for itself, and where it breaks the secret."""
    queues = stack.client("sqs").list_queues()["QueueUrls"]
    rules = stack.client("events").list_rules()["Rules"]
    tags = stack.client("secretsmanager").describe_secret(SecretId=DemoSecret(stack).arn)["Tags"]
    found = [*queues, *(rule["Name"] for rule in rules), *(tag["Key"] for tag in tags)]
    return [name for name in found if "drill-" in name or name == BREAK_TAG]


def test_an_interrupted_drill_leaves_nothing_behind_and_the_next_one_succeeds(stack, capsys):
    seen = []

    def interrupt(trace: Trace, waits: str) -> None:
        seen.append((waits, left_behind(stack)))
        if trace.rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drill.run(stack, "testSecret", interrupt)
    assert BREAK_TAG in seen[0][1]
    assert left_behind(stack) == []

    assert commands.main(["--directory", str(stack.directory), "drill", "--step", "testSecret"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.count("✓ ") == len(expectations.PROMISES)
    for word in ("AWS", "opened notice", "settled", "decided", "moved", "rolled forward", "recovered notice", "healed"):
        assert f" s  {word} " in said.out
    assert left_behind(stack) == []


def test_a_drill_while_the_kill_switch_says_stop_fails_and_says_so(stack, capsys):
    switch = {"Name": stack.outputs["kill_switch_parameter_name"], "Overwrite": True}
    stack.client("ssm").put_parameter(**switch, Value="stop")
    try:
        assert commands.main(["--directory", str(stack.directory), "drill", "--step", "setSecret"]) == 1
    finally:
        stack.client("ssm").put_parameter(**switch, Value="go")
    [line] = capsys.readouterr().err.splitlines()
    assert "It ended as escalated, not as recovered by retry: " in line
    assert "The notices were escalated, opened, not one opened and one recovered." in line


def test_a_drill_hears_what_nobody_may_do(stack):
    secret, topic = DemoSecret(stack), stack.outputs["remediation_topic_arn"]
    done = []

    def interfere(trace: Trace, waits: str) -> None:
        if trace.healed_at and not done:
            done.append(True)
            stack.client("secretsmanager").cancel_rotate_secret(SecretId=secret.arn)
            told = f"{secret.arn} is {secret.value(trace.current[0])}"
            stack.client("sns").publish(TopicArn=topic, Subject="Told", Message=told)

    judged = expectations.judged(drill.run(stack, "testSecret", interfere))
    secret.rotate()  # which switches rotation on again
    broken = " ".join(sentence for _, sentence in judged if sentence)
    assert "CancelRotateSecret was called by somebody." in broken
    assert "A value of the secret is in a message of remediation: Told." in broken
    assert "The notices were None, opened, recovered, not one opened and one recovered." in broken


def forget_open_incidents(stack: deployment.RunningStack) -> None:
    """Deletes the secret's claim and its incidents, as if there had been none, where no workflow could end them."""
    table, client = stack.outputs["incidents_table_name"], stack.client("dynamodb")
    arn = DemoSecret(stack).arn
    asked = {"KeyConditionExpression": "secret_arn = :arn", "ExpressionAttributeValues": {":arn": {"S": arn}}}
    rows = client.query(TableName=table, ConsistentRead=True, **asked)["Items"]
    keys = [{name: row[name] for name in ("secret_arn", "opened_at")} for row in rows]
    unfinished = [
        {"secret_arn": {"S": "unfinished"}, "opened_at": {"S": f"{arn}#{key['opened_at']['S']}"}} for key in keys
    ]
    for key in [*keys, *unfinished, {"secret_arn": {"S": f"open#{arn}"}, "opened_at": {"S": "claim"}}]:
        client.delete_item(TableName=table, Key=key)


@pytest.mark.parametrize("broken", ["claim", "decide", "end"])
def test_a_step_that_fails_for_good_is_a_verdict_and_no_traceback(stack, broken, capsys):
    functions = stack.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    [name] = [
        function["FunctionName"]
        for page in pages
        for function in page["Functions"]
        if function["FunctionName"].startswith(f"rotation-guard-remediation-{broken}-")
    ]
    handler = functions.get_function_configuration(FunctionName=name)["Handler"]
    functions.update_function_configuration(FunctionName=name, Handler="gone.handler")
    try:
        assert commands.main(["--directory", str(stack.directory), "drill", "--step", "testSecret"]) == 1
    finally:
        functions.update_function_configuration(FunctionName=name, Handler=handler)
        forget_open_incidents(stack)
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert line.startswith("Broken at testSecret")
    # Whether the execution itself failed is a matter of whether people could be told.
    assert f"A step failed for good: {broken.capitalize()}: " in line
    assert f"{'step failed':20}{broken.capitalize()}: " in said.out


def test_an_execution_that_somebody_stops_is_a_verdict_as_well(stack):
    stopped = []

    def stop(trace: Trace, waits: str) -> None:
        if trace.executions and trace.rows and not stopped:
            stopped.append(trace.executions[0].arn)
            stack.client("stepfunctions").stop_execution(executionArn=stopped[0], error="Stopped", cause="by hand")

    try:
        trace = drill.run(stack, "testSecret", stop)
    finally:
        forget_open_incidents(stack)
    broken = " ".join(sentence for _, sentence in expectations.judged(trace) if sentence)
    assert f"Execution {stopped[0].rpartition(':')[2]} is ABORTED, not SUCCEEDED." in broken
    assert "It ended with Stopped: by hand." in broken
    assert "aborted" in [moment.who for moment in moments(trace)]


def test_what_takes_too_long_is_named(stack, monkeypatch):
    monkeypatch.setattr(drill, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(LocalError, match=r"^Broken at createSecret: AWS's RotationFailed is missing after 0 s\.$"):
        drill.run(stack, "createSecret")
    assert left_behind(stack) == []
    DemoSecret(stack).settle()
