"""A change of settings is deployed as previewed, and a further preview has no changes."""

import pytest

from tests.engine.configurations import ON_CALL
from tests.engine.harness import describe

KEY = "arn:aws:kms:eu-west-1:111122223333:key/11111111-1111-1111-1111-111111111111"
ALARMS = ("MetricAlarm", "CompositeAlarm")


@pytest.fixture(scope="module")
def stack(new_stack, on_call):
    stack = new_stack("prod")
    assert not stack.up().failed
    yield stack
    assert not stack.destroy().failed


CHANGES = {
    "a key, which adds a topic for alarms": {"kmsKeyArn": KEY, "maxOverdue": 3},
    "extra rules, each with alarms": {
        "extraRules": [
            {"name": name, "eventPattern": {"source": [f"shop.{name}"]}, "to": "audit"} for name in ("orders", "stock")
        ]
    },
    "no key, no limit, fewer rules": {"kmsKeyArn": None, "maxOverdue": None, "extraRules": None},
    "other subscribers, an alias among them": {
        "subscriptions": [{"topic": "critical", "protocol": "lambda", "endpoint": ON_CALL}]
    },
    "nobody to notify, and audits once a week": {
        "subscriptions": [],
        "scheduleExpression": "cron(0 8 ? * mon *)",
        "tags": {"team": "security"},
    },
}
"""In this order, on one stack."""


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_deployed_as_previewed(change, stack):
    stack.configure(change)

    preview, up, again = stack.preview(), stack.up(), stack.preview()

    assert (up.failed, up.messages) == (False, [])
    assert describe(preview.changes()) == describe(up.changes())
    # A replaced alarm would be silent for its first periods.
    replaced = [step for step in up.changes("replace", "create-replacement") if step.type.endswith(ALARMS)]
    assert replaced == []
    assert again.changes() == []


def test_settings_that_cannot_be_deployed_change_nothing(stack):
    elsewhere = {"topic": "critical", "protocol": "sqs", "endpoint": "arn:aws:sqs:us-east-1:111122223333:inbox"}
    stack.configure({"tags": {"Owner": "shop", "owner": "shop"}, "subscriptions": [elsewhere]})
    before = len(stack.calls())

    refused = stack.up()
    stack.configure({"tags": {"team": "security"}, "subscriptions": []})

    assert refused.failed
    messages = "\n".join(refused.messages)
    assert "tags.owner must differ from Owner in more than case" in messages
    assert "subscriptions[0].endpoint must be in the stack's Region, eu-west-1" in messages
    assert "Traceback" not in messages
    assert len(stack.calls()) == before
