"""Event buses of other accounts, with MiniStack's services in this process and the other account played by the test."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.core import responses
from ministack.services import eventbridge, sqs

from components.organization.permissions import admitted_to_bus
from local.emulator import deliveries, other_accounts
from local.emulator.process import Emulator, describe_accounts
from local.processes import ProcessGroup
from local.waiting import eventually

REGION, ACCOUNT, OTHER = "eu-west-1", "111122223333", "999900009999"
ORGANIZATION = "o-a1b2c3d4e5"
BUS = f"arn:aws:events:{REGION}:{OTHER}:event-bus/hub"
OWN_BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/hub"
DEAD_LETTERS, INBOX = (f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}" for name in ("dead-letters", "inbox"))
RULE = {"Name": "forward", "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/forward"}
EVENT = {
    "EventId": "1",
    "Source": "aws.secretsmanager",
    "DetailType": "t",
    "Detail": '{"number": 7}',
    "Time": 0,
    "Resources": [],
    "Account": ACCOUNT,
    "Region": REGION,
}
TARGET = {"Id": "hub", "Arn": BUS, "DeadLetterConfig": {"Arn": DEAD_LETTERS}}
_PATCHED = {
    "_invoke_target",
    "_put_events",
    "_put_permission",
    *(f"_dispatch_to_{to}" for to in ("event_bus", "lambda", "sqs", "sns", "stepfunctions")),
}


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    before = {name: getattr(eventbridge, name) for name in _PATCHED}
    deliveries.install()
    other_accounts.install()
    with responses.request_scope(ACCOUNT, REGION):
        sqs.reset()
        eventbridge.reset()
        for arn in (DEAD_LETTERS, INBOX):
            sqs._act_create_queue({"QueueName": arn.rpartition(":")[2]}, "")
        yield
        eventbridge.reset()
    for name, function in before.items():
        setattr(eventbridge, name, function)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is handed to the other account, which takes it unless the list begins with False."""
    handed: list[Any] = []

    def send(bus_arn: str, records: list[dict[str, Any]]) -> bool:
        handed.append((bus_arn, records))
        return handed[0] is not False

    monkeypatch.setattr(other_accounts, "_send", send)
    return handed


def bodies(arn: str) -> list[Any]:
    queue = sqs._queue_by_arn(arn)
    assert queue is not None
    return [json.loads(message["body"]) for message in queue["messages"]]


def answer(response: Any) -> tuple[int, dict[str, Any]]:
    status, _, body = response
    return status, json.loads(body or b"{}")


def test_an_event_for_a_bus_of_another_account_is_handed_over_as_it_is(sent):
    eventbridge._invoke_target(TARGET, EVENT, RULE)

    assert sent == [(BUS, [EVENT])]
    assert bodies(DEAD_LETTERS) == []


def test_an_event_that_the_bus_refuses_is_a_dead_letter_at_once(sent):
    sent.append(False)

    eventbridge._invoke_target(TARGET, EVENT, RULE)

    [letter] = eventually(lambda: bodies(DEAD_LETTERS), "the dead letter")
    assert (letter["account"], letter["source"], letter["detail"]) == (ACCOUNT, EVENT["Source"], {"number": 7})
    queue = sqs._queue_by_arn(DEAD_LETTERS)
    assert queue is not None
    assert queue["messages"][0]["message_attributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


def test_an_event_from_another_account_is_not_passed_on(sent):
    eventbridge._invoke_target(TARGET, {**EVENT, "Account": "444455556666"}, RULE)

    assert sent == []
    assert bodies(DEAD_LETTERS) == []


def put(source: str) -> tuple[int, dict[str, Any]]:
    entry = {"EventBusName": BUS, "Source": source, "DetailType": "t", "Detail": "{}"}
    return answer(eventbridge._put_events({"Entries": [entry, entry]}))


def test_an_entry_of_put_events_is_handed_over_with_the_callers_account(sent):
    status, answered = put("rotation-guard.redelivered")

    assert (status, answered["FailedEntryCount"], len(answered["Entries"])) == (200, 0, 2)
    [(bus, records)] = sent
    assert bus == BUS
    assert [record["Account"] for record in records] == [ACCOUNT] * 2


def test_put_events_is_denied_where_the_bus_does_not_admit_the_caller(sent):
    sent.append(False)

    status, answered = put("rotation-guard.redelivered")

    assert (status, answered["__type"]) == (400, "AccessDeniedException")


def test_nobody_but_aws_sends_events_of_aws_to_another_account(sent):
    status, _ = put("aws.secretsmanager")

    assert status == 400
    assert sent == []


@pytest.mark.parametrize(("organization", "status"), [(ORGANIZATION, 200), ("o-0000000000", 403), (None, 403)])
def test_a_bus_takes_events_of_accounts_that_its_policy_admits(monkeypatch, organization, status):
    eventbridge._create_event_bus({"Name": "hub"})
    policy = admitted_to_bus(OWN_BUS, ORGANIZATION, [])
    eventbridge._put_permission({"EventBusName": "hub", "Policy": policy})
    eventbridge._put_rule({"Name": "all", "EventBusName": "hub", "EventPattern": json.dumps({"account": [OTHER]})})
    eventbridge._put_targets({"Rule": "all", "EventBusName": "hub", "Targets": [{"Id": "1", "Arn": INBOX}]})
    monkeypatch.setattr(other_accounts, "_read_accounts", lambda: {other_accounts.ORGANIZATION: organization})

    forwarded = {"Bus": OWN_BUS, "Sender": OTHER, "Events": [{**EVENT, "Account": OTHER}]}
    answered, _ = answer(eventbridge._put_events({other_accounts.FORWARDED: forwarded}))

    assert answered == status
    assert [event["account"] for event in bodies(INBOX)] == ([OTHER] if status == 200 else [])


def test_the_policy_of_our_hub_admits_listed_accounts_alone():
    policy = json.loads(admitted_to_bus(BUS, None, [ACCOUNT]))

    assert other_accounts.admits(policy, ACCOUNT, None)
    assert not other_accounts.admits(policy, "444455556666", ORGANIZATION)
    assert not other_accounts.admits({}, ACCOUNT, ORGANIZATION)


def test_the_file_of_accounts_can_be_read_by_its_owner_alone(tmp_path):
    emulator = Emulator(tmp_path, 4566, ProcessGroup(1, "now"), "AKIA", "secret", OTHER)

    describe_accounts(tmp_path / "accounts.json", ORGANIZATION, [emulator])

    file = tmp_path / "accounts.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == {
        "organization": ORGANIZATION,
        OTHER: {
            "endpoint_url": "http://127.0.0.1:4566",
            "access_key_id": "AKIA",
            "secret_access_key": "secret",
        },
    }
