"""`rotation-guard drill`: an event is put on the bus of the stack that was named, and its traces are shown."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from .conftest import CALLER, aws_error
from .stacks import ACCOUNT, ARN

MADE_UP = f"{ARN}:rotation-guard-drill-000000"
FAILED = ("--event", "rotation-failed", "--secret", "orders/db", "--reason", "on-call training")


class Bus:
    """The event bus of the stack, and what the stack makes of an event."""

    def __init__(self, stack, dynamodb, clock):
        self._stack, self._dynamodb, self._clock = stack, dynamodb, clock
        self.entries, self.answer = [], {"FailedEntryCount": 0, "Entries": [{"EventId": "e-1"}]}
        self.records, self.opens = True, True
        stack.answers["PutEvents"] = self.take

    def take(self, request):
        [entry] = request["Entries"]
        self.entries.append({**entry, "Detail": json.loads(entry["Detail"])})
        detail = self.entries[-1]["Detail"]
        arn = detail.get("additionalEventData", {}).get("SecretId")
        if self.records:
            # As docs/architecture.md has it: the secret's ARN or the source; the event's time and CloudTrail's eventID.
            key = {"secret_arn": arn or entry["Source"], "recorded": f"{detail['eventTime']}#{detail['eventID']}"}
            self._dynamodb.put_item(TableName="trail", Item={name: {"S": value} for name, value in key.items()})
        if self.opens and detail["eventName"] == "RotationFailed":
            self._stack.incident("orders/db", 0, secret_arn=arn, event_ids={detail["eventID"]})
        return self.answer


@pytest.fixture
def bus(stack, shared_client, monkeypatch):
    dynamodb = shared_client("dynamodb")
    dynamodb.create_table(
        TableName="trail",
        KeySchema=[
            {"AttributeName": "secret_arn", "KeyType": "HASH"},
            {"AttributeName": "recorded", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("secret_arn", "recorded")],
        BillingMode="PAY_PER_REQUEST",
    )
    stack.add_outputs({"audit_trail_table_name": "trail", "event_bus_name": "default"})
    clock = Clock()
    monkeypatch.setattr("rotation_guard.cli.drill.time", clock)
    return Bus(stack, dynamodb, clock)


class Clock:
    """Time passes only in `sleep`."""

    def __init__(self):
        self.now, self.on_sleep = 0.0, lambda: None

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.on_sleep()


@pytest.fixture
def drill(run, stack):
    return lambda *options: run("drill", *options, "--stack-outputs", str(stack.outputs), COLUMNS="200")


def test_by_default_an_event_about_no_secret_of_the_account_is_recorded(bus, drill):
    result = drill()

    assert result.exit_code == 0, result.stderr
    assert "recorded in the audit trail: seen after 0 seconds" in " ".join(result.stdout.split())
    [entry] = bus.entries
    assert (entry["Source"], entry["EventBusName"]) == ("rotation-guard.drill", "default")
    assert entry["Detail"]["eventName"] == "RotationSucceeded"
    assert entry["Detail"]["additionalEventData"] == {"SecretId": MADE_UP}


def test_the_event_has_the_shape_of_awss_own_names_its_stack_and_is_new(bus, drill, recorded):
    """https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html"""
    drill()
    drill()

    first, second = bus.entries
    assert first["DetailType"] == recorded("rotation-succeeded")["detail-type"]
    assert first["Detail"].keys() - recorded("rotation-succeeded")["detail"].keys() == {"incidents_table", "drill"}
    assert recorded("rotation-succeeded")["detail"].keys() <= first["Detail"].keys()
    assert first["Detail"]["incidents_table"] == "incidents"
    assert first["Detail"]["recipientAccountId"] == ACCOUNT
    assert first["Detail"]["drill"] == {"by": CALLER}
    assert abs(datetime.fromisoformat(first["Detail"]["eventTime"]) - datetime.now(UTC)).total_seconds() < 600
    assert first["Detail"]["eventID"] != second["Detail"]["eventID"]


def test_a_failure_shows_the_incident_that_it_opened(bus, drill, stack, recorded):
    arn = stack.secret("orders/db")

    result = drill(*FAILED)

    assert result.exit_code == 0, result.stderr
    output = " ".join(result.stdout.split())
    assert "incident: seen after 0 seconds" in output
    assert "opened at" in output
    assert f"rotation-guard incidents show {arn}" in output
    [entry] = bus.entries
    assert entry["Detail"]["drill"] == {"by": CALLER, "reason": "on-call training"}
    assert recorded("rotation-failed")["detail"].keys() <= entry["Detail"].keys()
    assert entry["Detail"]["requestID"] == f"Rotation-{arn}-{entry['Detail']['eventID']}"


def test_a_canary_is_that_of_the_schedule_with_an_id_of_its_own(bus, drill):
    assert drill("--event", "canary").exit_code == 0

    [entry] = bus.entries
    assert entry["Source"] == "rotation-guard.canary"
    assert (entry["Detail"]["eventName"], entry["Detail"]["incidents_table"]) == ("RotationCanary", "incidents")


@pytest.mark.parametrize(
    ("event", "setting"), [("rotation-succeeded", "set drill to true"), ("canary", "set canarySchedule to")]
)
def test_an_event_that_the_stack_does_not_accept_is_one_sentence_that_says_what_to_set(bus, drill, event, setting):
    bus.records = False

    result = drill("--event", event, "--timeout", "5")

    assert result.exit_code == 3
    assert "not seen" in result.stdout
    assert "was not recorded within 5 seconds" in result.stderr
    assert bus._clock.now >= 5
    assert setting in result.stderr
    assert result.stderr.count("\n") == 1


def test_it_waits_until_the_event_is_recorded(bus, drill, shared_client):
    bus.records = False

    def record():
        bus.records = True
        bus.take({"Entries": [{**bus.entries[0], "Detail": json.dumps(bus.entries[0]["Detail"])}]})
        bus._clock.on_sleep = lambda: None

    bus._clock.on_sleep = record

    assert "seen after 1 seconds" in " ".join(drill().stdout.split())


def test_a_failure_without_an_incident_in_time_shows_what_was_seen(bus, drill, stack):
    stack.secret("orders/db")
    bus.opens = False

    result = drill(*FAILED, "--timeout", "3")

    assert result.exit_code == 3
    assert "recorded in the audit trail: seen" in " ".join(result.stdout.split())
    assert "has the event after 3 seconds" in result.stderr


def test_an_event_that_the_bus_refuses_is_one_sentence(bus, drill):
    """An entry that is refused is no error of the call
    (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html)."""
    refusal = {"ErrorCode": "InternalFailure", "ErrorMessage": "Try \x1b[31magain."}
    bus.answer = {"FailedEntryCount": 1, "Entries": [refusal]}

    result = drill()

    assert result.exit_code == 3
    assert "the event bus default did not take the event: InternalFailure: Try \\x1b[31magain." in result.stderr


def test_a_trail_that_cannot_be_read_does_not_hide_that_the_event_was_put(bus, drill, stack):
    stack.answers["GetItem"] = lambda request: aws_error("AccessDeniedException")

    result = drill()

    assert result.exit_code == 3
    assert "cannot tell" in result.stdout
    assert "GetItem was refused: AccessDeniedException" in result.stderr
    assert len(bus.entries) == 1


def test_a_refusal_to_put_the_event_is_one_sentence(bus, drill, stack):
    stack.answers["PutEvents"] = lambda request: aws_error("AccessDeniedException")

    result = drill()

    assert result.exit_code == 3
    assert "event bus default: PutEvents was refused: AccessDeniedException" in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--timeout", "0"), "--timeout must be between 1 and 3600 seconds, got 0."),
        (("--timeout", "3601"), "--timeout must be between 1 and 3600 seconds, got 3601."),
        (("--event", "rotation-failed", "--reason", "x"), "give --secret"),
        (("--event", "rotation-failed", "--secret", "orders/db"), "give --reason TEXT"),
        (("--secret", "orders/db"), "--secret requires --event rotation-failed"),
        (("--event", "canary", "--secret", "orders/db"), "--secret requires --event rotation-failed"),
        (("--event", "rotation-failed", "--secret", "missing", "--reason", "x"), "DescribeSecret shows, got 'missing'"),
        (("--event", "rotation-failed", "--secret", " ", "--reason", "x"), "DescribeSecret shows, got ' '"),
        (("--event", "meteor"), "'meteor'"),
    ],
)
def test_invalid_options_put_nothing_on_the_bus(bus, drill, options, sentence):
    result = drill(*options)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert bus.entries == []


def test_credentials_of_another_account_put_nothing_on_the_bus(bus, drill, stack):
    stack.answers["GetCallerIdentity"] = lambda _: {"Account": "210987654321", "Arn": "arn:aws:iam::210987654321:root"}

    result = drill()

    assert result.exit_code == 2
    assert f"is in account {ACCOUNT}" in result.stderr
    assert bus.entries == []


def test_a_secret_of_another_account_is_refused(bus, drill, stack):
    other = "arn:aws:secretsmanager:eu-west-1:210987654321:secret:orders/db-AbCdEf"
    stack.answers["DescribeSecret"] = lambda _: {"ARN": other, "Name": "orders/db"}

    result = drill("--event", "rotation-failed", "--secret", other, "--reason", "x")

    assert result.exit_code == 2
    assert (
        f"--secret must be in account {ACCOUNT} and Region eu-west-1, as the deployment is, got {other}."
        in result.stderr
    )
    assert bus.entries == []


def test_the_local_deployment_must_be_named(bus, run, stack, tmp_path, monkeypatch):
    stack.deploy_locally(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert run("drill").exit_code == 2
    assert bus.entries == []
    assert run("drill", "--local").exit_code == 0


def test_the_target_is_printed_first_and_beside_the_data_of_other_formats(bus, drill):
    table, data = drill(), drill("--format", "json")

    assert table.stdout.startswith("Deployment: ")
    assert CALLER in table.stdout.splitlines()[0]
    assert data.stderr.startswith("Deployment: ")
    answer = json.loads(data.stdout)
    assert answer["drill"]["caller_arn"] == CALLER
    assert answer["drill"]["event_id"] == bus.entries[1]["Detail"]["eventID"]
    assert [trace["result"] for trace in answer["traces"]] == ["seen"]
    assert answer["unreadable"] == []


def test_csv_and_markdown_have_the_traces(bus, drill, stack):
    stack.secret("orders/db")

    rows = list(csv.DictReader(io.StringIO(drill(*FAILED, "--format", "csv").stdout)))
    markdown = drill(*FAILED, "--format", "markdown").stdout

    assert [(row["trace"], row["result"]) for row in rows] == [
        ("recorded in the audit trail", "seen"),
        ("incident", "seen"),
    ]
    assert "| recorded in the audit trail | seen |" in markdown


def test_the_event_goes_to_the_bus_that_the_rules_are_on(bus, drill, stack):
    stack.add_outputs({"event_bus_name": "rotations"})

    drill()

    assert bus.entries[0]["EventBusName"] == "rotations"
