"""Incidents in Slack, Teams, PagerDuty and a webhook, over the rules, connections and destinations of the stack."""

import json
import uuid

import pytest

from local.waiting import eventually
from rotation_guard.domain.remediation.receiver_message import build_message
from rotation_guard.domain.remediation.transition_events import DETAIL_TYPES
from tests.handlers.remediation.transitions import incident, notification, resolved
from tests.receivers.server import Answer

PROTOCOLS = ("slack", "teams", "pagerduty", "webhook")


def wait_for(receivers, protocol, text, count=1):
    """The requests to a receiver with this text, once there are as many."""

    def find():
        found = [request for request in receivers.requests(protocol) if text in request.body]
        return found if len(found) >= count else None

    return eventually(find, f"{count} requests of {protocol} about {text}")


@pytest.fixture
def publish(repair_world):
    """Puts the event of a transition on the bus, as the workflow does; returns the secret's name."""

    def publish(transition, row=None, table=None, **changes):
        name = f"integrations/{uuid.uuid4()}"
        arn = f"arn:aws:secretsmanager:eu-west-1:{repair_world.stack.account_id}:secret:{name}-Ab12Cd"
        told = notification(transition, (row or incident)(secret_arn=arn, secret_name=name, **changes))
        detail = {
            **told.payload,
            "message": build_message(told),
            "incidents_table": table or repair_world.stack.outputs["incidents_table_name"],
        }
        entry = {"Source": "rotation-guard", "DetailType": DETAIL_TYPES[transition], "Detail": json.dumps(detail)}
        assert repair_world.stack.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
        return name

    return publish


def test_an_incident_of_the_workflow_reaches_every_receiver_in_its_own_format(repair_world, receivers):
    estate = repair_world.estate
    tags = {"rotation-guard:owner": "payments", "rotation-guard:fallback": "no"}
    arn = repair_world.complete_rotation(estate.secret(tags))
    estate.accept_label(arn, "AWSPREVIOUS")
    repair_world.fail_rotation(arn, "createSecret")
    repair_world.listener.wait_for_incidents([arn])
    name = arn.split(":secret:")[1].rpartition("-")[0]

    for protocol in PROTOCOLS:
        requests = wait_for(receivers, protocol, name)
        assert [request.complaints for request in requests] == [[]] * len(requests)
    [page] = wait_for(receivers, "pagerduty", name)
    assert page.json["event_action"] == "trigger"
    assert page.json["routing_key"] == "0123456789abcdef0123456789abcdef"
    assert page.json["payload"]["group"] == "payments"
    assert page.path == "/pagerduty/v2/enqueue"
    [chat] = wait_for(receivers, "slack", name)
    assert "escalated" in chat.json["text"]
    assert {request.json["turn"] for request in wait_for(receivers, "webhook", name, 2)} >= {"opened", "escalated"}
    assert wait_for(receivers, "webhook", name)[0].headers["Authorization"] == "Bearer sEcReT"
    assert wait_for(receivers, "teams", name)[0].query == {"sp": "/a/run", "sig": "b_-c"}


def test_a_new_value_resolves_what_was_paged(publish, receivers):
    escalated = publish("escalated", opened_at="2026-03-01T00:51:00.000Z")
    [trigger] = wait_for(receivers, "pagerduty", escalated)
    name = publish("resolved", resolved)

    [resolve] = wait_for(receivers, "pagerduty", name)

    assert (trigger.json["event_action"], resolve.json["event_action"]) == ("trigger", "resolve")
    assert len(trigger.json["dedup_key"]) == len(resolve.json["dedup_key"]) == 64


def test_an_incident_that_recovers_by_itself_pages_nobody_and_leaves_nothing_open(publish, receivers):
    publish("opened")
    name = publish("recovered", resolved)

    [resolve] = wait_for(receivers, "pagerduty", name)

    assert resolve.json["event_action"] == "resolve"
    assert name not in "".join(request.body for request in receivers.requests("slack"))
    actions = [request.json for request in receivers.requests("pagerduty")]
    assert not [body for body in actions if body["payload"]["class"] == "opened"]


def test_incidents_of_other_owners_and_other_stacks_are_not_sent(publish, receivers):
    other_owner = publish("escalated", owner="orders")
    other_stack = publish("escalated", owner="payments", table="another-stack")
    own = publish("escalated", owner="payments")

    wait_for(receivers, "teams", own)
    wait_for(receivers, "webhook", other_owner)
    assert other_owner not in "".join(request.body for request in receivers.requests("teams"))
    for protocol in PROTOCOLS:
        assert other_stack not in "".join(request.body for request in receivers.requests(protocol))


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_is_busy_gets_the_incident_later(publish, receivers, status):
    receivers.answer("slack", Answer(status, {"Retry-After": "0"}))

    name = publish("escalated")

    assert [request.status for request in wait_for(receivers, "slack", name, 2)] == [status, 200]


def test_what_a_receiver_refuses_is_a_dead_letter_without_its_address(repair_world, publish, receivers):
    receivers.answer("slack", Answer(404))

    name = publish("escalated")

    queue = {"QueueUrl": repair_world.stack.outputs["undelivered_incidents_dead_letters_url"]}
    sqs = repair_world.stack.client("sqs")

    def receive():
        return sqs.receive_message(**queue, MessageAttributeNames=["All"]).get("Messages")

    [letter] = eventually(receive, "a dead letter")
    sqs.delete_message(**queue, ReceiptHandle=letter["ReceiptHandle"])
    assert name in letter["Body"]
    assert "404" in letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert "hooks.slack.com" not in json.dumps(letter)
    assert [request.status for request in wait_for(receivers, "slack", name)] == [404]
