"""The tables in memory behave like moto's DynamoDB for the product's own calls."""

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
def busy_world(world):
    """A world in which nearly every kind of call was made: by repairs, races, crashes and a digest."""
    for number, step in enumerate(("createSecret", "setSecret", "finishSecret", "testSecret", "createSecret")):
        secret = world.secret(f"secret-{number}", TAGS)
        secret.fault = Fault(step, number == 1, 2)
        world.secrets_manager.start_rotation(secret.arn)
        world.secrets_manager.continue_rotation(secret.arn)
        world.secrets_manager.continue_rotation(secret.arn)
    for event in world.undelivered:
        world.deliver(event)
    for number in range(400):
        if world.running:
            world.run_next(Plan(crash=(number % 3, AFTER)) if number % 7 == 0 else None)
    world.run(until=world.clock.now + timedelta(hours=2))
    world.secrets_manager.start_rotation(secret.arn)
    world.run()
    return world


def test_the_tables_in_memory_respond_and_end_as_those_of_moto(busy_world):
    calls = [call for call in busy_world.account.calls if call.service == "dynamodb"]
    in_memory = Tables()
    with empty_account():
        moto = boto3.client("dynamodb")
        moto.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": KEY[0], "KeyType": "HASH"}, {"AttributeName": KEY[1], "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEY],
            BillingMode="PAY_PER_REQUEST",
        )
        for call in calls:
            response, moto_response = (call_table(tables, call) for tables in (in_memory, moto))
            assert response == moto_response, call
        stored = moto.scan(TableName=TABLE)["Items"]

    assert {call.operation for call in calls} == {
        "get_item",
        "put_item",
        "update_item",
        "delete_item",
        "query",
        "transact_write_items",
    }
    assert sum(bool(call.error_code) for call in calls) > 5
    assert sorted(map(comparable, stored), key=str) == sorted(map(comparable, in_memory.items[TABLE].values()), key=str)


def test_every_call_is_valid_by_the_service_models(busy_world):
    session = Session()
    models = {
        service: session.get_service_model(service) for service in {call.service for call in busy_world.account.calls}
    }
    operations = {
        (service, xform_name(name)): model.operation_model(name)
        for service, model in models.items()
        for name in model.operation_names
    }

    for call in busy_world.account.calls:
        shape = operations[call.service, call.operation].input_shape
        report = ParamValidator().validate(call.request, shape)
        assert not report.has_errors(), (call, report.generate_report())

    assert len(models) == 8


def call_table(tables, call):
    """The response or error of a call, without what differs from call to call."""
    try:
        request = call.request if isinstance(tables, Tables) else None
        method = getattr(tables, call.operation)
        answer = method(request) if request is not None else method(**call.request)
    except ClientError as error:
        reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", [])]
        return error.response["Error"]["Code"], reasons
    return {
        "Items": [comparable(item) for item in answer.get("Items", [])],
        "Item": comparable(answer.get("Item", {})),
    }


def comparable(item):
    """An item whose sets have an order."""
    return {name: {"SS": sorted(value["SS"])} if "SS" in value else value for name, value in sorted(item.items())}
