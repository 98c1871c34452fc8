"""What is recorded: the queue that events wait in, the function that writes them down, and the table."""

import json

import pytest

from components.audit.audit_trail import AuditTrail
from handlers.adapters.audit_queue import choose_retry_delay

QUEUE, TABLE = "aws:sqs/queue:Queue", "aws:dynamodb/table:Table"
FUNCTION, MAPPING = "aws:lambda/function:Function", "aws:lambda/eventSourceMapping:EventSourceMapping"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
DAY = 86_400


@pytest.fixture(scope="module")
def trail(deploy):
    return deploy(AuditTrail, "trail")


def test_the_queue_waits_six_times_as_long_as_the_function_may_run(trail):
    queue, function = trail.named(QUEUE, "trail-events"), trail.named(FUNCTION, "trail-writer")
    mapping = trail.named(MAPPING, "trail-events")

    window = mapping.inputs.get("maximumBatchingWindowInSeconds", 0)
    assert queue.inputs["visibilityTimeoutSeconds"] >= 6 * function.inputs["timeout"] + window


def test_a_message_that_fails_twenty_times_goes_to_the_dead_letters(trail):
    redrive = json.loads(trail.named(QUEUE, "trail-events").inputs["redrivePolicy"])

    assert redrive == {"deadLetterTargetArn": trail.named(QUEUE, "trail-dead-letters").arn, "maxReceiveCount": 20}


def test_a_message_outlasts_an_hour_in_which_the_function_cannot_run(trail):
    queue = trail.named(QUEUE, "trail-events").inputs

    receives = json.loads(queue["redrivePolicy"])["maxReceiveCount"]
    assert 3600 <= receives * queue["visibilityTimeoutSeconds"] < queue["messageRetentionSeconds"]


def test_no_pause_between_two_receives_is_longer_than_sqs_takes_or_a_message_is_kept(deploy):
    queue = deploy(AuditTrail, "trail", {"queue_retention_days": 1}).named(QUEUE, "trail-events").inputs
    receives = range(1, json.loads(queue["redrivePolicy"])["maxReceiveCount"] + 1)

    pauses = [choose_retry_delay(receive) or queue["visibilityTimeoutSeconds"] for receive in receives]

    assert pauses == sorted(pauses)
    assert pauses[-1] <= 12 * 3600  # of one receive, says SQS
    assert sum(pauses) < queue["messageRetentionSeconds"]


@pytest.mark.parametrize(
    ("given", "source_days", "dead_days"),
    [
        ({}, 7, 14),
        ({"queue_retention_days": 1, "dead_letter_retention_days": 1}, 1, 1),
        ({"queue_retention_days": 14}, 14, 14),
    ],
)
def test_dead_letters_are_kept_no_less_than_their_source(deploy, given, source_days, dead_days):
    recording = deploy(AuditTrail, "trail", given)

    assert recording.named(QUEUE, "trail-events").inputs["messageRetentionSeconds"] == source_days * DAY
    assert recording.named(QUEUE, "trail-dead-letters").inputs["messageRetentionSeconds"] == dead_days * DAY
    assert dead_days >= source_days


def test_one_bad_message_fails_alone_and_nothing_is_filtered_away(trail):
    mapping = trail.named(MAPPING, "trail-events").inputs

    assert mapping["eventSourceArn"] == trail.named(QUEUE, "trail-events").arn
    assert mapping["functionName"] == trail.named(FUNCTION, "trail-writer").arn
    assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["scalingConfig"]["maximumConcurrency"] >= 2
    assert "filterCriteria" not in mapping
    assert mapping.get("enabled", True) is True


def test_the_mapping_waits_until_the_role_may_read_the_queue(trail):
    function = trail.named(FUNCTION, "trail-writer")

    assert trail.named(ROLE_POLICY, "trail-writer").urn in function.depends_on
    assert function.urn in trail.named(MAPPING, "trail-events").depends_on


def test_the_record_is_keyed_by_secret_and_event(trail):
    table = trail.named(TABLE, "trail-record").inputs

    assert (table["hashKey"], table["rangeKey"]) == ("secret_arn", "recorded")
    assert table["attributes"] == [{"name": "secret_arn", "type": "S"}, {"name": "recorded", "type": "S"}]


@pytest.mark.parametrize(("given", "days"), [({}, "400"), ({"history_days": 0}, "0"), ({"history_days": 30}, "30")])
def test_the_writer_is_told_where_to_record_and_for_how_long(deploy, given, days):
    recording = deploy(AuditTrail, "trail", given)

    variables = recording.named(FUNCTION, "trail-writer").inputs["environment"]["variables"]
    assert variables["AUDIT_TRAIL_TABLE_NAME"] == recording.named(TABLE, "trail-record").outputs["name"]
    assert variables["AUDIT_QUEUE_URL"] == recording.named(QUEUE, "trail-events").outputs["url"]
    assert variables["HISTORY_DAYS"] == days
    assert variables["STATUS_TABLE_NAME"] == ""


def test_the_writer_notes_in_the_status_whose_value_moved_and_reads_labels_and_no_values(deploy, make_status):
    recording = deploy(AuditTrail, "trail", lambda: make_status("status"))

    status = recording.named(TABLE, "status")
    variables = recording.named(FUNCTION, "trail-writer").inputs["environment"]["variables"]
    assert variables["STATUS_TABLE_NAME"] == status.outputs["name"]
    statements = recording.named(ROLE_POLICY, "trail-writer").policy()
    assert {"Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": status.arn} in statements
    assert [statement for statement in statements if "secretsmanager" in json.dumps(statement["Action"])] == [
        {
            "Effect": "Allow",
            "Action": "secretsmanager:ListSecretVersionIds",
            "Resource": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*",
        }
    ]


def test_without_a_status_the_writer_adds_to_the_record_and_reads_its_queue_and_may_do_nothing_else(trail):
    log, *rest = trail.named(ROLE_POLICY, "trail-writer").policy()

    assert log["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert rest == [
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": trail.named(TABLE, "trail-record").arn},
        {
            "Effect": "Allow",
            "Action": "sqs:ChangeMessageVisibility",
            "Resource": trail.named(QUEUE, "trail-events").arn,
        },
        {
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            "Resource": trail.named(QUEUE, "trail-events").arn,
        },
    ]


def test_the_outputs_lead_to_the_queue_the_dead_letters_and_the_record(trail):
    queue, dead_letters = trail.named(QUEUE, "trail-events"), trail.named(QUEUE, "trail-dead-letters")
    table = trail.named(TABLE, "trail-record")

    assert trail.outputs == {
        "queue_arn": queue.arn,
        "queue_url": queue.outputs["url"],
        "dead_letters_url": dead_letters.outputs["url"],
        "table_name": table.outputs["name"],
        "table_arn": table.arn,
    }
