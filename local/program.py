"""Runs the repository's own `__main__.py` as the Pulumi engine would, with the table of resources in the place of AWS.

Pulumi's mocks are the seam: the program registers its resources, and each one is created through boto3. What the engine
does besides is done here: config as strings, generated physical names, numbers that are whole.
"""

import asyncio
import concurrent.futures
import contextvars
import importlib
import runpy
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_pulumi_func

from .aws import Aws
from .errors import LocalError
from .resources import TABLE, Resource, entry_for
from .stacks import Stack

_PARALLEL = 16


@dataclass
class Deployed:
    """What a run of the program left."""

    resources: list[Resource] = field(default_factory=list)
    """In the order of their creation: deleted in reverse."""
    outputs: dict[str, Any] = field(default_factory=dict)


def prepare() -> None:
    """Import what a program will import, now, while there is something else to wait for."""
    for token in TABLE:
        service, _, kind = token.removeprefix("aws:").partition("/")
        module = importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")
        getattr(module, kind.partition(":")[2])  # The SDK's modules load at the first look into them.


def run(stack: Stack, aws: Aws) -> Deployed:
    """Run the program to its end, with every resource created.

    Raises LocalError: the program's own complaint, or what AWS refused, by the resource it refused.
    """
    # Pulumi keeps its settings in context variables: in a context of its own a run leaves nothing behind for the next.
    return contextvars.copy_context().run(_run, stack, aws)


def _run(stack: Stack, aws: Aws) -> Deployed:
    deployed = Deployed()
    creator = _Creator(aws, deployed)
    settings.SETTINGS.outputs = set()
    settings.SETTINGS.lock = threading.Lock()
    settings.set_root_resource(None)  # ty: ignore[invalid-argument-type]
    with _event_loop() as loop:
        pulumi.runtime.set_mocks(creator, project=stack.project, stack=stack.name, preview=False)
        set_all_config(dict(stack.config), [])
        try:
            loop.run_until_complete(run_pulumi_func(lambda: _execute(stack.root)))
            deployed.outputs = loop.run_until_complete(_exports())
        except pulumi.RunError as error:
            raise LocalError(str(error)) from error
        except Exception:
            # What went wrong first is what went wrong; the rest followed from it.
            if creator.failure:
                raise creator.failure from None
            raise
    return deployed


def _execute(root: Path) -> None:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    runpy.run_path(str(root / "__main__.py"), run_name="__main__")


async def _exports() -> dict[str, Any]:
    root = settings.get_root_resource()
    outputs = getattr(root, "outputs", {})
    return {name: await pulumi.Output.from_input(value).future() for name, value in outputs.items()}


@contextmanager
def _event_loop() -> Generator[asyncio.AbstractEventLoop]:
    """A loop whose calls to the mocks run in threads, each with a loop of its own, as they want; all are closed."""
    loop = asyncio.new_event_loop()
    loops = [loop]

    def new_thread() -> None:
        own = asyncio.new_event_loop()
        asyncio.set_event_loop(own)
        loops.append(own)

    threads = concurrent.futures.ThreadPoolExecutor(_PARALLEL, "pulumi", initializer=new_thread)
    loop.set_default_executor(threads)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        # After a failure the tasks of all that depended on it are left: they are told, and what they say is not heard.
        loop.set_exception_handler(lambda *_: None)
        threads.shutdown(wait=True, cancel_futures=True)
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        if pending:
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        asyncio.set_event_loop(None)
        for each in loops:
            each.close()


class _Creator(mocks.Mocks):
    """What Pulumi's mocks ask for each resource: called from many threads at once."""

    def __init__(self, aws: Aws, deployed: Deployed) -> None:
        self.failure: LocalError | None = None
        self._aws = aws
        self._deployed = deployed
        self._registering = threading.Lock()

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom:
            return "", args.inputs
        try:
            return self._create(args.typ, args.name, _plain(args.inputs))
        except LocalError as error:
            self._failed(error)
            raise
        except (ClientError, BotoCoreError) as error:
            complaint = LocalError(f"{args.typ} {args.name} could not be created: {error}")
            self._failed(complaint)
            raise complaint from error

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        error = LocalError(f"The program looked up {args.token}: what a component needs, it is given.")
        self._failed(error)
        raise error

    def _create(self, token: str, name: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        entry = entry_for(token)
        entry.refuse_unknown(inputs)
        inputs = entry.named(name, inputs)
        created = entry.create(self._aws, inputs)
        with self._registering:
            self._deployed.resources.append(Resource(token, name, created.id, created.outputs))
        return created.id, {**inputs, **created.outputs}

    def _failed(self, error: LocalError) -> None:
        with self._registering:
            self.failure = self.failure or error


def _plain(value: Any) -> Any:
    """An input without the marks of a secret, and whole numbers as such: on the wire every number is a double."""
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
