"""Events that did not reach the hub are delivered again, and none is lost on the way."""

import json
import uuid

import pytest

from handlers.adapters import dead_letters
from handlers.adapters.hub_bus import BYTES
from handlers.organization import redeliver
from rotation_guard.domain.organization.deliveries import parse_delivered_text, read_delivery
from tests.organization_events import MEMBER, transition_event

HUB = "arn:aws:events:eu-central-1:999900009999:event-bus/hub"
DENIED = "AccessDeniedException"


@pytest.fixture
def queue(aws, monkeypatch):
    """The member's dead-letter queue; a message that was received is visible again at once."""
    attributes = {"VisibilityTimeout": "0"}
    url = aws.client("sqs").create_queue(QueueName="hub-dead-letters", Attributes=attributes)["QueueUrl"]
    monkeypatch.setenv("DEAD_LETTERS_URL", url)
    monkeypatch.setenv("HUB_EVENT_BUS_ARN", HUB)
    monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)  # moto waits for them
    return url


@pytest.fixture
def put_dead_letters(aws, queue):
    """Adds messages to the dead-letter queue, as EventBridge does: the event is the body."""

    def put(*events):
        for event in events:
            body = event if isinstance(event, str) else json.dumps(event)
            aws.client("sqs").send_message(QueueUrl=queue, MessageBody=body)

    return put


@pytest.fixture
def bus(aws):
    """The hub's bus, which refuses what `refuse` says; returns the entries that it took."""

    class Bus:
        taken, calls = [], []
        refuse = staticmethod(lambda entry: None)

        def put(self, request):
            assert len(request["Entries"]) <= 10
            self.calls.append(request["Entries"])
            results = [self.refuse(entry) for entry in request["Entries"]]
            self.taken += [entry for entry, error in zip(request["Entries"], results, strict=True) if error is None]
            return {
                "FailedEntryCount": sum(error is not None for error in results),
                "Entries": [
                    {"EventId": str(uuid.uuid4())} if error is None else {"ErrorCode": error, "ErrorMessage": error}
                    for error in results
                ],
            }

    bus = Bus()
    bus.taken, bus.calls = [], []
    aws.answer("PutEvents", bus.put)
    return bus


@pytest.fixture
def left(aws, queue):
    """The number of messages in the dead-letter queue."""

    def count():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    return count


@pytest.fixture
def run_once(context):
    def run():
        context.remaining = 120_000
        return redeliver.handler({}, context)

    return run


def of_member(event, **changes):
    return {**event, "account": MEMBER, **changes}


def test_an_event_arrives_wrapped_under_a_source_that_anyone_may_use(recorded, put_dead_letters, bus, run_once, left):
    event = of_member(recorded("rotation-failed"))
    put_dead_letters(event)

    assert run_once() == {"redelivered": 1, "refused": 0}

    [entry] = bus.taken
    assert entry == {
        "EventBusName": HUB,
        "Source": "rotation-guard.redelivered",
        "DetailType": "AWS Service Event via CloudTrail",
        "Resources": [],
        "Detail": json.dumps(event),
    }
    assert left() == 0


def test_the_hub_reads_the_original_event_out_of_what_is_put_on_its_bus(recorded, put_dead_letters, bus, run_once):
    events = [of_member(recorded("secret-label-updated")), transition_event("escalated")]
    put_dead_letters(*events)

    run_once()

    # EventBridge itself writes the caller's account (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html).
    arrived = [
        {"source": entry["Source"], "account": MEMBER, "detail": json.loads(entry["Detail"])} for entry in bus.taken
    ]
    assert [read_delivery(event).event for event in arrived] == events
    assert parse_delivered_text(json.dumps(arrived[0])).identity == events[0]["id"]


def test_a_message_is_deleted_only_after_the_hub_took_its_event(recorded, put_dead_letters, aws, bus, run_once):
    put_dead_letters(of_member(recorded("rotation-failed")))

    run_once()

    order = [name for name, _ in aws._calls]
    assert order.index("PutEvents") < order.index("DeleteMessage")


