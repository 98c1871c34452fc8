"""Delivers events again that did not reach the hub: on a schedule, or invoked by hand."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.event_parser import MalformedEvent, load

from ..adapters import clients, dead_letters, hub_bus
from ..environment import RedeliverSettings

ACTIONS = dead_letters.ACTIONS | hub_bus.ACTIONS
SPARE_MILLISECONDS = 30_000
"""Reserved for one more batch: its calls end before Lambda stops the function."""

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Returns how many events the hub took, and how many stay in the queue because it refused them.

    A message is deleted only once the hub's bus has its event, so that none is lost; it may arrive twice. After a batch
    of which the hub took nothing, the rest waits for the next run, unless the events themselves are to blame.
    """
    settings = RedeliverSettings.from_env()
    queue, bus = dead_letters.DeadLetterQueue(settings.dead_letters_url), hub_bus.HubBus(settings.hub_event_bus_arn)
    redelivered = refused = 0
    while context.get_remaining_time_in_millis() > SPARE_MILLISECONDS:
        letters = queue.receive()
        if not letters:
            break
        readable = [(letter, original) for letter in letters if (original := _read(letter)) is not None]
        errors = bus.redeliver([(letter.body, original) for letter, original in readable])
        taken = [letter for (letter, _), error in zip(readable, errors, strict=True) if error is None]
        queue.delete(taken)
        redelivered += len(taken)
        refused += len(letters) - len(taken)
        reasons = sorted({error for error in errors if error is not None})
        if reasons:
            logger.warning("the hub did not take events", extra={"count": len(readable) - len(taken), "why": reasons})
        if not taken and not hub_bus.OF_THE_EVENT.issuperset(reasons):
            break
    logger.info("redelivered", extra={"redelivered": redelivered, "refused": refused})
    return {"redelivered": redelivered, "refused": refused}


def _read(letter: dead_letters.DeadLetter) -> dict[str, Any] | None:
    """The event in a message; None for a message that is no event, which stays in the queue for somebody to read."""
    try:
        original = load(letter.body)
    except MalformedEvent:
        original = None
    if isinstance(original, dict):
        return original
    logger.error("a message is not an event", extra={"message_id": letter.message_id})
    return None
