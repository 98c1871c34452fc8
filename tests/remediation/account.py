"""An account in memory: every call that the product makes passes here, is written down, and may be where it dies."""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError

from handlers.adapters import clients
from tests.remediation.clock import Clock
from tests.remediation.refusals import Refusals

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
    """The function is gone between two calls: nothing in it can catch this."""


@dataclass
class Plan:
    """What happens to one invocation of a function on its way."""

    crash: tuple[int, str] | None = None
    """It dies before or after its write of this number, counted from 0."""
    is_dead: bool = False
    """It dies of its first call."""
    meanwhile: Mapping[int | str, Callable[[], None]] = field(default_factory=dict)
    """Something else happens before its call of this number, or before its first call of this operation."""
    done: set[str] = field(default_factory=set)
    """The operations that it has called."""
    calls: int = 0
    writes: int = 0


@dataclass
class Disturbance:
    """What goes wrong with one call."""

    error: BaseException | None
    """None for an answer that is empty."""
    is_carried_out: bool = False
    """Whether AWS has done what it was asked for, and only the answer is lost."""


@dataclass
class Call:
    """One call that was answered, whatever the answer."""

    service: str
    operation: str
    asked: dict[str, Any]
    refused: str = ""
    """The code of the refusal."""


class Account:
    """The services by their names. `plan` is that of the invocation under way; `seen` is told of each call."""

    def __init__(self, clock: Clock, services: Mapping[str, Any]) -> None:
        self.clock = clock
        self.services = services
        self.plan = Plan()
        self.calls: list[Call] = []
        self.seen: Callable[[Call], None] = lambda call: None
        self.disturb: Callable[[int, str, str], Disturbance | None] = lambda number, service, operation: None
        """Is asked before each call of an invocation, counted from 0, what is to go wrong with it."""

    def call(self, service: str, operation: str, asked: dict[str, Any]) -> Any:
        """Answers one call as AWS would, unless the invocation dies of it."""
        plan = self.plan
        self.clock.pass_by(CALL_SECONDS)
        key = plan.calls if operation in plan.done or operation not in plan.meanwhile else operation
        meanwhile = plan.meanwhile.get(key)
        plan.calls += 1
        plan.done.add(operation)
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
        call = Call(service, operation, asked)
        try:
            answer = getattr(self.services[service], operation)(asked)
            if disturbance and disturbance.error:
                raise disturbance.error
            return answer
        except Exception as error:
            call.refused = _code_of(error)
            raise
        finally:
            self.calls.append(call)
            self.seen(call)
            if is_write and plan.crash == (number, AFTER):
                raise Crash

    @contextmanager
    def installed(self, environment: Mapping[str, str]) -> Generator[None]:
        """Has the product call this account, at this account's time, in this environment."""
        with ExitStack() as stack:
            own = SimpleNamespace(client=lambda service, **_: Client(self, service))
            stack.enter_context(patch.object(clients, "boto3", own))
            stack.enter_context(patch.dict(os.environ, environment))
            stack.enter_context(self.clock.rules())
            clients.client.cache_clear()
            stack.callback(clients.client.cache_clear)
            yield


def _code_of(error: Exception) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


class Client:
    """What boto3 would give: a method for each operation, and refusals by their codes."""

    def __init__(self, account: Account, service: str) -> None:
        self._account, self._service = account, service
        self.exceptions = Refusals()
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def get_paginator(self, operation: str) -> Any:
        """Asks for one page after another, as they are read, as boto3 does where DynamoDB says that there is more."""

        def paginate(PaginationConfig: Mapping[str, int] | None = None, **asked: Any) -> Iterator[Any]:  # noqa: N803
            page_size = (PaginationConfig or {}).get("PageSize")
            asked |= {"Limit": page_size} if page_size else {}
            while True:
                page = getattr(self, operation)(**asked)
                yield page
                if "LastEvaluatedKey" not in page:
                    return
                asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

        return SimpleNamespace(paginate=paginate)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **asked: self._account.call(self._service, operation, asked)
