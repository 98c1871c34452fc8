"""Sends dead letters again to what did not take them, and deletes each once it is accepted."""

from collections import Counter
from datetime import datetime

from rotation_guard.domain.dead_letters.dead_letter import DeadLetter
from rotation_guard.domain.dead_letters.destinations import Destination, NoDestination

from ..deployment import Deployment
from ..errors import Unreachable
from .outcomes import Outcome, Outcomes, Result
from .processing import process
from .reception import Reception
from .selection import Selection
from .sending import Sending

_REFUSALS = 3
"""Refusals of a destination, after which it is not called again in this run."""


def redrive(deployment: Deployment, selection: Selection, now: datetime, *, is_dry_run: bool) -> Outcomes:
    """Redrive the messages that are selected; in a dry run, say what would be done. Raises CommandError."""
    run = _Redrive(deployment, Outcomes(is_dry_run))
    process(deployment, selection, now, run.outcomes, run.redrive)
    return run.outcomes


class _Redrive:
    """One run."""

    def __init__(self, deployment: Deployment, outcomes: Outcomes) -> None:
        self.outcomes = outcomes
        self._sending = Sending(deployment)
        self._refusals: Counter[Destination] = Counter()

    def redrive(self, letter: DeadLetter, reception: Reception) -> Outcome:
        """Send one message, and delete it; in a dry run, find out where it would be sent."""
        try:
            destination = self._sending.find(letter, reception.queue)
        except NoDestination as reason:
            return Outcome.of(letter, Result.KEPT, reason=str(reason))
        except Unreachable as error:
            self.outcomes.is_incomplete = True
            return Outcome.of(letter, Result.KEPT, reason=str(error))
        name = self._sending.describe_destination(destination)
        if self.outcomes.is_dry_run:
            return Outcome.of(letter, Result.WOULD_SEND, name)
        if self._refusals[destination] >= _REFUSALS:
            return Outcome.of(letter, Result.KEPT, name, "Not sent: the destination has refused others before it.")
        try:
            self._sending.send(destination, letter)
        except Unreachable as error:
            self._refusals[destination] += 1
            self.outcomes.is_incomplete = True
            return Outcome.of(letter, Result.KEPT, name, str(error))
        return self._delete(letter, name, reception)

    def _delete(self, letter: DeadLetter, destination: str, reception: Reception) -> Outcome:
        """Delete a message that its destination has accepted, also when the command is interrupted now."""
        try:
            try:
                reception.delete(letter)
            except KeyboardInterrupt:
                reception.delete(letter)
                raise
        except Unreachable as error:
            self.outcomes.is_incomplete = True
            reason = f"It was accepted, and could not be deleted, so redriving it sends it twice. {error}"
            return Outcome.of(letter, Result.UNCLEAR, destination, reason)
        return Outcome.of(letter, Result.SENT, destination)
