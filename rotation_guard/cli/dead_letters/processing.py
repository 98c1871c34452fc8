"""Goes through the messages that a command is about to send again or discard, queue by queue."""

from collections.abc import Callable
from datetime import datetime, timedelta

from rotation_guard.domain.dead_letters.dead_letter import DeadLetter

from ..deployment import Deployment
from ..errors import Unreachable
from .outcomes import Outcome, Outcomes
from .queues import choose_queues, find_queues
from .reception import Reception
from .selection import Selection
from .survey import describe_hidden

_ROUNDING = timedelta(seconds=1)
"""SQS's clock is read to the second."""

Handle = Callable[[DeadLetter, Reception], Outcome]
"""Does what the command does with one message, which is hidden from others meanwhile."""


def process(deployment: Deployment, selection: Selection, now: datetime, outcomes: Outcomes, handle: Handle) -> None:
    """Handle each message that is selected, and add its outcome; a queue that cannot be read does not stop the others.

    An interruption ends it after what is being handled; it is recorded, so that what was done is shown. Raises
    CommandError before anything is handled.
    """
    queues, warnings = find_queues(deployment)
    outcomes.warnings += warnings
    sqs = deployment.session.client("sqs")
    try:
        for queue in choose_queues(queues, selection.queues):
            reception = Reception(deployment, sqs, queue)
            try:
                _process_queue(reception, selection, now, outcomes, handle)
            except Unreachable as error:
                outcomes.warnings.append(str(error))
                outcomes.is_incomplete = True
            finally:
                outcomes.warnings += describe_hidden(queue, reception.still_hidden)
    except KeyboardInterrupt:
        outcomes.is_interrupted = True


def _process_queue(
    reception: Reception, selection: Selection, now: datetime, outcomes: Outcomes, handle: Handle
) -> None:
    state = reception.state()
    if not state.visible:
        return
    read = 0
    with reception:
        # What is sent or deleted must be all there is, and a dry run may rely on the count.
        expected = state.visible if outcomes.is_dry_run else None
        for letter in reception.messages(selection.limit, expected=expected):
            read += 1
            # What is newer has come back from this run, and would be sent again without end.
            is_new = letter.sent_at is not None and letter.sent_at > state.at + _ROUNDING
            if not is_new and selection.includes(letter, now):
                outcomes.add(handle(letter, reception))
    if read >= selection.limit < state.visible:
        outcomes.warnings.append(
            f"{reception.queue.name} had about {state.visible} messages, of which {read} were read; --limit N reads "
            "more."
        )
