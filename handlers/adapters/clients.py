"""The AWS clients, one per service and process, created on first use so that importing a handler has no effect.

Calls are limited by time, not by a number of attempts. An entry point is decorated with `bounded_by_timeout`. A call is
then started only if an attempt that hangs would still end in time, and retried only within half of the remaining time.
So every call ends before Lambda stops the function, and a fallback has as much time as the call that failed.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

CALL_ERRORS = (BotoCoreError, ClientError)
"""What a call raises: AWS did not respond, or it returned an error."""
CONNECTIONS = 16
"""Concurrent calls per client, from as many threads."""
LONGEST_CALL_SECONDS = 60.0
"""Maximum duration of a call with its retries. Secrets Manager throttles per account, so calls of others count."""
SPARE_SECONDS = 1.0
"""Reserve of an invocation for work without AWS calls."""
_LONGEST_BACKOFF_SECONDS = 20
"""Botocore waits before attempt n + 1 up to 2 ** (n - 1) seconds, at most this long
(https://docs.aws.amazon.com/boto3/latest/guide/retries.html#standard-retry-mode)."""
_CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=4,
    max_pool_connections=CONNECTIONS,
    # Validation took a third of the time of a batch write, and the adapters' parameters are tested.
    parameter_validation=False,
    retries={"mode": "standard", "total_max_attempts": 8},
)
_SERVICE_CONFIGS = {
    # Lambda responds once the change of a configuration is made.
    "lambda": _CLIENT_CONFIG.merge(Config(read_timeout=10)),
    # A report of many secrets has some 100 MB.
    "s3": _CLIENT_CONFIG.merge(Config(read_timeout=20)),
    # UpdateService has no idempotency key, so a call whose response was lost must not be repeated blindly.
    "ecs": _CLIENT_CONFIG.merge(Config(read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})),
}


class OutOfTime(BotoCoreError):
    """A call was not started, because it might outlast the invocation."""

    fmt = "{operation} was not called: it may take {needed:g} s, but only {left:.0f} s are left"


class _Invocation:
    """The current invocation: a process has one at a time, and its threads share it."""

    ends_at = float("inf")
    """On the monotonic clock."""


def bounded_by_timeout(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Decorate an entry point so that its AWS calls end before Lambda's timeout. They may raise OutOfTime."""

    @functools.wraps(handler)
    def bounded(event: Any, context: Any) -> Any:
        before = _Invocation.ends_at
        # A hand-made context, as in Powertools' documentation, has no clock: then there is no limit.
        remaining = getattr(context, "get_remaining_time_in_millis", lambda: float("inf"))
        _Invocation.ends_at = time.monotonic() + remaining() / 1000 - SPARE_SECONDS
        try:
            return handler(event, context)
        finally:
            _Invocation.ends_at = before

    return bounded


@functools.cache
def client(service: str, answers_within: int | None = None, attempts: int = 1, region: str | None = None) -> Any:
    """The client of this service with the function's role, in the function's Region or in the given one.

    `answers_within` is a read timeout in seconds; with it, a call is made up to `attempts` times.
    """
    config = _SERVICE_CONFIGS.get(service, _CLIENT_CONFIG)
    if answers_within is not None:
        config = config.merge(
            Config(read_timeout=answers_within, retries={"mode": "standard", "total_max_attempts": attempts})
        )
    created = boto3.client(service, config=config, **({"region_name": region} if region else {}))
    _Deadline(created, config.connect_timeout + config.read_timeout).watch()
    return created


class _Deadline:
    """Limits the calls of one client to the time of the invocation."""

    def __init__(self, watched: Any, attempt_seconds: float) -> None:
        self._client, self._attempt_seconds = watched, attempt_seconds

    def watch(self) -> None:
        """Register with botocore, which calls back before each call and after each attempt."""
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
        """Raise the call's error, as botocore would, if another attempt could end too late."""
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
