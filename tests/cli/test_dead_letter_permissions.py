"""The permissions in docs/dead-letters.md suffice for each command, and each is needed."""

import json
import re

import pytest

from tests.paths import ROOT
from tests.used_permissions import iam_actions

from .dead_letter_stack import AUDIT_QUEUE

PAGE = (ROOT / "docs" / "dead-letters.md").read_text(encoding="utf-8")
BATCH = "Batch"
"""A batch needs the permission of its single operation
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html)."""
NOT_NEEDED = {"sts:GetCallerIdentity", "iam:ListAccountAliases"}
"""The first one needs no permission (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html);
without the second one the alias of the account is left out."""
SERVICES = {
    **dict.fromkeys(("ListSubscriptionsByTopic", "GetSubscriptionAttributes", "Publish"), "sns"),
    "Invoke": "lambda",
    "PutEvents": "events",
    "GetCallerIdentity": "sts",
    "ListAccountAliases": "iam",
}
YES = ("--yes", "--reason", "Repaired.")


def documented(row):
    """The permissions in the row of the table that begins like this."""
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| {row} |")]
    found = set(re.findall(r"`([a-z]+:[A-Za-z]+)`", line))
    # Keys are used by SQS and SNS on behalf of the caller.
    return {permission for permission in found if not permission.startswith("kms:")}


@pytest.fixture
def used(dead_letters):
    """The permissions that the calls so far ask for."""

    def used():
        actions = set()
        for operation, request in dead_letters.calls:
            asked = iam_actions(SERVICES.get(operation, "sqs"), operation.removesuffix(BATCH), request)
            actions |= asked
        return actions - NOT_NEEDED

    return used


def put_notification(dead_letters, protocol, endpoint):
    subscription = dead_letters.subscribe(dead_letters.create_topic("failures"), protocol, endpoint)
    link = f"https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription}"
    body = {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:failures", "UnsubscribeURL": link}
    dead_letters.put("undelivered-notices", "notification", json.dumps(body))


@pytest.mark.parametrize("words", [("list",), ("explain",), ("redrive",), ("discard", "--older-than", "0h")])
def test_reading_needs_what_is_documented(dead_letters, run_on_stack, used, words):
    dead_letters.put("undelivered-events", "rule-key-denied")

    assert run_on_stack("dead-letters", *words).exit_code == 0

    assert used() == documented("all commands")


def test_discarding_needs_what_is_documented(dead_letters, run_on_stack, used, tmp_path):
    dead_letters.put("undelivered-events", "rule-key-denied")
    dead_letters.put("undelivered-events", "rule-throttled")

    options = ("--cause", "THROTTLING", *YES, "--save", str(tmp_path / "saved"))
    assert run_on_stack("dead-letters", "discard", *options).exit_code == 0

    assert used() == documented("all commands") | documented("`discard --yes`, `redrive --yes`")


@pytest.mark.parametrize(
    ("row", "message", "calls"),
    [
        ("to a queue", "rule-key-denied", ()),
        ("to a topic", "rule-no-permissions", ("Publish",)),
        ("to a function", "rule-throttled", ("Invoke",)),
        ("to a hub's bus", "rule-other-account", ("PutEvents",)),
    ],
)
def test_each_destination_needs_what_is_documented(dead_letters, run_on_stack, used, row, message, calls):
    dead_letters.put("undelivered-events", message)
    dead_letters.put("failed-audits", "function-dead-letter-queue")  # This one stays.
    for operation in calls:
        dead_letters.answers[operation] = lambda _: {"MessageId": "m", "Entries": [{}], "StatusCode": 202}

    assert run_on_stack("dead-letters", "redrive", *YES).exit_code == 0

    writing = documented("all commands") | documented("`discard --yes`, `redrive --yes`")
    assert used() == writing | documented(row)


@pytest.mark.parametrize(("protocol", "row"), [("sqs", "to a queue"), ("lambda", "to a function")])
def test_a_subscriber_needs_what_is_documented(dead_letters, run_on_stack, used, protocol, row):
    function = "arn:aws:lambda:eu-west-1:123456789012:function:theirs"
    put_notification(dead_letters, protocol, dead_letters.arn(AUDIT_QUEUE) if protocol == "sqs" else function)
    dead_letters.put("failed-audits", "function-dead-letter-queue")
    dead_letters.answers["Invoke"] = lambda _: {"StatusCode": 202}

    assert run_on_stack("dead-letters", "redrive", *YES).exit_code == 0

    writing = documented("all commands") | documented("`discard --yes`, `redrive --yes`") | documented(row)
    assert used() == writing | documented("to a subscriber") - {"sns:ListSubscriptionsByTopic"}
