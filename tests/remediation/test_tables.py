"""The tables in memory do with the product's own writes what DynamoDB does, as far as moto knows."""

from datetime import timedelta

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.validate import ParamValidator

from tests.moto_aws import empty_account
from tests.remediation.account import AFTER, Plan
from tests.remediation.secrets_manager import Fault
from tests.remediation.tables import KEY, Tables
from tests.remediation.world import DEPENDENTS, TABLE, Settings

TAGS = {
    "rotation-guard:remediation": "repair",
    "rotation-guard:probe": "probe",
    "rotation-guard:restart": DEPENDENTS,
    "rotation-guard:restart-on": "rotation",
}


@pytest.fixture
def settings():
    return Settings(max_actions_per_hour=2)


@pytest.fixture
def busy(world):
    """A world in which nearly everything has happened that makes a call: repairs, races, deaths, a burst."""
    for number, step in enumerate(("createSecret", "setSecret", "finishSecret", "testSecret", "createSecret")):
        secret = world.secret(f"secret-{number}", TAGS)
        secret.fault = Fault(step, number == 1, 2)
        world.secrets_manager.start_rotation(secret.arn)
        world.secrets_manager.go_on(secret.arn)
        world.secrets_manager.go_on(secret.arn)
    for event in world.waiting:
        world.deliver(event)
    for number in range(400):
        if world.running:
            world.run_next(Plan(crash=(number % 3, AFTER)) if number % 7 == 0 else None)
    world.run(until=world.clock.now + timedelta(hours=2))
    world.secrets_manager.start_rotation(secret.arn)
    world.run()
    return world


def test_the_same_calls_have_the_same_answers_and_leave_the_same_rows(busy):
    calls = [call for call in busy.account.calls if call.service == "dynamodb"]
    ours = Tables()
    with empty_account():
        theirs = boto3.client("dynamodb")
        theirs.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": KEY[0], "KeyType": "HASH"}, {"AttributeName": KEY[1], "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEY],
            BillingMode="PAY_PER_REQUEST",
        )
        for call in calls:
            own, other = (answered(tables, call) for tables in (ours, theirs))
            assert own == other, call
        stored = theirs.scan(TableName=TABLE)["Items"]

    assert {call.operation for call in calls} == {
        "get_item",
        "put_item",
        "update_item",
        "delete_item",
        "query",
        "transact_write_items",
    }
    assert sum(bool(call.refused) for call in calls) > 5
    assert sorted(map(comparable, stored), key=str) == sorted(map(comparable, ours.items[TABLE].values()), key=str)


def test_every_call_is_one_that_aws_knows(busy):
    session = Session()
    models = {service: session.get_service_model(service) for service in {each.service for each in busy.account.calls}}
    operations = {
        (service, xform_name(name)): model.operation_model(name)
        for service, model in models.items()
        for name in model.operation_names
    }

    for call in busy.account.calls:
        shape = operations[call.service, call.operation].input_shape
        report = ParamValidator().validate(call.asked, shape)
        assert not report.has_errors(), (call, report.generate_report())

    assert len(models) == 8


def answered(tables, call):
    """The answer to a call, or why it was refused, without what differs from call to call."""
    try:
        asked = call.asked if isinstance(tables, Tables) else None
        method = getattr(tables, call.operation)
        answer = method(asked) if asked is not None else method(**call.asked)
    except ClientError as error:
        reasons = [each["Code"] for each in error.response.get("CancellationReasons", [])]
        return error.response["Error"]["Code"], reasons
    return {
        "Items": [comparable(each) for each in answer.get("Items", [])],
        "Item": comparable(answer.get("Item", {})),
    }


def comparable(item):
    """An item whose sets have an order."""
    return {name: {"SS": sorted(value["SS"])} if "SS" in value else value for name, value in sorted(item.items())}
