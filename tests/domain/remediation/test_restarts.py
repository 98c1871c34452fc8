"""What a secret's tag asks to be restarted, and how restarts stand together."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation_guard.domain.remediation.restarts import (
    CannotBeRestarted,
    Restart,
    RestartState,
    is_abandoned,
    make_idempotency_key,
    parse_target,
    plan_restarts,
    summarize,
)

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd"
SERVICE = "arn:aws:ecs:eu-west-1:123456789012:service/shop/orders"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-api"
DOCUMENT = "arn:aws:ssm:eu-west-1:123456789012:document/restart-orders"
OWNED = "arn:aws:ssm:eu-west-1::document/AWS-RestartEC2Instance"
ALL = (SERVICE, FUNCTION, DOCUMENT, OWNED)


def states(planned):
    return {entry["target"]: entry["state"] for entry in planned}


@pytest.mark.parametrize("separator", [" ", ",", ", ", "\n", " ,\t"])
def test_a_tag_lists_targets_by_kind_and_name(separator):
    planned = plan_restarts(separator.join(["ecs:shop/orders", "lambda:orders-api", "ssm:restart-orders"]), SECRET, ALL)

    assert planned == [
        {"target": "ecs:shop/orders", "arn": SERVICE, "state": "wanted", "why": ""},
        {"target": "lambda:orders-api", "arn": FUNCTION, "state": "wanted", "why": ""},
        {"target": "ssm:restart-orders", "arn": DOCUMENT, "state": "wanted", "why": ""},
    ]


def test_a_tag_may_name_them_by_their_arns_and_each_is_restarted_once():
    planned = plan_restarts(f"{SERVICE} ecs:shop/orders {FUNCTION} {DOCUMENT} ssm:restart-orders", SECRET, ALL)

    assert [entry["target"] for entry in planned] == ["ecs:shop/orders", "lambda:orders-api", "ssm:restart-orders"]


def test_no_tag_asks_for_nothing():
    assert plan_restarts("", SECRET, ALL) == plan_restarts(" , ", SECRET, ALL) == []


def test_a_target_that_is_not_listed_is_told_and_not_tried():
    planned = plan_restarts("ecs:shop/billing lambda:orders-api", SECRET, [FUNCTION])

    assert states(planned) == {"ecs:shop/billing": "refused", "lambda:orders-api": "wanted"}
    assert "restartTargets" in planned[0]["why"]


@pytest.mark.parametrize(
    "entry",
    [
        "ecs:orders",
        "ecs:shop/orders/1",
        "lambda:orders-api:live",
        "lambda:",
        "ssm:a",
        "sqs:orders",
        "orders-api",
        ":",
        "arn:",
        "arn:aws:ecs",
        "arn:aws:ecs:eu-west-1:123456789012:service/orders",
        "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
        "arn:aws:lambda:eu-west-1:123456789012:function:orders-api:live",
        "arn:aws:sns:eu-west-1:123456789012:orders",
    ],
)
def test_what_is_no_target_is_told(entry):
    [planned] = plan_restarts(entry, SECRET, [*ALL, entry])

    assert planned == {"target": entry, "arn": "", "state": "refused", "why": planned["why"]}
    assert planned["why"].startswith("It is not a valid target")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:ecs:eu-west-1:999999999999:service/shop/orders",
        "arn:aws:lambda:us-east-1:123456789012:function:orders-api",
        "arn:aws-cn:ssm:eu-west-1:123456789012:document/restart-orders",
    ],
)
def test_a_target_elsewhere_is_told(arn):
    [planned] = plan_restarts(arn, SECRET, [*ALL, arn])

    assert (planned["state"], planned["why"]) == (
        "refused",
        "It is in another account or Region than the secret.",
    )


@pytest.mark.parametrize("allowed", [OWNED, OWNED.replace("::", ":123456789012:")])
@pytest.mark.parametrize("entry", ["ssm:AWS-RestartEC2Instance", OWNED, OWNED.replace("::", ":123456789012:")])
def test_a_document_of_aws_is_the_same_with_an_account_and_without(entry, allowed):
    assert plan_restarts(entry, SECRET, [allowed]) == [
        {"target": "ssm:AWS-RestartEC2Instance", "arn": OWNED, "state": "wanted", "why": ""}
    ]


def test_targets_lie_in_the_partition_of_the_secret():
    secret = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:orders/db-Ab12Cd"

    assert (
        parse_target("lambda:orders-api", secret).arn == "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders-api"
    )


@given(st.text(alphabet="abAB019:/-_. ,\tàarnecsmlbdwv", max_size=256), st.lists(st.text(max_size=80), max_size=3))
def test_no_tag_breaks_the_plan_and_nothing_unlisted_is_wanted(tag, allowed):
    planned = plan_restarts(tag, SECRET, allowed)

    assert [entry for entry in planned if entry["state"] == "wanted" and entry["arn"] not in allowed] == []
    assert len({entry["arn"] or entry["target"] for entry in planned}) == len(planned)


def test_malformed_arns_of_a_secret_make_no_target_raise():
    with pytest.raises(CannotBeRestarted):
        parse_target(SERVICE, "orders/db")


def test_a_token_is_a_uuid_of_what_it_is_for():
    own = make_idempotency_key(SECRET, "2026-03-01T00:00:00.000Z", 1000, SERVICE)

    assert uuid.UUID(own).version == 5
    assert own == make_idempotency_key(SECRET, "2026-03-01T00:00:00.000Z", 1000, SERVICE)
    others = {
        make_idempotency_key(SECRET + "x", "2026-03-01T00:00:00.000Z", 1000, SERVICE),
        make_idempotency_key(SECRET, "2026-03-02T00:00:00.000Z", 1000, SERVICE),
        make_idempotency_key(SECRET, "2026-03-01T00:00:00.000Z", 1001, SERVICE),
        make_idempotency_key(SECRET, "2026-03-01T00:00:00.000Z", 1000, FUNCTION),
    }
    assert len(others | {own}) == 5


@pytest.mark.parametrize(
    ("stand", "expected"),
    [
        ([], "settled"),
        ([RestartState.REFUSED], "settled"),
        ([RestartState.SETTLED, RestartState.REFUSED], "settled"),
        ([RestartState.SETTLED, RestartState.STARTED], "waiting"),
        ([RestartState.COVERED], "waiting"),
        ([RestartState.STARTED, RestartState.FAILED], "waiting"),
        ([RestartState.SETTLED, RestartState.FAILED], "failed"),
        ([RestartState.WANTED], "wanted"),
        ([RestartState.WANTED, RestartState.STARTED, RestartState.FAILED], "wanted"),
    ],
)
def test_restarts_have_settled_when_none_is_wanted_or_under_way_and_failed_when_one_has(stand, expected):
    assert summarize(Restart("lambda:orders-api", FUNCTION, state) for state in stand) == expected


def test_a_restart_is_what_its_row_says():
    restart = Restart("lambda:orders-api", FUNCTION, RestartState.STARTED, restart_id="token")

    assert Restart.from_row(restart.to_row()) == restart
    assert Restart.from_row(plan_restarts("lambda:orders-api", SECRET, ALL)[0]).restart_id == ""


@pytest.mark.parametrize(
    ("incident", "expected"),
    [
        ({"state": "restarting", "alive_until": 999}, True),
        ({"state": "restarting", "alive_until": 1000}, False),
        ({"state": "restarting"}, True),
        ({"state": "open", "alive_until": 1}, False),
        ({"state": "closed", "alive_until": 1}, False),
        ({}, False),
    ],
)
def test_restarts_are_abandoned_when_their_workflow_has_not_been_heard_of_in_time(incident, expected):
    assert is_abandoned(incident, 1000) is expected
