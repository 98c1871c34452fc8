"""A function ends in time whatever AWS does: with botocore's own retries, and a fake clock."""

import importlib
import json
import time
from types import SimpleNamespace

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.retries.standard import ExponentialBackoff

from components.remediation.steps import PROBE_FUNCTION_SECONDS, PROBE_SECONDS
from handlers import environment
from handlers.adapters import clients
from handlers.remediation import notify

CALLS = {
    "cloudwatch": ("cloudwatch", "get_metric_statistics", {}),
    "dynamodb": ("dynamodb", "get_item", {}),
    "ecs": ("ecs", "describe_services", {}),
    "events": ("events", "put_events", {"Entries": [{}]}),
    "lambda": ("lambda", "get_function_configuration", {"FunctionName": "api"}),
    "s3": ("s3", "put_object", {"Bucket": "reports", "Key": "report"}),
    "secretsmanager": ("secretsmanager", "describe_secret", {}),
    "securityhub": ("securityhub", "batch_import_findings", {"Findings": []}),
    "sns": ("sns", "publish", {}),
    "sqs": ("sqs", "change_message_visibility", {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/events"}),
    "ssm": ("ssm", "get_parameter", {}),
    "states": ("stepfunctions", "start_execution", {}),
}
"""Prefix of an IAM action -> client, operation and the parameters without which no request can be made."""
INITIALIZATION_SECONDS = 10
"""How long Lambda lets a function initialize before it is invoked
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib)."""
LONGEST_FUNCTION_SECONDS = 900
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
FURTHER_CALLS = 2
"""Calls of a function after one has failed for good: to publish that, and to record it."""


class Clock:
    """A clock that only calls and waits advance."""

    def __init__(self):
        self.now = 1000.0

    def advance(self, seconds):
        self.now += seconds


class Body:
    def stream(self, *_, **__):
        return iter([b""])


def hangs(session, clock, request):
    """AWS accepts the connection at the last moment, and never responds."""
    clock.advance(session._timeout.connect_timeout + session._timeout.read_timeout)
    raise ReadTimeoutError(endpoint_url=request.url)


def throttles(session, clock, request):
    """AWS throttles immediately: botocore treats a status of 503 like a throttling error."""
    return AWSResponse(request.url, 503, {}, Body())


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.advance)
    # The worst case of the jitter: every wait is as long as possible.
    monkeypatch.setattr(ExponentialBackoff.__init__, "__defaults__", (20, lambda: 1.0, None, None))
    for name, value in (("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "key")):
        monkeypatch.setenv(name, value)
    clients.client.cache_clear()
    yield clock
    clients.client.cache_clear()


def calls_of(entry_point):
    """One call of each service that the function uses."""
    actions = importlib.import_module(entry_point.rpartition(".")[0]).ACTIONS
    prefixes = {action.partition(":")[0] for action in actions} - {"iam"}
    return [CALLS[prefix] for prefix in sorted(prefixes)]


def invocation(clock, seconds):
    """The context of an invocation that times out after this many seconds."""
    end = clock.now + seconds
    return SimpleNamespace(get_remaining_time_in_millis=lambda: int((end - clock.now) * 1000))


def ends_of_calls(clock, seconds, calls, answers_within=None):
    """The seconds after which each of these sequential calls ends, until no call may start."""
    started, ends = clock.now, []

    @clients.bounded_by_timeout
    def handler(event, context):
        for number in range(25):
            service, operation, parameters = calls[number % len(calls)]
            client = clients.client(service, answers_within)
            try:
                getattr(client, operation)(**parameters)
            except clients.OutOfTime:
                return
            except (BotoCoreError, ClientError):
                ends.append(clock.now - started)

    handler({}, invocation(clock, seconds))
    return ends


@pytest.mark.parametrize("failure", [hangs, throttles])
def test_a_function_has_time_for_further_calls_after_its_calls_failed(functions, clock, monkeypatch, failure):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: failure(session, clock, request))

    case_count = 0
    for entry_point, function in functions:
        calls, seconds = calls_of(entry_point), function.inputs["timeout"]
        for first in range(len(calls)):
            ends = ends_of_calls(clock, seconds, calls[first:] + calls[:first])
            case = (entry_point, calls[first], ends)
            assert ends[-1] < seconds, case
            assert len(ends) > FURTHER_CALLS, case
            case_count += 1
    assert case_count > len(functions)


@pytest.mark.parametrize("failure", [hangs, throttles])
def test_a_call_ends_after_half_of_the_timeout_or_a_minute(clock, monkeypatch, failure):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: failure(session, clock, request))

    for seconds in (30, 60, 900):
        [first, *_] = ends_of_calls(clock, seconds, [CALLS["secretsmanager"]])
        assert first <= min(seconds / 2, 60)


def test_a_throttled_call_is_retried_several_times_before_it_fails(clock, monkeypatch):
    sent = []
    monkeypatch.setattr(
        URLLib3Session,
        "send",
        lambda session, request: sent.append(clock.now) or throttles(session, clock, request),
    )

    with pytest.raises(ClientError) as refused:
        clients.client("dynamodb").get_item()

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert len(sent) > 4


def test_a_call_that_could_not_end_in_time_is_not_started(clock, monkeypatch):
    monkeypatch.setattr(URLLib3Session, "send", lambda *_: pytest.fail("it was sent"))

    @clients.bounded_by_timeout
    def handler(event, context):
        clients.client("secretsmanager").describe_secret()

    with pytest.raises(clients.OutOfTime, match=r"DescribeSecret .* 3 s are left"):
        handler({}, invocation(clock, 4))


def test_each_invocation_has_its_own_deadline(clock, monkeypatch):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: hangs(session, clock, request))
    first = ends_of_calls(clock, 60, [CALLS["dynamodb"]])
    clock.advance(3600)

    assert ends_of_calls(clock, 60, [CALLS["dynamodb"]]) == first


