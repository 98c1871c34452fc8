"""An account in memory, which records every call of the product, and can crash the product at each."""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError

from handlers.adapters import clients
from tests.remediation.client_errors import ClientExceptions
from tests.remediation.clock import Clock

WRITES = frozenset(
    {
        "put_item",
        "update_item",
        "delete_item",
        "transact_write_items",
        "rotate_secret",
        "update_secret_version_stage",
        "publish",
        "put_events",
        "start_execution",
        "start_automation_execution",
        "update_service",
        "update_function_configuration",
    }
)
BEFORE, AFTER = "before", "after"
CALL_SECONDS = 0.03


class Crash(BaseException):
    """Ends the function between two calls; nothing in it can catch this."""


@dataclass
class Plan:
    """What happens during one invocation of a function."""

    crash: tuple[int, str] | None = None
    """The invocation crashes before or after the write with this number, counted from 0."""
    is_dead: bool = False
    """The invocation crashes at its first call."""
    meanwhile: Mapping[int | str, Callable[[], None]] = field(default_factory=dict)
    """Callbacks before the call with this number, or before the first call of this operation."""
    called: set[str] = field(default_factory=set)
    """The operations that were called."""
    calls: int = 0
    writes: int = 0


@dataclass
class Disturbance:
    """What goes wrong with one call."""

    error: BaseException | None
    """None for an empty response."""
    is_carried_out: bool = False
    """Whether AWS carried out the request, and only the response is lost."""


@dataclass
class Call:
    """One call that got a response or an error."""

    service: str
    operation: str
    request: dict[str, Any]
    error_code: str = ""
    """The code of the error response; empty for a success."""


class Account:
    """The services by name. `plan` applies to the current invocation; `on_call` is called after each call."""

    def __init__(self, clock: Clock, services: Mapping[str, Any]) -> None:
        self.clock = clock
        self.services = services
        self.plan = Plan()
        self.calls: list[Call] = []
        self.on_call: Callable[[Call], None] = lambda call: None
        self.disturb: Callable[[int, str, str], Disturbance | None] = lambda number, service, operation: None
        """Called before each call of an invocation, counted from 0: returns the fault to inject."""

    def call(self, service: str, operation: str, request: dict[str, Any]) -> Any:
        """Answers one call as AWS would, unless the plan crashes the invocation."""
        plan = self.plan
        self.clock.advance(CALL_SECONDS)
        key = plan.calls if operation in plan.called or operation not in plan.meanwhile else operation
        meanwhile = plan.meanwhile.get(key)
        plan.calls += 1
        plan.called.add(operation)
        if meanwhile:
            meanwhile()
            self.plan = plan
        if plan.is_dead:
            raise Crash
        disturbance = self.disturb(plan.calls - 1, service, operation)
        if disturbance and disturbance.error is None:
            return {}
        if disturbance and disturbance.error and not disturbance.is_carried_out:
            raise disturbance.error
        is_write = operation in WRITES
        number = plan.writes
        plan.writes += is_write
        if is_write and plan.crash == (number, BEFORE):
            raise Crash
        call = Call(service, operation, request)
        try:
            answer = getattr(self.services[service], operation)(request)
            if disturbance and disturbance.error:
                raise disturbance.error
            return answer
        except Exception as error:
            call.error_code = _code_of(error)
            raise
        finally:
            self.calls.append(call)
            self.on_call(call)
            if is_write and plan.crash == (number, AFTER):
                raise Crash

    @contextmanager
    def installed(self, environment: Mapping[str, str]) -> Generator[None]:
        """Makes the product use this account, its clock and this environment."""
        with ExitStack() as stack:
            own = SimpleNamespace(client=lambda service, **_: Client(self, service))
            stack.enter_context(patch.object(clients, "boto3", own))
            stack.enter_context(patch.dict(os.environ, environment))
            stack.enter_context(self.clock.installed())
            clients.client.cache_clear()
            stack.callback(clients.client.cache_clear)
            yield


def _code_of(error: Exception) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


class Client:
    """A boto3 client: a method for each operation, and exceptions by error code."""

    def __init__(self, account: Account, service: str) -> None:
        self._account, self._service = account, service
        self.exceptions = ClientExceptions()
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def get_paginator(self, operation: str) -> Any:
        """Requests the next page when the caller reads on, as boto3 does."""

        def paginate(PaginationConfig: Mapping[str, int] | None = None, **request: Any) -> Iterator[Any]:  # noqa: N803
            page_size = (PaginationConfig or {}).get("PageSize")
            request |= {"Limit": page_size} if page_size else {}
            while True:
                page = getattr(self, operation)(**request)
                yield page
                if "LastEvaluatedKey" not in page:
                    return
                request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

        return SimpleNamespace(paginate=paginate)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **request: self._account.call(self._service, operation, request)
