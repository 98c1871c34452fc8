"""Runs a Pulumi program without the engine: Pulumi's mocks respond for every resource.

Each run has its own context, event loop and monitor, so that no state remains for the next.
"""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from typing import Any

import pulumi
from pulumi.runtime import mocks, resource, rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto.source_pb2 import StackTrace
from pulumi.runtime.stack import run_pulumi_func

# Pulumi sends the call stack with every registration. Mocks ignore it, and it is a tenth of the cost of a run.
resource._get_stack_trace = StackTrace  # ty: ignore[invalid-assignment]


def run(
    program: Callable[[], Any],
    monitor: mocks.MockMonitor,
    *,
    project: str,
    stack: str,
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    preview: bool = False,
    threads: int = 1,
) -> dict[str, Any]:
    """Run the program until its Outputs are resolved, and return its exports.

    The config has the engine's format: text, with structured values as JSON. The mocks are called from this many
    threads at once. Exceptions of the program are raised here.
    """
    loop, context = asyncio.new_event_loop(), contextvars.copy_context()

    def run_isolated() -> dict[str, Any]:
        # Pulumi keeps its settings in context variables.
        settings.SETTINGS.outputs = set()
        settings.SETTINGS.lock = threading.Lock()
        settings.set_root_resource(None)  # ty: ignore[invalid-argument-type]
        with _use_loop(loop, threads):
            mocks.set_mocks(monitor.mocks, project=project, stack=stack, preview=preview, monitor=monitor)
            set_all_config(dict(config), list(secret_keys))
            loop.run_until_complete(run_pulumi_func(program))
            return loop.run_until_complete(_resolve_exports())

    # In a separate thread: Pulumi's code swallows a Ctrl-C inside it, and then the loop waits forever.
    with concurrent.futures.ThreadPoolExecutor(1, "program") as thread:
        running = thread.submit(lambda: context.run(run_isolated))
        try:
            return running.result()
        except KeyboardInterrupt:
            with contextlib.suppress(RuntimeError):  # The loop is already closed.
                loop.call_soon_threadsafe(loop.stop)
            raise


def to_plain(value: Any) -> Any:
    """Return an input without secret markers, and whole numbers as int: on the wire every number is a double."""
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        return {key: to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


async def _resolve_exports() -> dict[str, Any]:
    outputs = getattr(settings.get_root_resource(), "outputs", {})
    return {name: await pulumi.Output.from_input(value).future() for name, value in outputs.items()}


@contextlib.contextmanager
def _use_loop(loop: asyncio.AbstractEventLoop, threads: int) -> Generator[None]:
    """Use this loop, with threads for calls to the mocks; each thread has its own loop, as the mocks require."""
    loops = [loop]

    def new_thread() -> None:
        own = asyncio.new_event_loop()
        asyncio.set_event_loop(own)
        loops.append(own)

    pool = concurrent.futures.ThreadPoolExecutor(threads, "pulumi", initializer=new_thread)
    loop.set_default_executor(pool)
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        # After a failure, tasks that depended on it are pending: cancel them and ignore their errors.
        loop.set_exception_handler(lambda *_: None)
        pool.shutdown(wait=True, cancel_futures=True)
        try:
            pending = asyncio.all_tasks(loop)
            for task in pending:
                task.cancel()
            if pending:
                loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        finally:
            # Close the loops even when a Ctrl-C stops this one.
            asyncio.set_event_loop(None)
            for open_loop in loops:
                open_loop.close()
