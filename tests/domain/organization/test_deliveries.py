"""Whose event it is, and what a member may say."""

import copy
import json

import pytest

from rotation_guard.domain.audit_trail import build_trail_row
from rotation_guard.domain.event_parser import MalformedEvent, parse
from rotation_guard.domain.organization.deliveries import UntrustedEvent, parse_delivered_text, read_delivery
from rotation_guard.domain.rotation_event import to_utc
from rotation_guard.domain.timestamps import to_iso
from tests.organization_events import wrap

OWN, OTHER = "111122223333", "444455556666"
"""The account of the recorded events, and another one."""
ARN = f"arn:aws:secretsmanager:eu-west-1:{OWN}:secret:orders/db-Ab12Cd"
NOW = to_utc("2026-03-01T02:00:00Z")


def sent_by(account, event):
    """The event as EventBridge would deliver it had this account sent it: nobody chooses the envelope's account."""
    return {**copy.deepcopy(event), "account": account}


def row_of(event):
    text = json.dumps(event)
    return build_trail_row(parse_delivered_text(text), text, NOW, None)


@pytest.mark.parametrize("name", ["rotation-failed", "rotation-succeeded", "put-secret-value", "secret-label-updated"])
def test_an_event_of_a_member_is_a_row_of_its_secret_with_account_and_region(recorded, name):
    event = recorded(name)

    row = row_of(event)

    assert (row["secret_arn"], row["account"], row["region"]) == (ARN, OWN, "eu-west-1")


@pytest.mark.parametrize("name", ["rotation-failed", "rotation-succeeded", "put-secret-value", "secret-label-updated"])
def test_a_redelivered_event_has_the_key_of_the_original(recorded, name):
    event = recorded(name)

    first, again = row_of(event), row_of(wrap(event, account=OWN))

    assert (again["secret_arn"], again["recorded"]) == (first["secret_arn"], first["recorded"])
    assert json.loads(again["full_event"])["detail"] == event


def test_an_event_of_an_own_account_has_neither_account_nor_region_in_its_row(recorded):
    event = recorded("rotation-failed")

    row = build_trail_row(parse(event), json.dumps(event), NOW, None)

    assert "account" not in row
    assert "region" not in row


def test_a_call_to_a_secret_of_another_account_is_kept_apart_from_that_accounts_rows(recorded):
    row = row_of(sent_by(OTHER, recorded("put-secret-value")))

    assert row["secret_arn"] == f"{OTHER}:{ARN}"
    assert row["account"] == OTHER


def test_secrets_of_one_name_in_two_accounts_have_different_keys(recorded):
    event = recorded("put-secret-value")
    event["detail"]["requestParameters"]["secretId"] = "orders/db"
    event["detail"]["responseElements"] = None

    assert [row_of(sent_by(account, event))["secret_arn"] for account in (OWN, OTHER)] == [
        f"{OWN}:orders/db",
        f"{OTHER}:orders/db",
    ]


@pytest.mark.parametrize("claimed", [OTHER, None, 111122223333, ""])
def test_a_member_cannot_deliver_an_event_of_another_account_again(recorded, claimed):
    original = sent_by(claimed, recorded("rotation-failed"))

    with pytest.raises(UntrustedEvent, match=f"account {OWN} delivered an event again that is not its own"):
        read_delivery(wrap(original, account=OWN))


def test_a_redelivered_event_about_another_accounts_secret_gets_no_row_of_it(recorded):
    original = sent_by(OTHER, recorded("rotation-failed"))

    row = row_of(wrap(original, account=OTHER))

    assert row["secret_arn"] == f"{OTHER}:{ARN}"


@pytest.mark.parametrize(
    "account", [None, 111122223333, "11112222333", "1111222233334", "11112222333x", "١١١١٢٢٢٢٣٣٣٣"]
)
def test_an_event_without_a_sender_is_refused(recorded, account):
    with pytest.raises(MalformedEvent, match="no account of 12 digits"):
        read_delivery(sent_by(account, recorded("rotation-failed")))


@pytest.mark.parametrize("event", [[], "text", None, 5])
def test_what_is_no_event_is_refused(event):
    with pytest.raises(MalformedEvent, match="an event is a JSON object"):
        read_delivery(event)


def test_a_wrapped_event_is_not_unwrapped_twice(recorded):
    twice = wrap(wrap(recorded("rotation-failed"), account=OWN), account=OWN)

    with pytest.raises(MalformedEvent, match="itself a wrapped one"):
        read_delivery(twice)


def test_a_redelivered_event_keeps_its_time(recorded):
    event = recorded("secret-label-updated")

    row = row_of(wrap(event, account=OWN, time="2026-03-02T00:00:00Z"))

    assert row["recorded"].partition("#")[0] == to_iso(to_utc(event["time"]))
