"""The queue that Lambda keeps of the asynchronous invocations of each function: accepted at once, run in their turn.

Throttles (429) and failures of the service are tried again until the event is too old, errors of the function as often
as it is set to; then the event goes to the dead letters
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html). Knows nothing of MiniStack.
"""

import contextvars
import heapq
import itertools
import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

RETRIES, AGE_SECONDS = 2, 21_600
"""What Lambda does of itself: two more tries after an error of the function, six hours altogether."""
RETRIES_EXHAUSTED, TOO_OLD = "RetriesExhausted", "EventAgeExceeded"
"""Why an event is given up, in the words of Lambda's invocation record."""

_log = logging.getLogger("lambda.async")
_numbers = itertools.count()
_DOUBLINGS = 30
"""Of the wait, which is at its longest by then: a number of tries that has no end would overflow."""


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt."""

    error: bool = False
    throttled: bool = False
    """By a limit, or because the service failed: not the function's doing."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """The emulator's own result, for the dead letters."""


@dataclass(frozen=True)
class Settings:
    """What a function's event invoke config says."""

    retries: int = RETRIES
    age_seconds: float = AGE_SECONDS


@dataclass(order=True)
class Invocation:
    """An event on its way to a function."""

    due: float
    """When it may run, in epoch seconds."""
    number: int = field(default_factory=lambda: next(_numbers))
    function_arn: str = field(default="", compare=False)
    event: Any = field(default=None, compare=False)
    accepted_at: float = field(default=0.0, compare=False)
    attempts: int = field(default=0, compare=False)
    """Runs of the function."""
    throttles: int = field(default=0, compare=False)
    context: contextvars.Context = field(default_factory=contextvars.copy_context, compare=False)
    """The account and Region it was accepted in."""


class Service(Protocol):
    """What the queue needs of Lambda."""

    def settings(self, function_arn: str) -> Settings:
        """How this function is to be tried again."""

    def run(self, function_arn: str, event: Any) -> Outcome:
        """Run it once; waits for a process, and is refused where a limit is reached."""

    def give_up(self, invocation: Invocation, condition: str, outcome: Outcome) -> None:
        """Send the event where the function sends its failures."""


class AsyncQueue:
    """The queues of all functions, each served by a few threads that live while there is something in it."""

    def __init__(self, service: Service, most: int, first_wait: float, longest_wait: float) -> None:
        """`most` runs of one function at once; waits between tries double from the first to the longest, in seconds."""
        self._service, self._most = service, most
        self._first_wait, self._longest_wait = first_wait, longest_wait
        self._changed = threading.Condition()
        self._queues: defaultdict[str, list[Invocation]] = defaultdict(list)
        self._servers: Counter[str] = Counter()

    def accept(self, function_arn: str, event: Any) -> None:
        """Take an event in: from here on it runs, or ends in the dead letters."""
        now = time.time()
        self._put(Invocation(now, function_arn=function_arn, event=event, accepted_at=now))

    def _put(self, invocation: Invocation) -> None:
        arn = invocation.function_arn
        with self._changed:
            heapq.heappush(self._queues[arn], invocation)
            self._changed.notify_all()
            if self._servers[arn] >= self._most:
                return
            self._servers[arn] += 1
        threading.Thread(target=self._serve, args=(arn,), daemon=True, name="lambda-async").start()

    def _serve(self, arn: str) -> None:
        while invocation := self._next(arn):
            try:
                # A copy: it may be on its way again, in another thread, before this attempt is left.
                invocation.context.copy().run(self._attempt, invocation)
            except Exception:  # noqa: BLE001 - the others in the queue are still to be run
                _log.exception("%s: an event is lost: %s", arn, invocation.event)

    def _next(self, arn: str) -> Invocation | None:
        """The next that is due; None, once there is none left, and then whoever asked has to end."""
        with self._changed:
            while queue := self._queues[arn]:
                wait = queue[0].due - time.time()
                if wait <= 0:
                    return heapq.heappop(queue)
                self._changed.wait(wait)
            self._servers[arn] -= 1
            return None

    def _attempt(self, invocation: Invocation) -> None:
        settings = self._service.settings(invocation.function_arn)
        try:
            outcome = self._service.run(invocation.function_arn, invocation.event)
        except Exception:  # noqa: BLE001 - whatever it was, it was not the function
            _log.exception("%s could not be run", invocation.function_arn)
            outcome = Outcome(error=True, throttled=True)
        if not outcome.error:
            return
        if outcome.throttled:
            invocation.throttles += 1
        else:
            invocation.attempts += 1
        if not outcome.throttled and invocation.attempts > settings.retries:
            self._give_up(invocation, RETRIES_EXHAUSTED, outcome)
            return
        tries = invocation.throttles + invocation.attempts
        invocation.due = time.time() + min(self._first_wait * 2 ** min(tries - 1, _DOUBLINGS), self._longest_wait)
        if invocation.due - invocation.accepted_at > settings.age_seconds:
            self._give_up(invocation, TOO_OLD, outcome)
        else:
            self._put(invocation)

    def _give_up(self, invocation: Invocation, condition: str, outcome: Outcome) -> None:
        _log.warning("%s: an event is given up: %s", invocation.function_arn, condition)
        self._service.give_up(invocation, condition, outcome)
