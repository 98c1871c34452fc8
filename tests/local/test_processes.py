"""Only processes that were started here are killed, never others that reuse their ids."""

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


def test_a_group_is_killed(start):
    process = start()

    assert ProcessGroup.of_leader(process.pid).kill()

    assert process.wait(timeout=5) is not None


def test_an_id_that_is_reused_after_the_listing_is_not_signalled(start, monkeypatch):
    ended, bystander = start(), start()
    group = ProcessGroup.of_leader(ended.pid)
    ended.kill()
    ended.wait()
    ticks = int(group.started.partition("/")[2])
    list_processes, listings = processes._list_processes, []

    def list_reused_id():
        listings.append(1)
        # The listing has a member of the group whose id the bystander has when it is signalled.
        return iter([(bystander.pid, group.pid, ticks)]) if len(listings) == 1 else list_processes()

    monkeypatch.setattr(processes, "_list_processes", list_reused_id)

    assert group.kill()

    assert len(listings) > 1
    with pytest.raises(subprocess.TimeoutExpired):
        bystander.wait(timeout=0.2)
