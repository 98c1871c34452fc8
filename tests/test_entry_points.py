"""When an interruption takes effect that arrives at a bad moment."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from rotation_guard.entry_points import postpone_interruption


@pytest.fixture
def handler():
    """Install a handler for SIGINT and SIGTERM; what was there is restored after the test."""
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def install(handler):
        for number in previous:
            signal.signal(number, handler)

    yield install
    for number, handler in previous.items():
        signal.signal(number, handler)


def interrupt_within(number: int, then: Callable[[], None]) -> None:
    with postpone_interruption():
        os.kill(os.getpid(), number)
        then()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_takes_effect_after_the_context(handler, number):
    handler(signal.default_int_handler)
    reached = []

    with pytest.raises(KeyboardInterrupt):
        interrupt_within(number, lambda: reached.append("the end"))

    assert reached == ["the end"]
    assert signal.getsignal(number) is signal.default_int_handler


def test_an_interruption_that_is_ignored_stays_ignored(handler):
    handler(signal.SIG_IGN)

    with postpone_interruption():
        os.kill(os.getpid(), signal.SIGINT)

    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_second_interruption_is_the_same_one(handler):
    received = []
    handler(lambda number, frame: received.append(number))

    with postpone_interruption():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    assert received == [signal.SIGINT]


def test_an_error_of_the_context_is_not_lost_behind_the_interruption(handler):
    handler(signal.default_int_handler)

    def fail():
        raise ModuleNotFoundError("No module named 'pulumi'")

    with pytest.raises(KeyboardInterrupt) as interrupted:
        interrupt_within(signal.SIGINT, fail)

    assert isinstance(interrupted.value.__context__, ModuleNotFoundError)


def test_in_another_thread_nothing_is_postponed():
    reached = []

    def run():
        with postpone_interruption():
            reached.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert reached == [signal.getsignal(signal.SIGINT)]
