"""The AWS clients, one per service and process: made when first used, so that importing a handler touches nothing.

Time bounds a call, not a number of attempts. An entry point says with `bounded_by_timeout` how long its invocation has,
and then a call is only begun while an attempt that hangs would still end in time, and only repeated within half of what
was left when it began. So every call ends before Lambda ends the function, and whatever is done instead of a call that
failed has as much time as that call had.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

CALL_ERRORS = (BotoCoreError, ClientError)
"""What a call raises: AWS could not be reached or did not answer, or it refused."""
CONNECTIONS = 16
"""Calls that one client may have under way at once, from as many threads."""
LONGEST_CALL_SECONDS = 60.0
"""Secrets Manager throttles an account as a whole, so others' calls count: a minute is waited before that is told."""
SPARE_SECONDS = 1.0
"""What an invocation keeps for what it does without AWS."""
_LONGEST_BACKOFF_SECONDS = 20
"""Botocore waits before attempt n + 1 up to 2 ** (n - 1) seconds, and at most so many
(https://docs.aws.amazon.com/boto3/latest/guide/retries.html#standard-retry-mode)."""
_PATIENCE = Config(
    connect_timeout=1,
    read_timeout=4,
    max_pool_connections=CONNECTIONS,
    # Of the time that a batch of rows takes, a third went into checking what the adapters have written right.
    parameter_validation=False,
    retries={"mode": "standard", "total_max_attempts": 8},
)
_OWN_PATIENCE = {
    # A change of a function's configuration is answered once it is made.
    "lambda": _PATIENCE.merge(Config(read_timeout=10)),
    # A deployment takes no token: a call whose answer was lost is not repeated before somebody has looked.
    "ecs": _PATIENCE.merge(Config(read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})),
}


class OutOfTime(BotoCoreError):
    """A call was not begun, because the invocation might have ended before the call."""

    fmt = "{operation} was not called: it may take {needed:g} s, and {left:.0f} s are left"


class _Invocation:
    """The invocation under way, of which a process has one at a time; its threads share it."""

    ends_at = float("inf")
    """On the monotonic clock."""


def bounded_by_timeout(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Decorates an entry point: the AWS calls of an invocation end before Lambda ends it. They may raise OutOfTime."""

    @functools.wraps(handler)
    def bounded(event: Any, context: Any) -> Any:
        before = _Invocation.ends_at
        # A context that is made by hand, as Powertools' own documentation does, has no clock: then nothing is bounded.
        remaining = getattr(context, "get_remaining_time_in_millis", lambda: float("inf"))
        _Invocation.ends_at = time.monotonic() + remaining() / 1000 - SPARE_SECONDS
        try:
            return handler(event, context)
        finally:
            _Invocation.ends_at = before

    return bounded


@functools.cache
def client(service: str, answers_within: int | None = None, attempts: int = 1) -> Any:
    """The client of this service, in the Region and with the role that Lambda gives.

    Where `answers_within` is given, a call that has no answer after so many seconds is given up; it is made up to
    `attempts` times.
    """
    config = _OWN_PATIENCE.get(service, _PATIENCE)
    if answers_within is not None:
        config = config.merge(
            Config(read_timeout=answers_within, retries={"mode": "standard", "total_max_attempts": attempts})
        )
    made = boto3.client(service, config=config)
    _Deadline(made, config.connect_timeout + config.read_timeout).watch()
    return made


class _Deadline:
    """Holds the calls of one client to the time of the invocation."""

    def __init__(self, watched: Any, attempt_seconds: float) -> None:
        self._client, self._attempt_seconds = watched, attempt_seconds

    def watch(self) -> None:
        """Is asked by botocore before each call, and after each attempt."""
        events = self._client.meta.events
        events.register("before-call", self._begin, unique_id="deadline-begin")
        events.register("needs-retry", self._give_up_in_time, unique_id="deadline-retry")

    def _begin(self, model: Any, context: dict[str, Any], **_: object) -> None:
        now = time.monotonic()
        left = _Invocation.ends_at - now
        if left < self._attempt_seconds:
            raise OutOfTime(operation=model.name, needed=self._attempt_seconds, left=left)
        context["retried_until"] = now + min(left / 2, LONGEST_CALL_SECONDS)

    def _give_up_in_time(
        self,
        response: tuple[Any, dict[str, Any]] | None,
        operation: Any,
        attempts: int,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        **_: object,
    ) -> None:
        """Raises what the call has failed of, as botocore would, where the next attempt could end too late."""
        longest_wait = min(2 ** (attempts - 1), _LONGEST_BACKOFF_SECONDS)
        ends = time.monotonic() + longest_wait + self._attempt_seconds
        if ends <= request_dict["context"].get("retried_until", ends):
            return
        if caught_exception is not None:
            raise caught_exception
        if response is not None and response[0].status_code >= 300:
            error = response[1].get("Error", {})
            failure = self._client.exceptions.from_code(error.get("QueryErrorCode") or error.get("Code"))
            raise failure(response[1], operation.name)
