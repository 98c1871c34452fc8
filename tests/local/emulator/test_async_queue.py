"""Asynchronous invocations, on a Lambda that fails on request."""

import threading

import pytest

from local.emulator.async_queue import AsyncQueue, Outcome, Settings
from local.waiting import eventually

DONE = Outcome()
THROTTLED = Outcome(error=True, throttled=True)
BROKEN = Outcome(error=True)
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:start"


class Lambda:
    """Returns the scripted outcome of each run, the last repeated."""

    def __init__(self, *script: Outcome | Exception, settings: Settings | None = None) -> None:
        self.script, self.wanted = script, settings or Settings()
        self.runs: dict[int, int] = {}
        self.done: list[int] = []
        self.discarded: list[tuple[int, str]] = []
        self._one_at_a_time = threading.Lock()

    def settings(self, function_arn):
        return self.wanted

    def run(self, function_arn, event):
        with self._one_at_a_time:
            run = self.runs[event] = self.runs.get(event, 0) + 1
            answer = self.script[min(run, len(self.script)) - 1]
            if isinstance(answer, Exception):
                raise answer
            if not answer.error:
                self.done.append(event)
            return answer

    def give_up(self, invocation, condition, outcome):
        self.discarded.append((invocation.event, condition))


def accepted(service: Lambda, count: int = 1) -> AsyncQueue:
    queue = AsyncQueue(service, max_workers=2, first_wait_seconds=0.001, longest_wait_seconds=0.01)
    for number in range(count):
        queue.accept(FUNCTION, number)
    return queue


def test_each_of_many_events_runs_once():
    service = Lambda(DONE)
    accepted(service, 500)
    eventually(lambda: len(service.done) == 500, "all of them")
    assert set(service.runs.values()) == {1}


def test_a_throttle_is_retried_more_often_than_an_error():
    service = Lambda(*[THROTTLED] * 40, DONE)
    accepted(service)
    eventually(lambda: service.done, "the event")
    assert service.runs == {0: 41}
    assert service.discarded == []


@pytest.mark.parametrize(("retries", "runs"), [(0, 1), (1, 2), (2, 3)])
def test_an_error_is_retried_as_often_as_the_function_is_configured(retries, runs):
    service = Lambda(BROKEN, settings=Settings(retries=retries))
    accepted(service)
    eventually(lambda: service.discarded, "its end")
    assert service.runs == {0: runs}
    assert service.discarded == [(0, "RetriesExhausted")]


def test_throttles_do_not_count_as_errors_of_the_function():
    service = Lambda(THROTTLED, BROKEN, THROTTLED, BROKEN, THROTTLED, DONE)
    accepted(service)
    eventually(lambda: service.done, "the event")
    assert service.discarded == []


def test_an_event_that_is_throttled_until_it_is_too_old_is_discarded():
    service = Lambda(THROTTLED, settings=Settings(age_seconds=0.05))
    accepted(service)
    eventually(lambda: service.discarded, "its end")
    assert service.discarded == [(0, "EventAgeExceeded")]


def test_a_failure_of_the_service_itself_is_retried():
    service = Lambda(RuntimeError("cannot start a process"), RuntimeError("cannot start a process"), DONE)
    accepted(service)
    eventually(lambda: service.done, "the event")
    assert service.runs == {0: 3}


def test_an_event_is_processed_after_its_queue_was_empty():
    service = Lambda(DONE)
    queue = accepted(service)
    eventually(lambda: service.done == [0] and not queue._worker_counts[FUNCTION], "an empty queue")
    queue.accept(FUNCTION, 1)
    eventually(lambda: service.done == [0, 1], "the second event")


def test_an_event_succeeds_after_thousands_of_throttles():
    service = Lambda(*[THROTTLED] * 2000, DONE)
    AsyncQueue(service, max_workers=1, first_wait_seconds=1e-9, longest_wait_seconds=1e-9).accept(FUNCTION, 0)
    eventually(lambda: service.done, "the event", 30)
