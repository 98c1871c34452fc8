"""Whatever AWS does, a function answers in time: botocore retries as it always does, on a clock that never waits."""

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
    "secretsmanager": ("secretsmanager", "describe_secret", {}),
    "sns": ("sns", "publish", {}),
    "sqs": ("sqs", "change_message_visibility", {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/events"}),
    "ssm": ("ssm", "get_parameter", {}),
    "states": ("stepfunctions", "start_execution", {}),
}
"""Prefix of an IAM action -> client, operation and the parameters without which no request can be made."""
INITIALIZATION_SECONDS = 10
"""How long Lambda lets a function start before it is called
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib)."""
LONGEST_FUNCTION_SECONDS = 900
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
FURTHER_CALLS = 2
"""What a function does instead, once a call has failed for good: tells somebody, and notes that."""


class Clock:
    """Time that passes in calls and in waits."""

    def __init__(self):
        self.now = 1000.0

    def pass_by(self, seconds):
        self.now += seconds


class Body:
    def stream(self, *_, **__):
        return iter([b""])


def hangs(session, clock, request):
    """AWS takes the connection at the last moment, and never answers."""
    clock.pass_by(session._timeout.connect_timeout + session._timeout.read_timeout)
    raise ReadTimeoutError(endpoint_url=request.url)


def throttles(session, clock, request):
    """AWS is busy, and says so at once: for botocore a status of 503 is as good as a throttling error."""
    return AWSResponse(request.url, 503, {}, Body())


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.pass_by)
    # Chance at its worst: every wait is the longest that there is.
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
    """What Lambda tells a function that may run for so many seconds from now."""
    end = clock.now + seconds
    return SimpleNamespace(get_remaining_time_in_millis=lambda: int((end - clock.now) * 1000))


def ends_of_calls(clock, seconds, calls, answers_within=None):
    """When each of these calls has ended, one after another for as long as one may begin, in seconds."""
    begun, ends = clock.now, []

    @clients.bounded_by_timeout
    def handler(event, context):
        for number in range(25):
            service, operation, asked = calls[number % len(calls)]
            made = clients.client(service, answers_within)
            try:
                getattr(made, operation)(**asked)
            except clients.OutOfTime:
                return
            except (BotoCoreError, ClientError):
                ends.append(clock.now - begun)

    handler({}, invocation(clock, seconds))
    return ends


@pytest.mark.parametrize("trouble", [hangs, throttles])
def test_a_function_outlives_its_calls_and_has_time_to_do_something_else(functions, clock, monkeypatch, trouble):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: trouble(session, clock, request))

    looked_at = 0
    for entry_point, function in functions:
        calls, seconds = calls_of(entry_point), function.inputs["timeout"]
        for first in range(len(calls)):
            ends = ends_of_calls(clock, seconds, calls[first:] + calls[:first])
            case = (entry_point, calls[first], ends)
            assert ends[-1] < seconds, case
            assert len(ends) > FURTHER_CALLS, case
            looked_at += 1
    assert looked_at > len(functions)


@pytest.mark.parametrize("trouble", [hangs, throttles])
def test_a_call_is_given_up_after_half_of_the_time_or_a_minute(clock, monkeypatch, trouble):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: trouble(session, clock, request))

    for seconds in (30, 60, 900):
        [first, *_] = ends_of_calls(clock, seconds, [CALLS["secretsmanager"]])
        assert first <= min(seconds / 2, 60)


def test_a_busy_service_is_asked_several_times_before_that_is_told(clock, monkeypatch):
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


def test_a_call_that_could_not_end_in_time_is_not_begun(clock, monkeypatch):
    monkeypatch.setattr(URLLib3Session, "send", lambda *_: pytest.fail("it was sent"))

    @clients.bounded_by_timeout
    def handler(event, context):
        clients.client("secretsmanager").describe_secret()

    with pytest.raises(clients.OutOfTime, match=r"DescribeSecret .* 3 s are left"):
        handler({}, invocation(clock, 4))


def test_an_invocation_has_the_time_that_it_was_given_and_not_what_the_one_before_had_left(clock, monkeypatch):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: hangs(session, clock, request))
    first = ends_of_calls(clock, 60, [CALLS["dynamodb"]])
    clock.pass_by(3600)

    assert ends_of_calls(clock, 60, [CALLS["dynamodb"]]) == first


def test_a_probe_that_hangs_each_time_is_asked_about_every_version(clock, monkeypatch):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: hangs(session, clock, request))
    asking = [("lambda", "invoke", {"FunctionName": "probe"})]

    ends = ends_of_calls(clock, PROBE_FUNCTION_SECONDS, asking, answers_within=PROBE_SECONDS)

    assert len(ends) >= 3  # AWSCURRENT, AWSPENDING, AWSPREVIOUS


def test_everybody_is_told_by_one_invocation_though_the_table_hangs(clock, monkeypatch):
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: hangs(session, clock, request))
    place = "eu-west-1:123456789012"
    topics = [f"arn:aws:sns:{place}:{topic}" for topic in ("critical", "remediation")]
    variables = {"INCIDENTS_TABLE_NAME": "incidents", "RUNBOOK_URL": ""}
    for name, value in {**variables, "CRITICAL_TOPIC_ARN": topics[0], "REMEDIATION_TOPIC_ARN": topics[1]}.items():
        monkeypatch.setenv(name, value)
    told = []

    def answers(service, answer):
        def taken(params, **_):
            told.append(json.loads(params["body"])["Entries"][0] if service == "events" else params["body"]["TopicArn"])
            return AWSResponse("", 200, {}, None), answer

        clients.client(service).meta.events.register("before-call", taken)

    answers("sns", {"MessageId": "message"})
    answers("events", {"FailedEntryCount": 0, "Entries": [{"EventId": "event"}]})
    incident = {"secret_arn": f"arn:aws:secretsmanager:{place}:secret:orders/db-Ab12Cd", "opened_at": "2026-03-01"}
    context = invocation(clock, 30)
    context.function_name = context.aws_request_id = context.invoked_function_arn = "notify"
    context.memory_limit_in_mb = 256

    begun = clock.now
    answer = notify.handler({"turn": "escalated", "execution": "execution", "incident": incident}, context)

    assert answer == {"teller": False}
    assert clock.now - begun < 30
    assert told[:2] == topics
    assert [one["DetailType"] for one in told[2:]] == ["Rotation Incident Escalated"]


def test_every_function_has_its_calls_end_in_time(functions, monkeypatch):
    # What a handler does first of its own is to read its settings, or the event.
    monkeypatch.setattr(environment, "_read", lambda *_: pytest.fail("a handler has begun", pytrace=False))
    for entry_point, _ in functions:
        asked = []
        context = SimpleNamespace(
            get_remaining_time_in_millis=lambda asked=asked: asked.append(True) or 30_000,
            function_name="function",
            memory_limit_in_mb=256,
            invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:function",
            aws_request_id="request",
        )
        with pytest.raises((pytest.fail.Exception, KeyError)):
            importlib.import_module(entry_point.rpartition(".")[0]).handler({}, context)
        assert asked, entry_point


def test_a_caller_waits_for_the_function_and_for_its_start(whole, functions):
    [machine] = whole.of_type("aws:sfn/stateMachine:StateMachine")
    timeouts = {one.arn: one.inputs["timeout"] for _, one in functions}
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
