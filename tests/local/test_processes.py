"""Processes are ended by what they are, never by an id that somebody else has by now."""

import subprocess
import sys
from pathlib import Path

import pytest

from local import processes
from local.processes import ProcessGroup

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists() or not processes.has_pidfd(), reason="this system has no pidfd"
)
WAITS = [sys.executable, "-c", "input()"]


@pytest.fixture
def start():
    started = []

    def start_group():
        process = subprocess.Popen(WAITS, stdin=subprocess.PIPE, start_new_session=True)
        started.append(process)
        return process

    yield start_group
    for process in started:
        process.kill()
        process.communicate()


def test_a_group_is_ended(start):
    process = start()

    assert ProcessGroup.of_leader(process.pid).terminate()

    assert process.wait(timeout=5) is not None


def test_an_id_that_is_given_away_after_the_listing_is_not_signalled(start, monkeypatch):
    ended, bystander = start(), start()
    group = ProcessGroup.of_leader(ended.pid)
    ended.kill()
    ended.wait()
    ticks = int(group.started.partition("/")[2])
    look, listings = processes._list_processes, []

    def list_once_too_often():
        listings.append(1)
        # The listing still has a member of the group, by the id that is the bystander's when it is signalled.
        return iter([(bystander.pid, group.pid, ticks)]) if len(listings) == 1 else look()

    monkeypatch.setattr(processes, "_list_processes", list_once_too_often)

    assert group.terminate()

    assert len(listings) > 1
    with pytest.raises(subprocess.TimeoutExpired):
        bystander.wait(timeout=0.2)
