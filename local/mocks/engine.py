"""Runs a Pulumi program to its end without the engine: Pulumi's mocks answer for every resource.

Each run has a context, an event loop and a monitor of its own, so nothing of it is left for the next.
"""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_pulumi_func


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
    """Run the program, its Outputs included, and answer what it exported.

    The config is as the engine hands it over: texts, the structured ones as JSON. The monitor's mocks are called from
    this many threads at once. Whatever the program raises is raised here.
    """
    loop, context = asyncio.new_event_loop(), contextvars.copy_context()

    def alone() -> dict[str, Any]:
        # Pulumi keeps its settings in context variables.
        settings.SETTINGS.outputs = set()
        settings.SETTINGS.lock = threading.Lock()
        settings.set_root_resource(None)  # ty: ignore[invalid-argument-type]
        with _current(loop, threads):
            mocks.set_mocks(monitor.mocks, project=project, stack=stack, preview=preview, monitor=monitor)
            set_all_config(dict(config), list(secret_keys))
            loop.run_until_complete(run_pulumi_func(program))
            return loop.run_until_complete(_exports())

    # In a thread of its own, for two reasons: a Ctrl-C that strikes inside Pulumi's code is swallowed there, and then
    # the loop waits for ever; and Pulumi notes the whole stack of calls at every registration, which here is short.
    with concurrent.futures.ThreadPoolExecutor(1, "program") as thread:
        running = thread.submit(lambda: context.run(alone))
        try:
            return running.result()
        except KeyboardInterrupt:
            with contextlib.suppress(RuntimeError):  # It has struck when the loop was closed already.
                loop.call_soon_threadsafe(loop.stop)
            raise


def plain(value: Any) -> Any:
    """An input without the marks of a secret, and whole numbers as such: on the wire every number is a double."""
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


async def _exports() -> dict[str, Any]:
    outputs = getattr(settings.get_root_resource(), "outputs", {})
    return {name: await pulumi.Output.from_input(value).future() for name, value in outputs.items()}


@contextlib.contextmanager
def _current(loop: asyncio.AbstractEventLoop, threads: int) -> Generator[None]:
    """The loop with threads for its calls to the mocks, each with a loop of its own, as the mocks want; all close."""
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
        # After a failure the tasks of all that depended on it are left: they are told, and what they say is not heard.
        loop.set_exception_handler(lambda *_: None)
        pool.shutdown(wait=True, cancel_futures=True)
        try:
            pending = asyncio.all_tasks(loop)
            for task in pending:
                task.cancel()
            if pending:
                loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        finally:
            # A Ctrl-C that strikes here stops the loop, which is to be closed all the same.
            asyncio.set_event_loop(None)
            for each in loops:
                each.close()
