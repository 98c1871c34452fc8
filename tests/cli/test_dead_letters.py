"""What is in the dead-letter queues: listing, showing and explaining messages, which stay where they are."""

import csv
import io
import json
import re

import pytest

from rotation_guard.cli import provenance
from rotation_guard.cli.dead_letters.listing import CAUSE_COLUMNS, MESSAGE_COLUMNS

from .conftest import aws_error
from .dead_letter_stack import QUEUES, recorded_message

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd"


@pytest.fixture
def read(dead_letters, run_on_stack):
    """Runs a command that reads dead letters; returns its JSON."""

    def read(*words, exit_code=0):
        result = run_on_stack("dead-letters", *words, "--format", "json")
        assert result.exit_code == exit_code, result.stderr
        return json.loads(result.stdout)

    return read


def test_every_queue_is_listed_with_its_counts_and_causes(dead_letters, read):
    for _ in range(2):
        dead_letters.put("undelivered-events", "rule-no-permissions")
    dead_letters.put("undelivered-events", "rule-throttled")
    dead_letters.put("unrecorded-events", "received-too-often")

    answer = read()

    assert [queue["queue"] for queue in answer["queues"]] == list(QUEUES)
    undelivered, unrecorded, *empty = answer["queues"]
    assert [(group["cause"], group["count"]) for group in undelivered["causes"]] == [
        ("NO_PERMISSIONS", 2),
        ("THROTTLING", 1),
    ]
    assert undelivered["visible"] == undelivered["read"] == 3
    assert undelivered["oldest_at"] < undelivered["expires_at"]
    assert [group["cause"] for group in unrecorded["causes"]] == ["maxReceiveCount"]
    assert [queue["causes"] for queue in empty] == [[], [], []]
    assert answer["summary"] == {"total": 4, "shown": 4}


def test_reading_leaves_every_message_where_it_is(dead_letters, read, run_on_stack):
    message_id = dead_letters.put("failed-audits", "schedule")
    for words in ([], ["explain"], ["show", message_id], ["redrive"], ["discard", "--queue", "failed-audits"]):
        read(*words)

        assert dead_letters.visible("failed-audits") == 1
        assert dead_letters.calls_of("DeleteMessage") == dead_letters.calls_of("SendMessage") == []


@pytest.mark.parametrize("words", [["list"], ["redrive", "--yes"]])
@pytest.mark.parametrize("interrupted", ["first receive", "second receive"])
def test_an_interrupted_command_makes_messages_visible_at_once(dead_letters, run_on_stack, words, interrupted):
    for _ in range(12):
        dead_letters.put("undelivered-events", "rule-no-permissions", TARGET_ARN="")

    receives = []

    def interrupt(_):
        receives.append(1)
        if len(receives) > (interrupted == "second receive"):
            raise KeyboardInterrupt

    dead_letters.answers["ReceiveMessage"] = interrupt
    try:
        code = run_on_stack("dead-letters", *words).exit_code
    except KeyboardInterrupt:
        code = 130  # What `main` makes of it.

    assert code == 130
    assert dead_letters.visible("undelivered-events") == 12


def test_a_queue_that_cannot_be_read_does_not_hide_the_others(dead_letters, read, run_on_stack):
    dead_letters.put("failed-audits", "schedule")
    url = dead_letters.urls["undelivered-events"]
    dead_letters.sqs.delete_queue(QueueUrl=url)

    answer = read(exit_code=3)

    assert answer["queues"][0]["error"].startswith("Queue undelivered-events (guard-undelivered-events-dead-letters): ")
    assert answer["queues"][3]["read"] == 1
    [warning] = answer["warnings"]
    assert "GetQueueAttributes was refused: AWS.SimpleQueueService.NonExistentQueue" in warning
    table = run_on_stack("dead-letters")
    assert (table.exit_code, table.stdout.count("unreadable")) == (3, 1)
    assert "failed-audits" in table.stdout


def test_messages_that_may_not_be_received_are_counted(dead_letters, read):
    dead_letters.put("failed-audits", "schedule")
    dead_letters.answers["ReceiveMessage"] = lambda _: aws_error("KMS.AccessDeniedException")

    answer = read(exit_code=3)

    assert (answer["queues"][3]["visible"], answer["queues"][3]["read"]) == (1, 0)
    assert "ReceiveMessage was refused: KMS.AccessDeniedException" in answer["queues"][3]["error"]


def test_messages_that_somebody_else_has_received_are_counted(dead_letters, read, run_on_stack):
    dead_letters.put("failed-audits", "schedule")
    dead_letters.receive("failed-audits")

    assert read()["queues"][3]["in_flight"] == 1
    table = run_on_stack("dead-letters").stdout
    assert re.search(r"failed-audits, in flight +1\n", table)
    assert "hidden for now" in table


