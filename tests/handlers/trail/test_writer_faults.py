"""Each event is either recorded or retried, whichever call fails and how: a table of calls and faults.

The tests compute the maximum duration of a call from botocore's configuration and the documentation of its retry mode
`standard` (https://docs.aws.amazon.com/boto3/latest/guide/retries.html). Each call advances Lambda's clock by its
duration; when the time is up, the function is killed.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from components.audit.audit_trail import VISIBILITY_SECONDS, WRITER_TIMEOUT_SECONDS
from components.queue import BATCH_SIZE, MAXIMUM_RECEIVES
from handlers.adapters import audit_queue, audit_tables, audit_trail, clients, secrets
from handlers.trail import writer

HOUR = 3600


@pytest.fixture(autouse=True)
def tables(aws, monkeypatch):
    aws.create_tables("audit-trail", "status")
    monkeypatch.setenv("AUDIT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/audit")


class Limits:
    """The configurations of the clients by service, and that of the client in use."""

    def __init__(self):
        self.made, self.current = {}, None


class Client:
    """A client that records its configuration when it is used."""

    def __init__(self, client, config, limits):
        self._client, self._config, self._limits = client, config, limits

    def __getattr__(self, name):
        self._limits.current = self._config
        return getattr(self._client, name)


@pytest.fixture
def limits(aws, monkeypatch):
    limits, make = Limits(), clients.boto3.client

    def client(service, config=None, **more):
        limits.made.setdefault(service, []).append(config)
        return Client(make(service, config=config, **more), config, limits)

    monkeypatch.setattr(clients.boto3, "client", client)
    return limits


def attempts(config):
    return config.retries["total_max_attempts"]


def pauses(config):
    """Backoff: up to 1, 2, 4 ... 20 s, or up to 5 s more if the service requests it."""
    return sum(min(2**number, 20) + 5 for number in range(attempts(config) - 1))


def maximum_duration(config):
    """Seconds until a call without a response times out."""
    return attempts(config) * (config.connect_timeout + config.read_timeout) + pauses(config)


OPERATIONS = ("GetItem", "TransactWriteItems", "UpdateItem", "ListSecretVersionIds", "ChangeMessageVisibility")


class World:
    """A batch of messages, and an invocation with a countdown."""

    def __init__(self, aws, context, limits, bodies):
        self.aws, self.context, self.limits, self.calls = aws, context, limits, 0
        self.records = {
            str(number): {
                "messageId": str(number),
                "receiptHandle": f"handle-{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "2"},
            }
            for number, body in enumerate(bodies)
        }

    def spend(self, seconds):
        self.context.remaining -= seconds * 1000
        if self.context.remaining <= 0:
            raise self.aws.Crash

    def answers(self, operation, fault, affected):
        """Lets each affected call of this operation meet the fault."""
        self.aws.answer(operation, lambda parameters: fault(self) if affected(parameters) else self.stub(operation))

    def stub(self, operation):
        # No such queue exists: only the parameters of the calls matter.
        return {} if operation == "ChangeMessageVisibility" else None

    def deliver(self, message_ids=None, seconds=WRITER_TIMEOUT_SECONDS):
        """The ids of the messages that failed; all if the function was killed."""
        self.context.remaining = seconds * 1000
        ids = list(self.records) if message_ids is None else message_ids
        try:
            answer = writer.handler({"Records": [self.records[message_id] for message_id in ids]}, self.context)
        except self.aws.Crash:
            return ids
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def recorded(self):
        """The ids of the messages whose events are in the audit trail, each once."""
        ids = [row["recorded"].partition("#")[2] for row in self.aws.rows("audit-trail")]
        assert len(ids) == len(set(ids))
        return {
            message_id
            for message_id, record in self.records.items()
            if any(f'"{id_}"' in record["body"] for id_ in ids)
        }


def throttle(world):
    world.spend(pauses(world.limits.current))
    return world.aws.Refusal("ThrottlingException")


def deny(world):
    return world.aws.Refusal("AccessDeniedException")


def fail(world):
    return world.aws.Refusal("InternalServerError", 500)


def time_out(world):
    world.spend(maximum_duration(world.limits.current))
    raise ReadTimeoutError(endpoint_url="https://aws")


def disconnect(_):
    raise EndpointConnectionError(endpoint_url="https://aws")


def kill(world):
    raise world.aws.Crash


FAULTS = [throttle, deny, fail, time_out, disconnect, kill]
CALLS = {
    "GetItem": lambda parameters: True,
    "TransactWriteItems": lambda parameters: True,
    "UpdateItem": lambda parameters: True,
    "ListSecretVersionIds": lambda parameters: True,
    "ChangeMessageVisibility": lambda parameters: True,
    "GetItem of one head": lambda parameters: "orders-2" in str(parameters),
    "TransactWriteItems of one event": lambda parameters: "event-2" in str(parameters),
    "UpdateItem of the dates": lambda parameters: "fed_version_id" in str(parameters),
    "UpdateItem of one secret": lambda parameters: "orders-2" in str(parameters),
}
RECORDING = ("GetItem", "TransactWriteItems")
"""The calls without which an event is not recorded."""
MALFORMED = "9"


@pytest.fixture
def world(aws, context, limits, recorded, create_secret):
    """Nine events, six of them about secrets that the audit knows, and a malformed message."""
    now = datetime.now(UTC).replace(microsecond=0)
    bodies = []
    for number in range(BATCH_SIZE - 1):
        secret = create_secret(f"orders-{number}")
        if number < 6:
            accounted = {"accounted_at": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}
            aws.put("status", {"secret_name": f"orders-{number}", "secret_arn": secret["ARN"], **accounted})
        body = recorded("secret-label-updated")
        body |= {"id": f"event-{number}", "resources": [secret["ARN"]], "time": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
        body["detail"]["versionId"] = secret["VersionId"]
        bodies.append(body)
    aws.answer("ChangeMessageVisibility", lambda _: {})
    return World(aws, context, limits, [*bodies, "{"])


def test_without_faults_every_event_is_recorded_and_noted(aws, world):
    assert world.deliver() == [MALFORMED]

    assert world.recorded() == set(world.records) - {MALFORMED}
    assert [row["fed_version_id"] for row in aws.rows("status")] == [
        row["heard_version_id"] for row in aws.rows("status")
    ]
    assert [parameters["VisibilityTimeout"] for parameters in aws.requests("ChangeMessageVisibility")] == [0]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_each_event_is_recorded_or_retried(aws, world, call, fault):
    operation = call.partition(" ")[0]
    world.answers(operation, fault, CALLS[call])

    failed = world.deliver()

    assert world.recorded() | set(failed) == set(world.records)  # no event is lost
    if fault is not kill:
        assert world.context.remaining > 0
        assert not world.recorded() & set(failed)  # no recorded event is retried
        assert MALFORMED in failed
    if operation not in RECORDING and fault is not kill:
        assert failed == [MALFORMED]  # optional calls fail no event
    if call in ("GetItem of one head", "TransactWriteItems of one event") and fault is not kill:
        assert failed == ["2", MALFORMED]  # an error of one event does not affect another

    aws.answers.clear()
    aws.answer("ChangeMessageVisibility", lambda _: {})
    assert world.deliver(failed) == [MALFORMED]
    assert world.recorded() == set(world.records) - {MALFORMED}


def test_no_event_is_lost_if_the_function_is_killed_at_any_call(aws, world):
    """The kill table: 2 calls for each of 9 events, one message, and 3 calls for each of 6 secrets."""
    total = 2 * 9 + 1 + 3 * 6
    for number in range(total):
        for item in aws.items("audit-trail"):
            key = {name: item[name] for name in ("secret_arn", "recorded")}
            aws.client("dynamodb").delete_item(TableName="audit-trail", Key=key)
        completed_calls = 0

        def count(operation, last=number):
            def answer(parameters):
                nonlocal completed_calls
                if completed_calls == last:
                    raise aws.Crash
                completed_calls += 1
                return {} if operation == "ChangeMessageVisibility" else None

            return answer

        for operation in OPERATIONS:
            aws.answer(operation, count(operation))
        assert world.deliver() == list(world.records), number
        assert completed_calls == number

        aws.answers.clear()
        aws.answer("ChangeMessageVisibility", lambda _: {})
        assert world.deliver() == [MALFORMED]
        assert world.recorded() == set(world.records) - {MALFORMED}, number


@pytest.mark.parametrize("seconds", [0, 3, 4, 5, 9, 13, 14, 15, 18, 22, 29])
def test_no_call_is_started_that_might_not_end_in_time(aws, world, seconds):
    for operation in OPERATIONS:
        world.answers(operation, time_out, lambda _: True)

    failed = world.deliver(seconds=seconds + 1)

    assert world.context.remaining > 0
    assert failed == list(world.records)


@pytest.mark.parametrize("fault", [throttle, deny, fail, time_out, disconnect])
@pytest.mark.parametrize(("operation", "events"), [("UpdateItem", 9), ("ListSecretVersionIds", 6)])
def test_a_failed_note_is_counted(world, operation, events, fault, capsys):
    world.answers(operation, fault, lambda _: True)

    world.deliver()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in line]
    assert sum(sum(line["EventsNotNoted"]) for line in lines) == events


def test_an_event_without_remaining_time_is_retried_and_not_a_dead_letter(aws, world):
    failed = world.deliver(seconds=audit_trail.CALL_SECONDS)

    assert failed == list(world.records)
    assert not any(aws.requests(operation) for operation in RECORDING)
    assert 0 not in [parameters["VisibilityTimeout"] for parameters in aws.requests("ChangeMessageVisibility")]


def test_no_call_takes_longer_than_its_reserved_time(world):
    world.deliver()

    reserved_seconds = {
        "dynamodb": {audit_trail.CALL_SECONDS, audit_tables.NOTE_SECONDS},
        "secretsmanager": {secrets.VERSION_SECONDS},
        "sqs": {audit_queue.CALL_SECONDS},
    }
    assert set(world.limits.made) == set(reserved_seconds)
    for service, configurations in world.limits.made.items():
        assert {maximum_duration(config) for config in configurations} == reserved_seconds[service]
        assert all(seconds + writer.RESPONSE_SECONDS < WRITER_TIMEOUT_SECONDS for seconds in reserved_seconds[service])


@pytest.mark.parametrize("fault", [throttle, deny, fail, time_out, disconnect])
def test_an_event_survives_an_outage_of_hours(aws, world, fault):
    """The queue as SQS runs it: a failed message is retried after its timeout, and finally becomes a dead letter."""
    world.answers("TransactWriteItems", fault, lambda _: True)
    elapsed, record = 0, world.records["0"]

    for receive in range(1, MAXIMUM_RECEIVES):
        aws.forget()
        record["attributes"]["ApproximateReceiveCount"] = str(receive)
        assert world.deliver(["0"]) == ["0"]
        calls = aws.requests("ChangeMessageVisibility")
        elapsed += calls[-1]["VisibilityTimeout"] if calls else VISIBILITY_SECONDS
        assert all(0 < call["VisibilityTimeout"] <= HOUR for call in calls)

    assert elapsed > 6 * HOUR
    aws.answers.clear()
    assert world.deliver(["0"]) == []
    assert world.recorded() == {"0"}


def test_an_event_survives_most_of_an_hour_without_a_running_function():
    # Throttled by Lambda, or broken by a deployment: then no function sets the visibility timeout.
    assert (MAXIMUM_RECEIVES - 1) * VISIBILITY_SECONDS > 50 * 60


def test_a_malformed_message_becomes_a_dead_letter_after_its_receives(aws, world):
    for receive in range(1, MAXIMUM_RECEIVES + 1):
        world.records[MALFORMED]["attributes"]["ApproximateReceiveCount"] = str(receive)
        assert world.deliver([MALFORMED]) == [MALFORMED]

    assert [parameters["VisibilityTimeout"] for parameters in aws.requests("ChangeMessageVisibility")] == [
        0
    ] * MAXIMUM_RECEIVES
