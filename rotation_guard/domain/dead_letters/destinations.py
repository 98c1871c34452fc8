"""Where a dead letter is sent again: to what did not take it, and to nothing else.

A message is never put on an event bus or a topic again from which others have received it: they would hear it twice.
"""

from dataclasses import dataclass
from enum import StrEnum

from ..plain_values import read_account, read_region
from .dead_letter import DeadLetter, Sender


class DestinationKind(StrEnum):
    """What takes the message, and by which call."""

    QUEUE = "queue"
    """SendMessage."""
    TOPIC = "topic"
    """Publish."""
    FUNCTION = "function"
    """Invoke, asynchronously."""
    EVENT_BUS = "event bus"
    """PutEvents, wrapped as a member's redelivery does."""
    SUBSCRIPTION = "subscription"
    """What GetSubscriptionAttributes names as its endpoint."""


@dataclass(frozen=True)
class Destination:
    """What takes the message."""

    kind: DestinationKind
    arn: str

    def __str__(self) -> str:
        return f"{self.kind} {self.arn.rpartition(':')[2]}" if self.arn else self.kind


class NoDestination(Exception):
    """The message cannot be sent again; the text is a sentence that says why."""


def find_destination(letter: DeadLetter, account: str, region: str, source_queue_arn: str = "") -> Destination:
    """The destination of a message in a dead-letter queue of this account and Region.

    `source_queue_arn` is that of the queue's source, for a message that does not name it. Raises NoDestination.
    """
    match letter.sender:
        case Sender.RULE:
            destination = _find_target(letter.target_arn)
        case Sender.SCHEDULE:
            if letter.is_truncated:
                raise NoDestination("Scheduler kept only the beginning of the payload.")
            destination = _find_target(letter.target_arn)
            if destination.kind is DestinationKind.EVENT_BUS:
                raise NoDestination(
                    "Its source and type are in the schedule alone, which sends the next one: discard it."
                )
        case Sender.FUNCTION:
            destination = Destination(DestinationKind.FUNCTION, letter.target_arn)
        case Sender.QUEUE:
            destination = Destination(DestinationKind.QUEUE, letter.source_queue_arn or source_queue_arn)
        case Sender.SUBSCRIPTION:
            destination = Destination(DestinationKind.SUBSCRIPTION, letter.subscription_arn)
            if not letter.subscription_arn:
                return destination  # It is raw: only the topics know whose it is.
        case Sender.FUNCTION_QUEUE:
            raise NoDestination("A function's dead-letter queue does not record which function failed.")
        case _:
            raise NoDestination("The message does not say what did not take it.")
    _require_place(destination, letter, account, region)
    return destination


def _find_target(arn: str) -> Destination:
    """The target of a rule or a schedule."""
    service, resource = (*arn.split(":", 5), "", "", "")[2], arn.split(":", 5)[-1]
    kinds = {"sqs": DestinationKind.QUEUE, "sns": DestinationKind.TOPIC, "lambda": DestinationKind.FUNCTION}
    if service in kinds:
        return Destination(kinds[service], arn)
    if service == "events" and resource.startswith("event-bus/"):
        return Destination(DestinationKind.EVENT_BUS, arn)
    if service == "events" and resource.startswith("api-destination/"):
        raise NoDestination("EventBridge alone can call an API destination, and on the bus again others would hear it.")
    raise NoDestination(f"No call hands an event to the target {arn or 'that the message does not name'}.")


def _require_place(destination: Destination, letter: DeadLetter, account: str, region: str) -> None:
    """Refuse a destination elsewhere: what a message says must not send it out of the account.

    A rule of this account may have a bus of another one as its target, such as a hub's.
    """
    is_bus = destination.kind is DestinationKind.EVENT_BUS
    arn = letter.origin_arn if is_bus else destination.arn
    if (read_account(arn), read_region(arn)) != (account, region):
        what = "the rule" if is_bus else f"the {destination.kind}"
        raise NoDestination(
            f"A destination must be in account {account}, Region {region}, and {what} that the message names is "
            f"{arn or 'none'}."
        )
