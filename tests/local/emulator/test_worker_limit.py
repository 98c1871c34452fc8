"""The calls of a function never exceed its workers, and run in order."""

import threading
from collections import Counter

from local.emulator.worker_limit import WorkerLimit
from local.waiting import eventually


def test_twenty_calls_at_once_share_two_slots():
    limit, inside, max_workers, served = WorkerLimit(max_workers=2), Counter(), [0], []
    counting = threading.Lock()

    def call(number):
        with limit.reserve("claim"):
            with counting:
                inside["now"] += 1
                max_workers[0] = max(max_workers[0], inside["now"])
            served.append(number)
            with counting:
                inside["now"] -= 1

    callers = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=5)

    assert sorted(served) == list(range(20))
    assert max_workers[0] <= 2


def test_the_call_that_has_waited_longest_is_next():
    limit, served = WorkerLimit(max_workers=1), []

    def call(number):
        with limit.reserve("claim"):
            served.append(number)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(5)]
    with limit.reserve("claim"):
        for number, caller in enumerate(callers):
            caller.start()
            eventually(lambda so_far=number: len(limit._waiting["claim"]) > so_far, "a call that waits")
    for caller in callers:
        caller.join(timeout=5)
    assert served == [0, 1, 2, 3, 4]


def test_a_call_that_fails_releases_its_slot():
    limit = WorkerLimit(max_workers=1)
    for _ in range(2):
        try:
            with limit.reserve("claim"):
                raise RuntimeError
        except RuntimeError:
            continue
    with limit.reserve("claim"), limit.reserve("decide"):
        pass