def test_entries_that_the_hub_refuses_stay_and_the_others_do_not(recorded, put_dead_letters, bus, run_once, left):
    put_dead_letters(*(of_member(recorded("rotation-failed"), id=f"event-{number}") for number in range(5)))
    bus.refuse = lambda entry: "InternalFailure" if json.loads(entry["Detail"])["id"] == "event-3" else None

    answer = run_once()

    assert answer["redelivered"] == 4
    assert answer["refused"] >= 1
    assert left() == 1


@pytest.mark.parametrize("code", [DENIED, "ResourceNotFoundException"])
def test_while_the_hub_refuses_the_member_nothing_is_lost(aws, recorded, put_dead_letters, bus, run_once, left, code):
    put_dead_letters(*(of_member(recorded("rotation-failed"), id=f"event-{number}") for number in range(25)))
    aws.answer("PutEvents", lambda _: aws.Refusal(code))

    assert run_once()["redelivered"] == 0
    assert left() == 25
    # One attempt tells; the rest waits for the next run.
    assert len(aws.requests("PutEvents")) == 1

    aws.answer("PutEvents", bus.put)
    assert run_once() == {"redelivered": 25, "refused": 0}
    assert left() == 0
    assert len({json.loads(entry["Detail"])["id"] for entry in bus.taken}) == 25


def test_an_error_of_aws_fails_the_run_and_deletes_nothing(aws, recorded, put_dead_letters, run_once, left):
    put_dead_letters(of_member(recorded("rotation-failed")))
    aws.answer("PutEvents", lambda _: aws.Refusal("InternalException", 400))

    with pytest.raises(Exception, match="InternalException"):
        run_once()

    assert left() == 1


def test_large_events_are_sent_in_calls_of_their_own(recorded, put_dead_letters, bus, run_once):
    put_dead_letters(
        *(of_member(recorded("rotation-failed"), id=f"event-{number}", padding="x" * 120_000) for number in range(4)),
    )

    run_once()

    assert sum(map(len, bus.calls)) == 4
    for entries in bus.calls:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/calculate-putevents-entry-size.html
        assert sum(len(entry["Detail"]) for entry in entries) < 256 * 1024
    assert BYTES < 256 * 1024


def test_what_is_no_event_stays_and_keeps_no_other_waiting(recorded, put_dead_letters, bus, run_once, left, context):
    put_dead_letters("no event", "[]", *(of_member(recorded("rotation-failed"), id=f"e-{n}") for n in range(12)))

    calls = iter([120_000] * 4 + [0] * 10)
    context.get_remaining_time_in_millis = lambda: next(calls)
    redeliver.handler({}, context)

    assert left() == 2
    assert len(bus.taken) == 12


@pytest.mark.parametrize("is_whole_call", [True, False])
def test_events_that_the_hub_can_never_take_keep_no_other_waiting(
    aws, queue, recorded, put_dead_letters, bus, run_once, left, is_whole_call
):
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "60"})
    event = recorded("rotation-failed")
    put_dead_letters(*(of_member(event, id=f"large-{n}", padding="x" * 40_000) for n in range(10)))
    put_dead_letters(*(of_member(event, id=f"small-{n}") for n in range(3)))

    def put(request):
        if is_whole_call and any("large" in entry["Detail"] for entry in request["Entries"]):
            return aws.Refusal("ValidationException", 400)
        return bus.put(request)

    bus.refuse = lambda entry: "MalformedDetail" if "large" in entry["Detail"] else None
    aws.answer("PutEvents", put)

    assert run_once() == {"redelivered": 3, "refused": 10}
    assert left() == 10


def test_an_empty_queue_costs_no_call_of_the_hub(queue, bus, run_once):
    assert run_once() == {"redelivered": 0, "refused": 0}
    assert bus.calls == []


def test_no_batch_is_begun_that_lambda_might_interrupt(recorded, put_dead_letters, bus, context, left):
    put_dead_letters(of_member(recorded("rotation-failed")))
    context.remaining = redeliver.SPARE_MILLISECONDS

    assert redeliver.handler({}, context) == {"redelivered": 0, "refused": 0}
    assert left() == 1
