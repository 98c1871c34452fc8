"""`rotation-guard incidents show`: everything about one incident."""

import csv
import io
import re

import pytest

from components.release import resolve_runbook

from .conftest import aws_error
from .stacks import ARN, EXECUTION


@pytest.fixture
def repaired(stack):
    """The row of an incident with every kind of action, of an existing secret."""
    arn = stack.secret("orders/db")
    ago = stack.ago
    proofs = {"current": "broken", "pending": "works", "previous": "absent", "notes": ["It took 3 seconds."]}
    return stack.closed_incident(
        "orders/db",
        "rolled forward",
        2,
        secret_arn=arn,
        closed_at=ago(hours=1.5),
        reason="AWSCURRENT is on the version that this incident moved it to.",
        failures=5,
        last_failure_at=ago(hours=1.9),
        attempts=1,
        mode="repair",
        versions={"v2": ["AWSCURRENT"], "v1": ["AWSPREVIOUS"]},
        evidence=proofs,
        moved={"how": "rolled forward", "from": "v1", "to": "v2", "outcome": "done"},
        restarts=[
            {"target": "ecs:shop/web", "arn": "arn:x", "state": "settled", "why": ""},
            {"target": "lambda:billing", "arn": "", "state": "refused", "why": "It is not among the restartTargets."},
        ],
        actions=[
            {"action": "notify", "at": ago(hours=2), "turn": "opened", "outcome": "told", "message_id": "m-1"},
            {"action": "retry", "at": ago(hours=1.8), "number": 1, "outcome": "asked"},
            {"action": "notify", "at": ago(hours=1.8), "turn": "retried", "number": 1, "outcome": "told"},
            {
                "action": "decide",
                "at": ago(hours=1.7),
                "rule": "roll forward",
                "reason": "A probe proved it.",
                "outcome": "rolled forward",
                "evidence": proofs,
            },
            {"action": "rolled forward", "at": ago(hours=1.7), "from": "v1", "to": "v2", "outcome": "done"},
            {"action": "restart", "at": ago(hours=1.6), "target": "ecs:shop/web", "outcome": "settled"},
            {"action": "notify", "at": ago(hours=1.5), "turn": "recovered", "outcome": "told", "message_id": "m-2"},
        ],
    )


def test_the_timeline_is_in_order_and_the_close_precedes_the_last_notification(repaired, incidents_json):
    timeline = incidents_json("show", "orders/db")["timeline"]

    assert [entry["action"] for entry in timeline] == [
        "RotationFailed",
        "open",
        "notify",
        "retry",
        "notify",
        "decide",
        "rolled forward",
        "restart",
        "close",
        "notify",
    ]
    assert timeline[0] == {
        "at": repaired["occurred_at"],
        "action": "RotationFailed",
        "outcome": "setSecret",
        "reason": None,
    }
    assert timeline[1]["at"] == repaired["opened_at"]
    assert timeline[5] == repaired["actions"][3]
    assert timeline[8]["reason"] == repaired["reason"]


@pytest.fixture
def resolved_incident(stack):
    """The row of an escalated incident whose secret was then rotated manually."""
    ago = stack.ago
    return stack.closed_incident(
        "mended",
        "resolved",
        5,
        closed_at=ago(hours=4),
        reason="No retry is left (3 made of 3).",
        resolved_outcome="escalated",
        resolved_at=ago(hours=2),
        resolved_by="RotationSucceeded",
        actions=[
            {"action": "decide", "at": ago(hours=4), "rule": "retries used up", "outcome": "escalated"},
            {"action": "notify", "at": ago(hours=4), "turn": "escalated", "outcome": "told"},
            {"action": "notify", "at": ago(hours=3), "turn": "reminder", "outcome": "told"},
            {"action": "notify", "at": ago(hours=2), "turn": "resolved", "outcome": "told"},
        ],
    )


def test_the_close_and_the_resolution_precede_their_notifications(resolved_incident, incidents_json):
    timeline = incidents_json("show", "mended")["timeline"]

    assert [(entry["action"], entry["outcome"], entry.get("turn")) for entry in timeline[2:]] == [
        ("decide", "escalated", None),
        ("close", "escalated", None),
        ("notify", "told", "escalated"),
        ("notify", "told", "reminder"),
        ("resolve", "resolved", None),
        ("notify", "told", "resolved"),
    ]
    assert timeline[3]["reason"] == resolved_incident["reason"]
    assert timeline[6]["at"] == resolved_incident["resolved_at"]
    assert timeline[6]["reason"] == "A new value is in use (RotationSucceeded)."


def test_a_resolved_incident_needs_no_attention(resolved_incident, run_on_stack, incidents_json):
    incident = incidents_json("show", "mended")["incident"]

    assert (incident["outcome"], incident["attention"]) == ("resolved", False)
    assert "mended: resolved, failed at setSecret." in run_on_stack("incidents", "show", "mended", COLUMNS="120").stdout
    assert run_on_stack("incidents", "show", "mended", "--exit-code").exit_code == 0
    assert incidents_json("show", "mended")["next"] is None


