"""Which IAM permissions each function uses, by the calls that it makes while its tests run.

What a call asks of IAM is taken from botocore's models and from AWS's documentation, and from nothing that the product
says of itself. A call belongs to the handler on whose stack it is made; those that a test makes in between, by itself
or as somebody else, belong to nobody. With USED_PERMISSIONS set, a run of pytest writes what it saw to that file.
"""

import inspect
import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.client import BaseClient
from botocore.session import Session

from tests.remediation.account import Account

FILE = "USED_PERMISSIONS"
"""Variable that names the file."""
PREFIXES = {"monitoring": "cloudwatch"}
"""Name that a service's requests are signed with -> prefix of its IAM actions, where that is another one
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html)."""
TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
"""A transaction is authorised by its elements
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html)."""
OTHERS: Mapping[str, frozenset[str]] = {
    # https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    "lambda:Invoke": frozenset({"lambda:InvokeFunction"}),
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
    "secretsmanager:RotateSecret": frozenset({"secretsmanager:RotateSecret", "lambda:InvokeFunction"}),
    # A document may run as a role, which its caller passes to it
    # (https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html).
    "ssm:StartAutomationExecution": frozenset({"ssm:StartAutomationExecution", "iam:PassRole"}),
}
"""Calls that ask for another permission than that of their name, or for more than one."""

used: dict[str, set[str]] = defaultdict(set)
"""Entry point -> IAM actions."""
_threads = threading.local()


def iam_actions(signing_name: str, operation: str, asked: Mapping[str, Any]) -> frozenset[str]:
    """What IAM is asked for when this operation is called with these parameters."""
    call = f"{PREFIXES.get(signing_name, signing_name)}:{operation}"
    if operation == "TransactWriteItems":
        return frozenset(f"dynamodb:{TRANSACTED[kind]}" for one in asked["TransactItems"] for kind in one)
    return OTHERS.get(call, frozenset({call}))


@cache
def listen() -> None:
    """Notes calls from here on: of botocore's clients, of the account in memory, and of threads for who began them."""
    _around(BaseClient, "_make_api_call", _called)
    _around(Account, "call", _called_in_memory)
    submit = ThreadPoolExecutor.submit

    def submitted(pool: ThreadPoolExecutor, work: Callable[..., Any], *given: Any, **more: Any) -> Future[Any]:
        caller = _caller()

        def run() -> Any:
            _threads.caller = caller
            return work(*given, **more)

        return submit(pool, run)

    ThreadPoolExecutor.submit = submitted


def write() -> None:
    """Writes down what was used, where somebody has asked for it."""
    if target := os.environ.get(FILE):
        Path(target).write_text(json.dumps({name: sorted(actions) for name, actions in sorted(used.items())}))


def undeclared() -> list[str]:
    """What functions have used that they do not declare, so that no role grants it."""
    return [
        f"{name} uses {action}, which is not among its ACTIONS"
        for name, actions in used.items()
        for action in sorted(actions - sys.modules[name.rpartition(".")[0]].ACTIONS)
    ]


def _around(owner: Any, name: str, note: Callable[..., None]) -> None:
    original = getattr(owner, name)

    def noted(self: Any, *given: Any) -> Any:
        note(self, *given)
        return original(self, *given)

    setattr(owner, name, noted)


def _called(client: Any, operation: str, asked: Mapping[str, Any]) -> None:
    _note(client.meta.service_model.signing_name, operation, asked)


def _called_in_memory(_: Account, service: str, operation: str, asked: Mapping[str, Any]) -> None:
    signing_name, operations = _model(service)
    _note(signing_name, operations[operation], asked)


@cache
def _model(service: str) -> tuple[str, Mapping[str, str]]:
    model = Session().get_service_model(service)
    return model.signing_name, {xform_name(name): name for name in model.operation_names}


def _note(signing_name: str, operation: str, asked: Mapping[str, Any]) -> None:
    caller = _caller()
    if caller:
        used[caller] |= iam_actions(signing_name, operation, asked)


def _caller() -> str:
    """The entry point that makes the call; empty where a test makes it."""
    frame = inspect.currentframe()
    while frame:
        module = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name == "handler" and module.startswith("handlers."):
            return f"{module}.handler"
        if _is_test(module):
            return ""
        frame = frame.f_back
    return getattr(_threads, "caller", "")


def _is_test(module: str) -> bool:
    """Whether it tells the story; the account in memory and this file only pass calls on."""
    return module.startswith("test") and module not in (__name__, Account.__module__)
