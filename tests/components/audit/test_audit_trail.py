"""The audit trail: the queue that buffers events, the function that records them, and the table."""

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


def test_the_visibility_timeout_is_at_least_six_times_that_of_the_function(trail):
    queue, function = trail.named(QUEUE, "trail-events"), trail.named(FUNCTION, "trail-writer")
    mapping = trail.named(MAPPING, "trail-events")

    window = mapping.inputs.get("maximumBatchingWindowInSeconds", 0)
    assert queue.inputs["visibilityTimeoutSeconds"] >= 6 * function.inputs["timeout"] + window


def test_a_message_that_fails_twenty_times_goes_to_the_dead_letter_queue(trail):
    redrive = json.loads(trail.named(QUEUE, "trail-events").inputs["redrivePolicy"])

    assert redrive == {"deadLetterTargetArn": trail.named(QUEUE, "trail-dead-letters").arn, "maxReceiveCount": 20}


def test_a_message_survives_an_hour_in_which_the_function_cannot_run(trail):
    queue = trail.named(QUEUE, "trail-events").inputs

    receives = json.loads(queue["redrivePolicy"])["maxReceiveCount"]
    assert 3600 <= receives * queue["visibilityTimeoutSeconds"] < queue["messageRetentionSeconds"]


def test_retry_delays_fit_the_limit_of_sqs_and_the_retention_of_messages(deploy):
    queue = deploy(AuditTrail, "trail", {"queue_retention_days": 1}).named(QUEUE, "trail-events").inputs
    receives = range(1, json.loads(queue["redrivePolicy"])["maxReceiveCount"] + 1)

    delays = [choose_retry_delay(receive) or queue["visibilityTimeoutSeconds"] for receive in receives]

    assert delays == sorted(delays)
    assert delays[-1] <= 12 * 3600  # SQS's limit for the visibility timeout of a message
    assert sum(delays) < queue["messageRetentionSeconds"]


@pytest.mark.parametrize(
    ("args", "source_days", "dead_days"),
    [
        ({}, 7, 14),
        ({"queue_retention_days": 1, "dead_letter_retention_days": 1}, 1, 1),
        ({"queue_retention_days": 14}, 14, 14),
    ],
)
def test_dead_letters_are_kept_at_least_as_long_as_their_source(deploy, args, source_days, dead_days):
    recording = deploy(AuditTrail, "trail", args)

    assert recording.named(QUEUE, "trail-events").inputs["messageRetentionSeconds"] == source_days * DAY
    assert recording.named(QUEUE, "trail-dead-letters").inputs["messageRetentionSeconds"] == dead_days * DAY
    assert dead_days >= source_days


def test_a_bad_message_fails_alone_and_no_message_is_filtered_out(trail):
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


def test_the_table_is_keyed_by_secret_and_event(trail):
    table = trail.named(TABLE, "trail-record").inputs

    assert (table["hashKey"], table["rangeKey"]) == ("secret_arn", "recorded")
    assert table["attributes"] == [{"name": "secret_arn", "type": "S"}, {"name": "recorded", "type": "S"}]


@pytest.mark.parametrize(("args", "days"), [({}, "400"), ({"history_days": 0}, "0"), ({"history_days": 30}, "30")])
def test_the_writer_gets_its_table_its_queue_and_the_days_of_history(deploy, args, days):
    recording = deploy(AuditTrail, "trail", args)

    variables = recording.named(FUNCTION, "trail-writer").inputs["environment"]["variables"]
    assert variables["AUDIT_TRAIL_TABLE_NAME"] == recording.named(TABLE, "trail-record").outputs["name"]
    assert variables["AUDIT_QUEUE_URL"] == recording.named(QUEUE, "trail-events").outputs["url"]
    assert variables["HISTORY_DAYS"] == days
    assert variables["STATUS_TABLE_NAME"] == ""


def test_with_a_status_table_the_writer_may_update_it_and_read_labels_but_no_values(deploy, make_status):
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


def test_without_a_status_table_the_writer_may_only_write_the_trail_and_consume_its_queue(trail):
    log, *rest = trail.named(ROLE_POLICY, "trail-writer").policy()

    assert log["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert rest == [
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": trail.named(TABLE, "trail-record").arn},
        {
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": trail.named(TABLE, "trail-record").arn,
            # The heads of chains, and no event.
            "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "chain#*"}},
        },
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


def test_the_outputs_identify_the_queues_and_the_table(trail):
    queue, dead_letters = trail.named(QUEUE, "trail-events"), trail.named(QUEUE, "trail-dead-letters")
    table = trail.named(TABLE, "trail-record")

    assert trail.outputs == {
        "queue_arn": queue.arn,
        "queue_url": queue.outputs["url"],
        "queue_name": queue.outputs["name"],
        "dead_letters_url": dead_letters.outputs["url"],
        "dead_letters_name": dead_letters.outputs["name"],
        "table_name": table.outputs["name"],
        "table_arn": table.arn,
    }