def test_the_json_has_every_field_of_the_incident(repaired, incidents_json):
    answer = incidents_json("show", "orders/db")

    incident = answer["incident"]
    for name in set(repaired) - {"actions", "event_ids", "alive_until"}:
        assert incident[name] == repaired[name], name
    assert incident["event_ids"] == ["e-1"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", incident["alive_until"])
    assert "actions" not in incident
    assert list(answer["labels"].values()) == [["AWSCURRENT"]]


def test_the_table_has_what_an_on_call_engineer_needs(repaired, run_on_stack):
    output = run_on_stack("incidents", "show", "orders/db", COLUMNS="120").stdout

    for line in (
        "orders/db: rolled forward, failed at setSecret. AWSCURRENT is on the version that this incident moved it to.",
        "  Failed: 5 times, last at ",
        "  Mode: repair; RotateSecret was called once",
        "  Labels now: AWSCURRENT on ",
        "  Labels at the last check: AWSCURRENT on v2, AWSPREVIOUS on v1",
        "  Probe: AWSCURRENT broken, AWSPENDING works, AWSPREVIOUS absent. It took 3 seconds.",
        "  Moved: rolled forward from v1 to v2, done",
        "  Restart: ecs:shop/web, settled",
        "  Restart: lambda:billing, refused: It is not among the restartTargets.",
        "  A probe proved it. Evidence: AWSCURRENT broken, AWSPENDING works, AWSPREVIOUS absent. It took 3 seconds. ",
        "  (from v1, to v2)",
        "No action required.",
    ):
        assert f"\n{line}" in output, line
    for entry in (
        "notify opened +told",
        "retry 1 +asked",
        "notify retried 1 +told",
        "restart ecs:shop/web +settled",
        "close +rolled forward",
    ):
        assert re.search(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d {entry}$", output, re.MULTILINE), entry


@pytest.mark.parametrize("columns", ["40", "300"])
def test_links_are_never_broken_into_lines(repaired, run_on_stack, incidents_json, columns):
    console = "https://eu-west-1.console.aws.amazon.com"
    execution = f"{console}/states/home?region=eu-west-1#/v2/executions/details/{EXECUTION}"
    secret = f"{console}/secretsmanager/secret?name=orders%2Fdb&region=eu-west-1"

    links = incidents_json("show", "orders/db")["links"]
    # A package that was installed from an older pyproject.toml names no repository.
    assert links.pop("runbook", f"{resolve_runbook()}#rolled-forward") == f"{resolve_runbook()}#rolled-forward"
    assert links == {"secret": secret, "execution": execution}
    lines = run_on_stack("incidents", "show", "orders/db", COLUMNS=columns).stdout.splitlines()
    assert f"  Execution: {execution}" in lines
    assert f"  Secret in the console: {secret}" in lines
    assert f"  Secret: {repaired['secret_arn']}" in lines


def test_a_version_id_is_not_broken_into_lines(stack, run_on_stack):
    versions = [f"{letter}bcdabcd-bcde-cdef-defa-abcdefabcdef" for letter in "abcdef"]
    stack.incident("a", versions={version: [f"LABEL-{version[0]}"] for version in versions})

    output = run_on_stack("incidents", "show", "a").stdout

    assert all(version in output for version in versions)


def test_another_execution_that_ended_the_incident_is_linked(stack, incidents_json):
    stack.closed_incident("a", "recovered by AWS", ended_by=EXECUTION.replace("e-1", "e-2"))
    stack.closed_incident("b", "recovered by AWS", ended_by=EXECUTION)

    assert incidents_json("show", "a")["links"]["ended_by"].endswith(":remediation:e-2")
    assert "ended_by" not in incidents_json("show", "b")["links"]


def test_the_next_steps_are_those_of_the_notification(stack, repaired, run_on_stack, incidents_json):
    stack.closed_incident(
        "a", "escalated", actions=[{"action": "decide", "at": stack.ago(hours=1), "rule": "orphaned"}]
    )
    stack.incident("b")
    stack.closed_incident("c", "rolled forward", state="restarting", closed_at=None)
    stack.closed_incident("d", "escalated")
    stack.set_state("d", succeeded_at=stack.ago(hours=0.1))

    output = {name: incidents_json("show", name)["next"] for name in ("a", "b", "c", "d", "orders/db")}

    assert "rotation-guard incidents release a" in output["a"]
    assert "AWS retries by itself" in output["b"]
    # A dependent was not restarted, so that something is left to do.
    assert "Nothing is lost." in output["orders/db"]
    assert "No action required" not in output["orders/db"]
    assert (output["c"], output["d"]) == (None, None)
    assert "\nNext: Nothing is lost." in run_on_stack("incidents", "show", "orders/db").stdout
    assert (
        "No action required. Next: Nothing is lost."
        in run_on_stack("incidents", "show", "orders/db", "--format", "markdown").stdout
    )


def test_csv_and_markdown_have_the_timeline(repaired, run_on_stack):
    rows = list(csv.DictReader(io.StringIO(run_on_stack("incidents", "show", "orders/db", "--format", "csv").stdout)))

    assert [row["action"] for row in rows][2:6] == ["notify", "retry", "notify", "decide"]
    assert [row["details"] for row in rows][2:7] == [
        "turn opened, message_id m-1",
        "number 1",
        "turn retried, number 1",
        "rule roll forward",
        "from v1, to v2",
    ]
    text = run_on_stack("incidents", "show", "orders/db", "--format", "markdown").stdout
    assert "- Moved: rolled forward from v1 to v2, done" in text
    assert "| when, UTC | what | outcome | reason |" in text
    assert f"details/{EXECUTION}>" in text


def test_the_newest_incident_is_the_default(stack, incidents_json, run_on_stack):
    first = stack.closed_incident("a", "escalated", 50)
    second = stack.closed_incident("a", "held", 20)
    third = stack.incident("a", 1)

    assert incidents_json("show", "a")["incident"]["opened_at"] == third["opened_at"]
    for text_of_time in (second["opened_at"], second["opened_at"][:19].replace("T", " ")):
        older = incidents_json("show", "a", "--opened-at", text_of_time)["incident"]
        assert (older["opened_at"], older["attention"]) == (second["opened_at"], False)
    assert incidents_json("show", "a", "--opened-at", first["opened_at"])["incident"]["outcome"] == "escalated"

    result = run_on_stack("incidents", "show", "a", "--opened-at", "2020-01-01T00:00:00Z")
    assert result.exit_code == 2
    opening_times = ", ".join(entry["opened_at"] for entry in (third, second, first))
    assert f"--opened-at must be one of the incidents of a, {opening_times}, got 2020-01-01T00:00:00Z." in result.stderr


def test_a_secret_may_be_given_by_its_arn(repaired, incidents_json):
    assert incidents_json("show", repaired["secret_arn"])["incident"]["secret_name"] == "orders/db"


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_incidents_identify_a_secret_that_cannot_be_described(stack, incidents_json, code):
    stack.incident("gone/db", versions={"v1": ["AWSCURRENT"]})
    stack.answers["DescribeSecret"] = lambda request: aws_error(code)

    answer = incidents_json("show", "gone/db")

    assert answer["incident"]["secret_arn"] == f"{ARN}:gone/db-AbCdEf"
    assert answer["labels"] is None
    assert answer["incident"]["versions"] == {"v1": ["AWSCURRENT"]}


def test_an_ambiguous_name_is_an_error(stack, run_on_stack, incidents_json):
    stack.incident("twice")
    other = stack.incident("twice", 2, secret_arn=f"{ARN}:twice-ZyXwVu")

    result = run_on_stack("incidents", "show", "twice")

    assert result.exit_code == 2
    assert f"give the ARN of one: {ARN}:twice-AbCdEf, {ARN}:twice-ZyXwVu." in result.stderr
    assert incidents_json("show", other["secret_arn"])["incident"]["opened_at"] == other["opened_at"]


def test_another_error_of_aws_is_not_mistaken_for_a_missing_secret(stack, run_on_stack):
    stack.incident("a")
    stack.answers["DescribeSecret"] = lambda request: aws_error("ExpiredTokenException")

    result = run_on_stack("incidents", "show", "a")

    assert result.exit_code == 3
    assert "DescribeSecret was refused: ExpiredTokenException" in result.stderr


def test_a_secret_without_an_incident_is_an_error(stack, run_on_stack):
    stack.secret("fine")

    result = run_on_stack("incidents", "show", "fine")

    assert result.exit_code == 2
    assert result.stderr.startswith("fine has no recorded incident (arn:aws:secretsmanager:")


def test_the_rotation_function_is_named(stack, run_on_stack, incidents_json):
    arn = stack.incident("a")["secret_arn"]
    function = "arn:aws:lambda:eu-west-1:123456789012:function:rotate"
    described = {"ARN": arn, "Name": "a", "RotationLambdaARN": function, "VersionIdsToStages": {"v1": ["AWSCURRENT"]}}
    stack.answers["DescribeSecret"] = lambda request: described

    assert incidents_json("show", "a")["rotation_function"] == function
    assert f"  Rotation function: {function}\n" in run_on_stack("incidents", "show", "a").stdout


def test_a_suspended_secret_is_marked(stack, run_on_stack, incidents_json):
    stack.closed_incident("a", "escalated")
    since = stack.ago(hours=3)
    stack.set_state("a", orphaned_at=since)

    assert incidents_json("show", "a")["orphaned_at"] == since
    assert "  Suspended: since " in run_on_stack("incidents", "show", "a").stdout
    assert run_on_stack("incidents", "show", "a", "--exit-code").exit_code == 1


def test_no_value_is_read(repaired, stack, run_on_stack):
    run_on_stack("incidents", "show", "orders/db")

    assert stack.calls_of("DescribeSecret")
    assert not stack.calls_of("GetSecretValue")
