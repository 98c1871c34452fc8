"""Reads which account an event is from, and unwraps events that a member delivers again.

EventBridge writes the sender's account into the envelope of every event: its `account` is the one whose service or
principal sent the event, and stays the same when a rule forwards it
(https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html). Everything else in an event may have
been chosen by its sender, so a hub trusts an event about the sender's own account only.

An event that did not reach the hub is delivered again by its member with PutEvents, which refuses sources that begin
with `aws.` (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html). So the whole
original event is the detail of another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..event_parser import MalformedEvent, is_secret_arn, load, parse
from ..plain_values import read_account, read_mapping
from ..rotation_event import RotationEvent

REDELIVERED = "rotation-guard.redelivered"
"""The source of an event that wraps another one."""
_ACCOUNT_DIGITS = 12


class UntrustedEvent(MalformedEvent):
    """The event is about another account than the one that sent it."""


@dataclass(frozen=True)
class Delivery:
    """An event of an account: as it arrived, or unwrapped."""

    account: str
    """The account that sent it."""
    event: Mapping[str, Any]
    """The original event, as EventBridge delivers it."""


def read_delivery(envelope: Any) -> Delivery:
    """Read whose event it is, and unwrap it.

    Raises MalformedEvent without a sender, and UntrustedEvent if the wrapped event is not the sender's own.
    """
    if not isinstance(envelope, Mapping):
        raise MalformedEvent(f"an event is a JSON object, got {type(envelope).__name__}")
    account = envelope.get("account")
    if not _is_account(account):
        raise MalformedEvent("the event has no account of 12 digits")
    if envelope.get("source") != REDELIVERED:
        return Delivery(account, envelope)
    original = read_mapping(envelope.get("detail"))
    if original.get("account") != account:
        raise UntrustedEvent(f"account {account} delivered an event again that is not its own")
    if original.get("source") == REDELIVERED:
        raise MalformedEvent("the wrapped event is itself a wrapped one")
    return Delivery(account, original)


def read_own_secret(delivery: Delivery, value: Any) -> str:
    """The ARN of a secret of the sender.

    Raises MalformedEvent if the value is no such ARN, and UntrustedEvent if it is that of another account's secret.
    """
    if not is_secret_arn(value):
        raise MalformedEvent("the event does not name a secret by its ARN")
    if read_account(value) != delivery.account:
        raise UntrustedEvent(
            f"account {delivery.account} sent an event about a secret of account {read_account(value)}"
        )
    return value


def parse_delivered_text(text: str) -> RotationEvent:
    """Parse the JSON text of a rotation event of any account. Raises MalformedEvent.

    The subject is the secret's ARN only if the secret belongs to the sender, and otherwise begins with the sender's
    account. So no account can write into the trail of another one's secrets, and secrets of one name are kept apart.
    A call from one account to a secret of another is such an event, too: CloudTrail reports it in both
    (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-record-contents.html, sharedEventID).
    """
    delivery = read_delivery(load(text))
    event = parse(delivery.event)
    if event.secret_arn is not None and read_account(event.secret_arn) == delivery.account:
        return replace(event, account=delivery.account)
    subject = f"{delivery.account}:{event.subject}"
    return replace(event, account=delivery.account, secret_arn=None, subject=subject)


def _is_account(value: Any) -> bool:
    return isinstance(value, str) and len(value) == _ACCOUNT_DIGITS and value.isascii() and value.isdigit()
