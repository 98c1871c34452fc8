"""Programs run without Pulumi's engine."""

import concurrent.futures
import os
import signal
import time

import pulumi
import pytest
from pulumi.runtime import mocks

from local.mocks import engine


class Nothing(mocks.Mocks):
    """Returns the inputs of every resource."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict]:
        return args.name, args.inputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict, None]:
        return {}, None


def run(program) -> dict:
    return engine.run(program, mocks.MockMonitor(Nothing()), project="rotation-guard", stack="test", config={})


def test_a_program_runs_to_its_end_and_returns_its_exports():
    def program() -> None:
        pulumi.export("doubled", pulumi.Output.from_input(21).apply(lambda value: value * 2))

    assert run(program) == {"doubled": 42}


def test_an_exception_of_a_program_is_raised():
    def program() -> None:
        raise pulumi.RunError("this cannot be deployed")

    with pytest.raises(pulumi.RunError, match="this cannot be deployed"):
        run(program)


def test_a_run_leaves_nothing_for_the_next():
    run(lambda: pulumi.export("first", 1))

    assert run(lambda: pulumi.export("second", 2)) == {"second": 2}


def test_ctrl_c_ends_a_run_at_any_time():
    def program() -> None:
        # In the middle of Pulumi's own code, which would swallow it.
        pulumi.Output.from_input(None).apply(lambda _: os.kill(os.getpid(), signal.SIGINT))
        pulumi.export("late", pulumi.Output.from_input(None).apply(lambda _: time.sleep(1)))

    with pytest.raises(KeyboardInterrupt):
        run(program)


def test_ctrl_c_after_the_end_of_a_run_raises_keyboard_interrupt(monkeypatch):
    """It may arrive after the loop was closed."""
    ends = concurrent.futures.Future.result

    def interrupted(future, timeout=None):
        ends(future)
        raise KeyboardInterrupt

    monkeypatch.setattr(concurrent.futures.Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(lambda: pulumi.export("done", 1))