def test_a_probe_that_always_hangs_is_invoked_for_every_version(clock, monkeypatch):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: hangs(session, clock, request))
    probe_call = [("lambda", "invoke", {"FunctionName": "probe"})]

    ends = ends_of_calls(clock, PROBE_FUNCTION_SECONDS, probe_call, answers_within=PROBE_SECONDS)

    assert len(ends) >= 3  # AWSCURRENT, AWSPENDING, AWSPREVIOUS


def test_one_invocation_publishes_everything_although_the_table_hangs(clock, monkeypatch):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: hangs(session, clock, request))
    location = "eu-west-1:123456789012"
    topics = [f"arn:aws:sns:{location}:{topic}" for topic in ("critical", "remediation")]
    variables = {"INCIDENTS_TABLE_NAME": "incidents", "RUNBOOK_URL": ""}
    for name, value in {**variables, "CRITICAL_TOPIC_ARN": topics[0], "REMEDIATION_TOPIC_ARN": topics[1]}.items():
        monkeypatch.setenv(name, value)
    published = []

    def respond(service, answer):
        def send(params, **_):
            published.append(
                json.loads(params["body"])["Entries"][0] if service == "events" else params["body"]["TopicArn"]
            )
            return AWSResponse("", 200, {}, None), answer

        clients.client(service).meta.events.register("before-call", send)

    respond("sns", {"MessageId": "message"})
    respond("events", {"FailedEntryCount": 0, "Entries": [{"EventId": "event"}]})
    incident = {"secret_arn": f"arn:aws:secretsmanager:{location}:secret:orders/db-Ab12Cd", "opened_at": "2026-03-01"}
    context = invocation(clock, 30)
    context.function_name = context.aws_request_id = context.invoked_function_arn = "notify"
    context.memory_limit_in_mb = 256

    started = clock.now
    answer = notify.handler({"turn": "escalated", "execution": "execution", "incident": incident}, context)

    assert answer == {"teller": False}
    assert clock.now - started < 30
    assert published[:2] == topics
    assert [event["DetailType"] for event in published[2:]] == ["Rotation Incident Escalated"]


def test_every_function_bounds_its_calls_by_its_timeout(functions, monkeypatch):
    # The first thing that a handler does itself is to read its settings, or the event.
    monkeypatch.setattr(environment, "_read", lambda *_: pytest.fail("the handler has started", pytrace=False))
    for entry_point, _ in functions:
        deadline_reads = []
        context = SimpleNamespace(
            get_remaining_time_in_millis=lambda deadline_reads=deadline_reads: deadline_reads.append(True) or 30_000,
            function_name="function",
            memory_limit_in_mb=256,
            invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:function",
            aws_request_id="request",
        )
        with pytest.raises((pytest.fail.Exception, KeyError)):
            importlib.import_module(entry_point.rpartition(".")[0]).handler({}, context)
        assert deadline_reads, entry_point


def test_callers_wait_for_the_function_and_its_initialization(whole, functions):
    [machine] = whole.of_type("aws:sfn/stateMachine:StateMachine")
    timeouts = {function.arn: function.inputs["timeout"] for _, function in functions}
    assert max(timeouts.values()) <= LONGEST_FUNCTION_SECONDS

    tasks = [
        state
        for state in json.loads(machine.inputs["definition"])["States"].values()
        if state.get("Resource") in timeouts
    ]
    assert len(tasks) > 10
    for task in tasks:
        assert timeouts[task["Resource"]] + INITIALIZATION_SECONDS <= task["TimeoutSeconds"], task
    queues = {resource.arn: resource.inputs for resource in whole.of_type("aws:sqs/queue:Queue")}
    mappings = whole.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    assert mappings
    for mapping in mappings:
        # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        assert (
            queues[mapping.inputs["eventSourceArn"]]["visibilityTimeoutSeconds"]
            >= 6 * timeouts[mapping.inputs["functionName"]]
        )