def test_a_large_queue_is_read_up_to_a_limit_and_says_so(dead_letters, read):
    for _ in range(25):
        dead_letters.put("undelivered-events", "rule-no-permissions")

    answer = read("list", "--limit", "20")

    assert len(answer["messages"]) == 20
    [warning] = answer["warnings"]
    assert "undelivered-events has about 25 messages, of which 20 were read" in warning
    assert dead_letters.visible("undelivered-events") == 25


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--queue", "undelivered-events"], {"no", "throttled"}),
        (["--queue", "failed_audits_dead_letters_url"], {"audit"}),
        (["--queue", "guard-failed-audits-dead-letters"], {"audit"}),
        (["--cause", "no_permissions"], {"no"}),
        (["--cause", "THROTTLING", "--cause", "NO_PERMISSIONS"], {"no", "throttled"}),
        (["--secret", "orders/db"], {"no", "throttled"}),
        (["--secret", SECRET], {"no", "throttled"}),
        (["--secret", "orders"], set()),
        (["--older-than", "1h"], set()),
        (["--queue", "failed-audits", "--cause", "THROTTLING"], set()),
    ],
)
def test_filters_select_messages(dead_letters, read, options, expected):
    ids = {
        dead_letters.put("undelivered-events", "rule-no-permissions"): "no",
        dead_letters.put("undelivered-events", "rule-throttled"): "throttled",
        dead_letters.put("failed-audits", "schedule"): "audit",
    }

    assert {ids[message["message_id"]] for message in read("list", *options)["messages"]} == expected


def test_messages_are_selected_by_id(dead_letters, read):
    message_id = dead_letters.put("failed-audits", "schedule")
    dead_letters.put("failed-audits", "schedule")

    [message] = read("list", "--id", message_id.upper())["messages"]

    assert message["message_id"] == message_id


