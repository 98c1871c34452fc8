"""The restarts that a secret's tag requests, and their state as a whole."""

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
AWS_DOCUMENT = "arn:aws:ssm:eu-west-1::document/AWS-RestartEC2Instance"
ALL = (SERVICE, FUNCTION, DOCUMENT, AWS_DOCUMENT)


def states_by_target(planned):
    return {entry["target"]: entry["state"] for entry in planned}


@pytest.mark.parametrize("separator", [" ", ",", ", ", "\n", " ,\t"])
def test_a_tag_lists_targets_by_kind_and_name(separator):
    planned = plan_restarts(separator.join(["ecs:shop/orders", "lambda:orders-api", "ssm:restart-orders"]), SECRET, ALL)

    assert planned == [
        {"target": "ecs:shop/orders", "arn": SERVICE, "state": "wanted", "why": ""},
        {"target": "lambda:orders-api", "arn": FUNCTION, "state": "wanted", "why": ""},
        {"target": "ssm:restart-orders", "arn": DOCUMENT, "state": "wanted", "why": ""},
    ]


def test_a_tag_may_list_targets_by_arn_and_each_is_restarted_once():
    planned = plan_restarts(f"{SERVICE} ecs:shop/orders {FUNCTION} {DOCUMENT} ssm:restart-orders", SECRET, ALL)

    assert [entry["target"] for entry in planned] == ["ecs:shop/orders", "lambda:orders-api", "ssm:restart-orders"]


def test_an_empty_tag_restarts_nothing():
    assert plan_restarts("", SECRET, ALL) == plan_restarts(" , ", SECRET, ALL) == []


def test_a_target_that_is_not_allowed_is_refused_with_the_reason():
    planned = plan_restarts("ecs:shop/billing lambda:orders-api", SECRET, [FUNCTION])

    assert states_by_target(planned) == {"ecs:shop/billing": "refused", "lambda:orders-api": "wanted"}
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
def test_an_invalid_target_is_refused_with_the_reason(entry):
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
def test_a_target_in_another_account_or_region_is_refused(arn):
    [planned] = plan_restarts(arn, SECRET, [*ALL, arn])

    assert (planned["state"], planned["why"]) == (
        "refused",
        "It is in another account or Region than the secret.",
    )


@pytest.mark.parametrize("allowed", [AWS_DOCUMENT, AWS_DOCUMENT.replace("::", ":123456789012:")])
@pytest.mark.parametrize(
    "entry", ["ssm:AWS-RestartEC2Instance", AWS_DOCUMENT, AWS_DOCUMENT.replace("::", ":123456789012:")]
)
def test_a_document_of_aws_is_the_same_with_and_without_an_account(entry, allowed):
    assert plan_restarts(entry, SECRET, [allowed]) == [
        {"target": "ssm:AWS-RestartEC2Instance", "arn": AWS_DOCUMENT, "state": "wanted", "why": ""}
    ]


def test_targets_are_in_the_partition_of_the_secret():
    secret = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:orders/db-Ab12Cd"

    assert (
        parse_target("lambda:orders-api", secret).arn == "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders-api"
    )


@given(st.text(alphabet="abAB019:/-_. ,\tàarnecsmlbdwv", max_size=256), st.lists(st.text(max_size=80), max_size=3))
def test_any_tag_can_be_planned_and_nothing_else_than_allowed_targets_is_wanted(tag, allowed):
    planned = plan_restarts(tag, SECRET, allowed)

    assert [entry for entry in planned if entry["state"] == "wanted" and entry["arn"] not in allowed] == []
    assert len({entry["arn"] or entry["target"] for entry in planned}) == len(planned)


def test_a_target_of_a_secret_with_a_malformed_arn_cannot_be_restarted():
    with pytest.raises(CannotBeRestarted):
        parse_target(SERVICE, "orders/db")


def test_an_idempotency_key_is_a_uuid_of_its_restart():
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
    ("restart_states", "expected"),
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
def test_restarts_have_the_state_of_their_least_advanced_target(restart_states, expected):
    assert summarize(Restart("lambda:orders-api", FUNCTION, state) for state in restart_states) == expected


def test_a_restart_is_read_from_its_row():
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
def test_restarts_are_abandoned_after_the_deadline_of_their_workflow(incident, expected):
    assert is_abandoned(incident, 1000) is expected
