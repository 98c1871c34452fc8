"""`rotation-guard incidents show`: everything about one incident."""

import csv
import io
import re

import pytest

from components.release import resolve_runbook

from .conftest import ARN, EXECUTION, refused


@pytest.fixture
def healed(remediated):
    """An incident that went all the way, of a secret that is there; its row."""
    arn = remediated.secret("orders/db")
    ago = remediated.ago
    proofs = {"current": "broken", "pending": "works", "previous": "absent", "notes": ["It took 3 seconds."]}
    return remediated.ended(
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


def test_the_timeline_has_every_action_in_order_with_its_end_before_the_last_notice(healed, told):
    timeline = told("show", "orders/db")["timeline"]

    assert [one["action"] for one in timeline] == [
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
        "at": healed["occurred_at"],
        "action": "RotationFailed",
        "outcome": "setSecret",
        "reason": None,
    }
    assert timeline[1]["at"] == healed["opened_at"]
    assert timeline[5] == healed["actions"][3]
    assert timeline[8]["reason"] == healed["reason"]


@pytest.fixture
def resolved(remediated):
    """An incident that was escalated, and whose secret was rotated by hand since; its row."""
    ago = remediated.ago
    return remediated.ended(
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


def test_the_timeline_shows_how_it_ended_and_that_it_was_resolved_each_before_its_notice(resolved, told):
    timeline = told("show", "mended")["timeline"]

    assert [(one["action"], one["outcome"], one.get("turn")) for one in timeline[2:]] == [
        ("decide", "escalated", None),
        ("close", "escalated", None),
        ("notify", "told", "escalated"),
        ("notify", "told", "reminder"),
        ("resolve", "resolved", None),
        ("notify", "told", "resolved"),
    ]
    assert timeline[3]["reason"] == resolved["reason"]
    assert timeline[6]["at"] == resolved["resolved_at"]
    assert timeline[6]["reason"] == "A new value is in use (RotationSucceeded)."


def test_what_was_resolved_needs_no_one(resolved, ask, told):
    incident = told("show", "mended")["incident"]

    assert (incident["outcome"], incident["attention"]) == ("resolved", False)
    assert "mended: resolved, failed at setSecret." in ask("incidents", "show", "mended", COLUMNS="120").stdout
    assert ask("incidents", "show", "mended", "--exit-code").exit_code == 0
    assert told("show", "mended")["next"] is None


def test_the_incident_is_whole(healed, told):
    answer = told("show", "orders/db")

    incident = answer["incident"]
    for name in set(healed) - {"actions", "event_ids", "alive_until"}:
        assert incident[name] == healed[name], name
    assert incident["event_ids"] == ["e-1"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", incident["alive_until"])
    assert "actions" not in incident
    assert list(answer["labels"].values()) == [["AWSCURRENT"]]


def test_the_table_tells_it_to_somebody_who_was_woken(healed, ask):
    said = ask("incidents", "show", "orders/db", COLUMNS="120").stdout

    for line in (
        "orders/db: rolled forward, failed at setSecret. AWSCURRENT is on the version that this incident moved it to.",
        "  Failed: 5 times, last at ",
        "  Mode: repair; RotateSecret was called once",
        "  Labels now: AWSCURRENT on ",
        "  Labels when last looked at: AWSCURRENT on v2, AWSPREVIOUS on v1",
        "  Probe: AWSCURRENT broken, AWSPENDING works, AWSPREVIOUS absent. It took 3 seconds.",
        "  Moved: rolled forward from v1 to v2, done",
        "  Restart: ecs:shop/web, settled",
        "  Restart: lambda:billing, refused: It is not among the restartTargets.",
        "  A probe proved it. Evidence: AWSCURRENT broken, AWSPENDING works, AWSPREVIOUS absent. It took 3 seconds. ",
        "  (from v1, to v2)",
        "It needs no one.",
    ):
        assert f"\n{line}" in said, line
    for what in (
        "notify opened +told",
        "retry 1 +asked",
        "notify retried 1 +told",
        "restart ecs:shop/web +settled",
        "close +rolled forward",
    ):
        assert re.search(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d {what}$", said, re.MULTILINE), what


@pytest.mark.parametrize("columns", ["40", "300"])
def test_links_are_whole_so_that_they_can_be_followed(healed, ask, told, columns):
    console = "https://eu-west-1.console.aws.amazon.com"
    execution = f"{console}/states/home?region=eu-west-1#/v2/executions/details/{EXECUTION}"
    secret = f"{console}/secretsmanager/secret?name=orders%2Fdb&region=eu-west-1"

    links = told("show", "orders/db")["links"]
    # A package that was installed from an older pyproject.toml names no repository.
    assert links.pop("runbook", f"{resolve_runbook()}#rolled-forward") == f"{resolve_runbook()}#rolled-forward"
    assert links == {"secret": secret, "execution": execution}
    lines = ask("incidents", "show", "orders/db", COLUMNS=columns).stdout.splitlines()
    assert f"  Execution: {execution}" in lines
    assert f"  Secret in the console: {secret}" in lines
    assert f"  Secret: {healed['secret_arn']}" in lines


def test_a_version_is_not_cut_in_two(remediated, ask):
    versions = [f"{letter}bcdabcd-bcde-cdef-defa-abcdefabcdef" for letter in "abcdef"]
    remediated.incident("a", versions={version: [f"LABEL-{version[0]}"] for version in versions})

    said = ask("incidents", "show", "a").stdout

    assert all(version in said for version in versions)


def test_another_execution_that_ended_it_is_linked_too(remediated, told):
    remediated.ended("a", "recovered by AWS", ended_by=EXECUTION.replace("e-1", "e-2"))
    remediated.ended("b", "recovered by AWS", ended_by=EXECUTION)

    assert told("show", "a")["links"]["ended_by"].endswith(":remediation:e-2")
    assert "ended_by" not in told("show", "b")["links"]


def test_it_says_what_to_do_next_as_the_notice_did(remediated, healed, ask, told):
    remediated.ended(
        "a", "escalated", actions=[{"action": "decide", "at": remediated.ago(hours=1), "rule": "orphaned"}]
    )
    remediated.incident("b")
    remediated.ended("c", "rolled forward", state="restarting", closed_at=None)
    remediated.ended("d", "escalated")
    remediated.standing("d", succeeded_at=remediated.ago(hours=0.1))

    said = {name: told("show", name)["next"] for name in ("a", "b", "c", "d", "orders/db")}

    assert "rotation-guard incidents release a" in said["a"]
    assert "AWS retries by itself" in said["b"]
    # A dependent was not restarted, so that something is left to do.
    assert "Nothing is lost." in said["orders/db"]
    assert "No action required" not in said["orders/db"]
    assert (said["c"], said["d"]) == (None, None)
    assert "\nNext: Nothing is lost." in ask("incidents", "show", "orders/db").stdout
    assert (
        "It needs no one. Next: Nothing is lost."
        in ask("incidents", "show", "orders/db", "--format", "markdown").stdout
    )


def test_csv_and_markdown_have_the_timeline(healed, ask):
    rows = list(csv.DictReader(io.StringIO(ask("incidents", "show", "orders/db", "--format", "csv").stdout)))

    assert [row["action"] for row in rows][2:6] == ["notify", "retry", "notify", "decide"]
    assert [row["details"] for row in rows][2:7] == [
        "turn opened, message_id m-1",
        "number 1",
        "turn retried, number 1",
        "rule roll forward",
        "from v1, to v2",
    ]
    text = ask("incidents", "show", "orders/db", "--format", "markdown").stdout
    assert "- Moved: rolled forward from v1 to v2, done" in text
    assert "| when, utc | what | outcome | reason |" in text
    assert f"details/{EXECUTION}>" in text


def test_it_is_the_newest_unless_another_is_named(remediated, told, ask):
    first = remediated.ended("a", "escalated", 50)
    second = remediated.ended("a", "held", 20)
    third = remediated.incident("a", 1)

    assert told("show", "a")["incident"]["opened_at"] == third["opened_at"]
    for written in (second["opened_at"], second["opened_at"][:19].replace("T", " ")):
        older = told("show", "a", "--opened-at", written)["incident"]
        assert (older["opened_at"], older["attention"]) == (second["opened_at"], False)
    assert told("show", "a", "--opened-at", first["opened_at"])["incident"]["outcome"] == "escalated"

    result = ask("incidents", "show", "a", "--opened-at", "2020-01-01T00:00:00Z")
    assert result.exit_code == 2
    known = ", ".join(one["opened_at"] for one in (third, second, first))
    assert f"--opened-at must be one of the incidents of a, {known}, got 2020-01-01T00:00:00Z." in result.stderr


def test_a_secret_is_named_by_its_arn_too(healed, told):
    assert told("show", healed["secret_arn"])["incident"]["secret_name"] == "orders/db"


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_a_secret_that_cannot_be_looked_at_is_found_by_its_incidents(remediated, told, code):
    remediated.incident("gone/db", versions={"v1": ["AWSCURRENT"]})
    remediated.answers["DescribeSecret"] = lambda asked: refused(code)

    answer = told("show", "gone/db")

    assert answer["incident"]["secret_arn"] == f"{ARN}:gone/db-AbCdEf"
    assert answer["labels"] is None
    assert answer["incident"]["versions"] == {"v1": ["AWSCURRENT"]}


def test_a_name_that_several_secrets_have_had_is_not_guessed_at(remediated, ask, told):
    remediated.incident("twice")
    other = remediated.incident("twice", 2, secret_arn=f"{ARN}:twice-ZyXwVu")

    result = ask("incidents", "show", "twice")

    assert result.exit_code == 2
    assert f"give the ARN of one: {ARN}:twice-AbCdEf, {ARN}:twice-ZyXwVu." in result.stderr
    assert told("show", other["secret_arn"])["incident"]["opened_at"] == other["opened_at"]


def test_trouble_on_the_way_to_a_secret_is_no_absence(remediated, ask):
    remediated.incident("a")
    remediated.answers["DescribeSecret"] = lambda asked: refused("ExpiredTokenException")

    result = ask("incidents", "show", "a")

    assert result.exit_code == 3
    assert "DescribeSecret was refused: ExpiredTokenException" in result.stderr


def test_a_secret_without_an_incident_is_told(remediated, ask):
    remediated.secret("fine")

    result = ask("incidents", "show", "fine")

    assert result.exit_code == 2
    assert result.stderr.startswith("fine has no incident on record (arn:aws:secretsmanager:")


def test_the_rotation_function_is_named_since_its_log_is_where_the_cause_is(remediated, ask, told):
    arn = remediated.incident("a")["secret_arn"]
    function = "arn:aws:lambda:eu-west-1:123456789012:function:rotate"
    described = {"ARN": arn, "Name": "a", "RotationLambdaARN": function, "VersionIdsToStages": {"v1": ["AWSCURRENT"]}}
    remediated.answers["DescribeSecret"] = lambda asked: described

    assert told("show", "a")["rotation_function"] == function
    assert f"  Rotation function: {function}\n" in ask("incidents", "show", "a").stdout


def test_what_is_orphaned_says_so(remediated, ask, told):
    remediated.ended("a", "escalated")
    since = remediated.ago(hours=3)
    remediated.standing("a", orphaned_at=since)

    assert told("show", "a")["orphaned_at"] == since
    assert "  Orphaned: since " in ask("incidents", "show", "a").stdout
    assert ask("incidents", "show", "a", "--exit-code").exit_code == 1


def test_no_value_is_read(healed, remediated, ask):
    ask("incidents", "show", "orders/db")

    assert remediated.asked("DescribeSecret")
    assert not remediated.asked("GetSecretValue")