def test_a_message_is_shown_whole(dead_letters, read, run_on_stack):
    message_id = dead_letters.put("undelivered-events", "rule-throttled")

    message = read("show", message_id)["message"]

    assert message["body"] == recorded_message("rule-throttled")["Body"]
    assert message["attributes"]["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"
    assert (message["secret_arn"], message["event"]) == (SECRET, "RotationFailed")
    assert message["redrive"] == "function start"
    assert message["missing"].startswith("Remediation has not heard of the event RotationFailed")
    text = run_on_stack("dead-letters", "show", message_id, COLUMNS="200").stdout
    for expected in (
        "THROTTLING",
        "Error message: Rate exceeded",
        "Retries: 24, MaximumEventAgeInSeconds",
        f"About: RotationFailed at 2026-03-01T00:50:20Z, {SECRET}",
        "For: arn:aws:lambda:eu-west-1:123456789012:function:start",
        "From: arn:aws:events:eu-west-1:123456789012:rule/",
    ):
        assert expected in text


def test_an_id_that_no_message_has_is_refused(dead_letters, run_on_stack):
    dead_letters.put("failed-audits", "schedule")

    result = run_on_stack("dead-letters", "show", "nothing")

    assert result.exit_code == 2
    assert "got 'nothing', which is not among the 1 that were read" in result.stderr


def test_causes_are_explained_with_a_remedy_and_a_source(dead_letters, read, run_on_stack):
    dead_letters.put("undelivered-events", "rule-no-permissions")
    dead_letters.put("failed-audits", "function-unhandled")
    dead_letters.put("unstarted-remediations", "function-unhandled")
    dead_letters.put("undelivered-events", "rule-throttled", ERROR_CODE="QUANTUM_FLUX")

    causes = {cause["cause"]: cause for cause in read("explain")["causes"]}

    assert list(causes) == ["Unhandled", "NO_PERMISSIONS", "QUANTUM_FLUX"]
    assert causes["Unhandled"]["queues"] == ["unstarted-remediations", "failed-audits"]
    assert causes["NO_PERMISSIONS"]["source"].endswith("/eb-rule-dlq.html")
    assert causes["QUANTUM_FLUX"]["source"] is None
    text = run_on_stack("dead-letters", "explain", COLUMNS="200").stdout
    assert "Error message: User: events.amazonaws.com is not authorized to perform: SNS:Publish" in text
    assert text.endswith("4 dead letters have 3 causes.\n")


@pytest.mark.parametrize("words", [["list"], ["explain"], ["redrive"]])
def test_the_exit_code_shows_on_request_whether_there_are_dead_letters(dead_letters, run_on_stack, words):
    assert run_on_stack("dead-letters", *words, "--exit-code").exit_code == 0

    dead_letters.put("undelivered-events", "rule-throttled")

    assert run_on_stack("dead-letters", *words, "--exit-code").exit_code == 1
    assert run_on_stack("dead-letters", *words).exit_code == 0


def test_empty_queues_are_listed(dead_letters, run_on_stack):
    result = run_on_stack("dead-letters")

    assert result.exit_code == 0
    assert "No dead letters in 5 queues." in result.stdout
    assert dead_letters.calls_of("ReceiveMessage") == []


def test_csv_has_a_row_for_each_message_and_each_cause(dead_letters, run_on_stack):
    dead_letters.put("undelivered-events", "rule-throttled", ERROR_MESSAGE="=cmd()")

    [row] = csv.DictReader(io.StringIO(run_on_stack("dead-letters", "--format", "csv").stdout))
    [cause] = csv.DictReader(io.StringIO(run_on_stack("dead-letters", "explain", "--format", "csv").stdout))

    assert (list(row), row["error_message"]) == ([*MESSAGE_COLUMNS, *provenance.COLUMNS], "'=cmd()")
    assert (list(cause), cause["queues"]) == ([*CAUSE_COLUMNS, *provenance.COLUMNS], "undelivered-events")


@pytest.mark.parametrize("chosen", ["table", "json", "csv", "markdown"])
@pytest.mark.parametrize("words", [["list"], ["explain"], ["redrive"], ["show"]])
def test_control_characters_of_messages_are_escaped(dead_letters, run_on_stack, words, chosen):
    message_id = dead_letters.put(
        "undelivered-events",
        "rule-throttled",
        '{"detail": "\x85\u202e"}',
        ERROR_CODE="X\u202eY",
        ERROR_MESSAGE="\u2066No.\u2028\x9b31m",
        TARGET_ARN="arn:aws:sqs:eu-west-1:123456789012:\u202eq",
    )
    words = [*words, message_id] if words == ["show"] else words

    text = run_on_stack("dead-letters", *words, "--format", chosen).stdout

    assert not {*"\u202e\u2066\u2028\x85\x9b"} & {*text}


def test_outputs_without_dead_letters_are_answered_with_the_fix(stack, run_on_stack):
    result = run_on_stack("dead-letters")

    assert result.exit_code == 3
    assert "must name dead-letter queues, such as undelivered_events_dead_letters_url, got " in result.stderr
    assert "deploy this release by `pulumi up`, and write the stack's outputs again." in result.stderr


def test_an_older_stack_is_shown_as_far_as_its_outputs_go(dead_letters, read):
    outputs = json.loads(dead_letters.outputs.read_text())
    for name in QUEUES:
        del outputs[f"{name.replace('-', '_')}_dead_letters_url"]
    outputs["audit_dead_letters_url"] = dead_letters.urls["unrecorded-events"]
    outputs["state_machine_arn"] = "arn:aws:states:eu-west-1:123456789012:stateMachine:remediation"
    dead_letters.outputs.write_text(json.dumps(outputs))

    answer = read()

    assert [queue["queue"] for queue in answer["queues"]] == ["unrecorded-events"]
    [warning] = answer["warnings"]
    assert "do not have undelivered_events_dead_letters_url, unstarted_remediations_dead_letters_url, " in warning
    assert "undelivered_notices" not in warning


def test_the_queue_of_a_component_that_is_placed_alone_is_found(dead_letters, read):
    dead_letters.outputs.write_text(json.dumps({"dead_letters_url": dead_letters.urls["undelivered-events"]}))
    dead_letters.put("undelivered-events", "rule-throttled")

    [queue] = read()["queues"]

    assert (queue["queue"], queue["causes"][0]["cause"]) == ("dead-letters", "THROTTLING")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--queue", "events"], "--queue must be one of undelivered-events, unrecorded-events, "),
        (["--limit", "0"], "--limit must be between 1 and 100000, got 0."),
        (["--limit", "100001"], "--limit must be between 1 and 100000, got 100001."),
        (["--older-than", "soon"], "--older-than must be a time span such as 30d"),
        (["--cause", " "], "--cause must not be empty."),
    ],
)
def test_invalid_options_are_refused_in_one_sentence(dead_letters, run_on_stack, options, message):
    result = run_on_stack("dead-letters", "list", *options)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr


def test_a_message_that_stays_hidden_is_reported(dead_letters, read):
    dead_letters.put("failed-audits", "schedule")
    dead_letters.answers["ChangeMessageVisibilityBatch"] = lambda _: aws_error("AccessDenied")

    [warning] = read()["warnings"]

    assert warning == (
        "1 messages of failed-audits could not be made visible again: they are hidden for up to 120 seconds."
    )
