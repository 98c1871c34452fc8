"""Lambda's queue of asynchronous invocations for each function: accepts events at once and runs them in order.

Throttles (429) and service failures are retried until the event is too old, function errors as often as configured;
then the event goes to the dead-letter queue
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html). Independent of MiniStack.
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
"""Lambda's defaults: two retries after a function error, within six hours."""
RETRIES_EXHAUSTED, TOO_OLD = "RetriesExhausted", "EventAgeExceeded"
"""Why an event is given up: conditions of Lambda's invocation record."""

_log = logging.getLogger("lambda.async")
_sequence_numbers = itertools.count()
_MAX_DOUBLINGS = 30
"""Limit on the doublings of the wait, so that an endless number of retries does not overflow."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of an attempt."""

    error: bool = False
    throttled: bool = False
    """Whether a limit or a failure of the service prevented the run."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """The emulator's result, for the dead-letter queue."""


@dataclass(frozen=True)
class Settings:
    """A function's event invoke config."""

    retries: int = RETRIES
    age_seconds: float = AGE_SECONDS


@dataclass(order=True)
class Invocation:
    """An event that waits for its function."""

    due: float
    """The earliest time to run, in epoch seconds."""
    number: int = field(default_factory=lambda: next(_sequence_numbers))
    function_arn: str = field(default="", compare=False)
    event: Any = field(default=None, compare=False)
    accepted_at: float = field(default=0.0, compare=False)
    attempts: int = field(default=0, compare=False)
    """Runs of the function."""
    throttles: int = field(default=0, compare=False)
    context: contextvars.Context = field(default_factory=contextvars.copy_context, compare=False)
    """The context of the caller, with account and Region."""


class Service(Protocol):
    """The operations of Lambda that the queue uses."""

    def settings(self, function_arn: str) -> Settings:
        """Return the retry settings of a function."""

    def run(self, function_arn: str, event: Any) -> Outcome:
        """Run a function once, after waiting for a worker; throttled when a limit is reached."""

    def give_up(self, invocation: Invocation, condition: str, outcome: Outcome) -> None:
        """Send the event to the function's failure destination."""


class AsyncQueue:
    """The queues of all functions, each with a few worker threads that end when it is empty."""

    def __init__(
        self, service: Service, max_workers: int, first_wait_seconds: float, longest_wait_seconds: float
    ) -> None:
        """`most` runs of a function at once; waits between retries double from the first to the longest."""
        self._service, self._max_workers = service, max_workers
        self._first_wait_seconds, self._longest_wait_seconds = first_wait_seconds, longest_wait_seconds
        self._changed = threading.Condition()
        self._queues: defaultdict[str, list[Invocation]] = defaultdict(list)
        self._worker_counts: Counter[str] = Counter()

    def accept(self, function_arn: str, event: Any) -> None:
        """Accept an event: it will run, or end in the dead-letter queue."""
        now = time.time()
        self._put(Invocation(now, function_arn=function_arn, event=event, accepted_at=now))

    def _put(self, invocation: Invocation) -> None:
        arn = invocation.function_arn
        with self._changed:
            heapq.heappush(self._queues[arn], invocation)
            self._changed.notify_all()
            if self._worker_counts[arn] >= self._max_workers:
                return
            self._worker_counts[arn] += 1
        threading.Thread(target=self._run_worker, args=(arn,), daemon=True, name="lambda-async").start()

    def _run_worker(self, arn: str) -> None:
        while invocation := self._take_next(arn):
            try:
                # A copy: another thread may run it again before this attempt returns.
                invocation.context.copy().run(self._attempt, invocation)
            except Exception:  # noqa: BLE001 - the other events must still run
                _log.exception("%s: an event is lost: %s", arn, invocation.event)

    def _take_next(self, arn: str) -> Invocation | None:
        """Wait for the next event; return None when the queue is empty, after which the worker must end."""
        with self._changed:
            while queue := self._queues[arn]:
                wait = queue[0].due - time.time()
                if wait <= 0:
                    return heapq.heappop(queue)
                self._changed.wait(wait)
            self._worker_counts[arn] -= 1
            return None

    def _attempt(self, invocation: Invocation) -> None:
        settings = self._service.settings(invocation.function_arn)
        try:
            outcome = self._service.run(invocation.function_arn, invocation.event)
        except Exception:  # noqa: BLE001 - a failure of the service, not of the function
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
        invocation.due = time.time() + min(
            self._first_wait_seconds * 2 ** min(tries - 1, _MAX_DOUBLINGS), self._longest_wait_seconds
        )
        if invocation.due - invocation.accepted_at > settings.age_seconds:
            self._give_up(invocation, TOO_OLD, outcome)
        else:
            self._put(invocation)

    def _give_up(self, invocation: Invocation, condition: str, outcome: Outcome) -> None:
        _log.warning("%s: an event is given up: %s", invocation.function_arn, condition)
        self._service.give_up(invocation, condition, outcome)
