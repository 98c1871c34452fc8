"""`python -m policies.check` reads what the real engine writes: events, exported state and state files."""

import json

import pytest
from pulumi.automation.events import EngineEvent
from pulumi_aws import sqs

from policies.inputs import state_files
from tests.engine.harness import EngineStack

ALL = {"jobs", "dead"}


def declare_queues() -> None:
    """Two queues, of which one refers to the other."""
    dead = sqs.Queue("dead", message_retention_seconds=1_209_600)
    redrive = dead.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5}))
    sqs.Queue("jobs", message_retention_seconds=60, redrive_policy=redrive)


@pytest.fixture
def events(monkeypatch):
    """The engine's events as it writes them, one line each."""
    lines: list[str] = []
    read = EngineEvent.from_json

    def record(data):
        lines.append(json.dumps(data))
        return read(data)

    monkeypatch.setattr(EngineEvent, "from_json", record)
    return lines


def list_queues(contents):
    return {resource.name for resource in contents.resources if resource.type.startswith("aws:")}


def read_lines(lines):
    contents = state_files.read("\n".join(lines).encode())
    lines.clear()
    return contents


def test_events_exported_state_and_state_file_of_a_stack_have_the_same_resources(aws, tmp_path, events):
    stack = EngineStack(tmp_path, aws, "dev", run_program=declare_queues)
    file = tmp_path / "state" / ".pulumi" / "stacks" / "rotation-guard" / "dev.json"

    new = state_files.read(file.read_bytes())
    stack.preview()
    preview = read_lines(events)
    stack.up()
    up = read_lines(events)
    stack.preview()
    unchanged = read_lines(events)
    exported, stored = (state_files.read(data) for data in (json.dumps(stack.export()).encode(), file.read_bytes()))
    stack.destroy()
    destroyed = read_lines(events)

    assert new.resources == ()
    for contents in (preview, up, unchanged, exported, stored):
        assert list_queues(contents) == ALL
        assert (contents.failure, contents.missing, contents.pending) == (None, 0, 0)
        assert {
            resource.name for resource in contents.resources if resource.custom and resource.type.startswith("aws:")
        } == ALL
    assert (preview.operation, up.operation, unchanged.operation) == ("preview", "update", "preview")
    [jobs] = [resource for resource in up.resources if resource.name == "jobs"]
    [dead] = [resource for resource in up.resources if resource.name == "dead"]
    assert jobs.document("redrivePolicy")["deadLetterTargetArn"] == dead.text("arn")
    assert (list_queues(destroyed), destroyed.failure) == (set(), None)


def test_events_of_a_failed_update_report_the_failure(aws, tmp_path, events):
    stack = EngineStack(tmp_path, aws, "dev", run_program=declare_queues)

    assert stack.up(refuses="::jobs").failed

    contents = read_lines(events)
    assert contents.failure
    assert contents.operation == "update"
    assert not stack.destroy().failed
