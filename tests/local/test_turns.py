"""Functions of which no more run at once than can be of use."""

import threading
import time

from local.turns import Turns


class Processes:
    """So many of one function, as the emulator keeps them: none is handed out twice."""

    def __init__(self):
        self.taken, self.most_at_once = set(), 0

    def acquire(self, func_name, config, code_zip, max_concurrency=0):
        free = [number for number in range(max_concurrency) if number not in self.taken]
        if not free:
            return None, "func_cap"
        self.taken.add(free[0])
        self.most_at_once = max(self.most_at_once, len(self.taken))
        return free[0], "reused"

    def release(self, worker):
        self.taken.discard(worker)


def test_twenty_calls_at_once_have_two_processes_and_all_get_their_turn():
    processes = Processes()
    turns, served = Turns(processes.acquire, processes.release, most=2), []

    def call():
        worker, _ = turns.acquire("claim", {}, b"")
        time.sleep(0.001)
        served.append(worker)
        turns.release(worker)

    callers = [threading.Thread(target=call) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=5)

    assert len(served) == 20
    assert processes.most_at_once == 2


def test_whoever_waits_gets_the_place_of_a_process_that_died():
    processes = Processes()
    turns = Turns(processes.acquire, processes.release, most=1)
    turns.acquire("claim", {}, b"")
    threading.Timer(0.02, processes.taken.clear).start()

    assert turns.acquire("claim", {}, b"") == (0, "reused")
