"""`up` and `down`, including failures: one sentence, no leftover process, and the next `up` works."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.commands import main
from local.demo import portfolio
from local.deploy import deployment
from local.deploy.resources import Resource
from local.emulator import api
from local.emulator.process import Emulator
from local.errors import LocalError
from local.waiting import eventually
from tests.local.conftest import TOPIC
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="left-over processes are sought in /proc")


def emulators(leftover_processes) -> int:
    return sum("local.emulator.main" in line for line in leftover_processes())


@pytest.fixture
def up(directory, program):
    def up(body: str = TOPIC, **more) -> deployment.RunningStack:
        return deployment.up(directory, root=program(body), **more)

    return up


def test_the_description_of_a_stack_is_readable_by_its_owner_only(shared):
    described = shared.directory / "stack.json"
    state = json.loads(described.read_text())
    assert {"endpoint_url", "region", "account_id", "access_key_id", "secret_access_key"} < set(state)
    assert state["outputs"] == shared.outputs
    assert set(state["seconds"]) == {"start", "deploy"}
    assert described.stat().st_mode & 0o777 == 0o600


def test_the_inbox_receives_the_messages_of_a_topic(shared):
    shared.client("sns").publish(TopicArn=shared.outputs["failures_topic_arn"], Message="failed")

    def receive():
        return shared.client("sqs").receive_message(QueueUrl=shared.inbox["failures"]).get("Messages")

    [message] = eventually(receive, "the message")
    assert json.loads(message["Body"])["Message"] == "failed"


def test_the_waits_of_a_workflow_are_scaled(shared):
    states = shared.client("stepfunctions")
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = shared.client("iam").create_role(
        RoleName="waits", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    machine = states.create_state_machine(
        name="waits",
        roleArn=role["Role"]["Arn"],
        definition=json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 300, "End": True}}}),
    )["stateMachineArn"]

    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    eventually(lambda: states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED", "the end of it")
    states.delete_state_machine(stateMachineArn=machine)
    shared.client("iam").delete_role(RoleName="waits")


def test_the_environment_can_be_sourced(shared):
    script = '. "$0/env"; echo "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID ${AWS_PROFILE-unset}"'
    command = ["/bin/sh", "-c", script, str(shared.directory)]
    captured = subprocess.check_output(command, env={"AWS_PROFILE": "mine"}, text=True)
    assert captured.split() == [shared.endpoint_url, shared.access_key_id, "unset"]


def test_a_developers_own_profile_and_proxy_are_never_used(shared, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    stack = deployment.require_running(shared.directory)
    assert stack.client("sts").get_caller_identity()["Account"] == "111122223333"


def test_status_shows_the_stack_and_the_number_of_messages(shared, capsys):
    assert main(["--directory", str(shared.directory), "status"]) == 0
    output = capsys.readouterr().out
    assert shared.endpoint_url in output
    assert "inbox failures" in output


def test_a_stack_is_replaced_only_after_a_successful_deployment(up, leftover_processes):
    first = up()
    with pytest.raises(LocalError, match=r"^no$"):
        up('sns.Topic("a")\nraise pulumi.RunError("no")')
    assert first.is_alive()
    assert emulators(leftover_processes) == 1

    port = int(first.endpoint_url.rpartition(":")[2])
    second = up(port=port)
    assert second.is_alive()
    assert second.outputs != first.outputs
    third = up()
    assert third.is_alive()
    assert not second.is_alive()
    assert emulators(leftover_processes) == 1


def test_a_taken_port_is_named(up, directory):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalError, match=rf"^Port {port} is taken"):
            up(port=port)
    assert not directory.exists()


def test_a_concurrent_up_or_down_is_rejected(directory, up):
    directory.mkdir()
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (up, lambda: deployment.down(directory)):
            with pytest.raises(LocalError, match="Another `up` or `down` is running"):
                command()


def test_an_emulator_that_died_is_noticed_and_replaced(directory, up, capsys, leftover_processes):
    stack = up()
    os.kill(stack.emulator.process.pid, signal.SIGKILL)
    eventually(lambda: not stack.is_alive(), "its death")
    with pytest.raises(LocalError, match="has died: start it again with `make up`"):
        deployment.require_running(directory)
    assert main(["--directory", str(directory), "status"]) == 1
    assert "has died" in capsys.readouterr().out

    os.kill(up().emulator.process.pid, signal.SIGKILL)
    assert main(["--directory", str(directory), "down"]) == 0
    assert "had died" in capsys.readouterr().out
    assert not directory.exists()
    assert leftover_processes() == []


def test_leftovers_of_killed_runs_are_removed_but_no_other_process(directory, up, leftover_processes):
    directory.mkdir()
    (directory / "stack.json").write_text('{"endpoint_url": "http')
    stray = Emulator.start(directory / "emulator-7", "eu-west-1")
    # A process id from an earlier boot, and one that another process has now.
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    boot = stray.process.started.partition("/")[0]
    for name, started in (("emulator-8", "an earlier boot/1"), ("emulator-9", f"{boot}/1")):
        (directory / name).mkdir()
        record = {"pid": bystander.pid, "started": started, "port": 1}
        (directory / name / "process.json").write_text(json.dumps(record))
    try:
        assert up().is_alive()
        assert bystander.poll() is None
        assert not stray.process.is_leader_alive()
        assert emulators(leftover_processes) == 1
        assert len(list(directory.glob("emulator-*"))) == 1
    finally:
        bystander.communicate(b"\n")


def test_down_deletes_and_counts_the_users_resources_and_keeps_other_files(directory, up, capsys, leftover_processes):
    stack = up()
    stack.client("sqs").create_queue(QueueName="made-by-hand")
    # More than a page of ListSecrets.
    now = datetime.now(UTC).isoformat()
    seeds = [
        {
            "Name": f"mine/{number}",
            "ARN": f"arn:aws:secretsmanager:{stack.region}:{stack.account_id}:secret:mine/{number}-Ab12Cd",
            "Tags": [],
            "RotationEnabled": False,
            "SecretVersionsToStages": {"first": ["AWSCURRENT"]},
            "VersionCreatedDates": {"first": now},
            "CreatedDate": now,
            "LastChangedDate": now,
        }
        for number in range(120)
    ]
    api.call_action(stack.aws, portfolio.SEED_ACTION, {"Secrets": seeds})
    (directory / "bench.json").write_text("{}")

    assert main(["--directory", str(directory), "down"]) == 0

    captured = capsys.readouterr()
    assert captured.err == ""
    assert " of the stack, and 121 of your own (Queue 1, Secret 120), and ended the embedded AWS" in captured.out
    assert len(captured.out) < 500
    assert leftover_processes() == []
    assert [path.name for path in directory.iterdir()] == ["bench.json"]


def test_down_names_some_of_the_resources_that_cannot_be_deleted(directory, up, capsys, monkeypatch):
    body = "".join(f'pulumi.export("topic{number}", sns.Topic("t{number}").arn)\n' for number in range(15))
    up(body)
    monkeypatch.setattr("local.deploy.deployment.Resource.delete", lambda resource, aws: None)
    monkeypatch.setattr("local.deploy.deployment._DELETE_TIMEOUT_SECONDS", 0)

    assert main(["--directory", str(directory), "down"]) == 1

    captured = capsys.readouterr()
    # The topics, and the account's trail with its bucket.
    assert re.search(r"but 17 resources were left in it: .* and 7 more\.$", captured.err.strip())
    assert len(captured.err.splitlines()) == 1


def test_adopted_resources_are_added_to_those_of_another_process(shared):
    first, second = (deployment.require_running(shared.directory) for _ in range(2))
    resources = [Resource("aws:sqs/queue:Queue", name, f"no-such-queue-{name}", {}) for name in ("a", "b")]

    first.adopt(resources[:1])
    second.adopt(resources)

    described = deployment.require_running(shared.directory).resources
    assert [resource["name"] for resource in described].count("a") == 1
    assert {"a", "b"} <= {resource["name"] for resource in described}


def test_nothing_is_adopted_while_another_process_holds_the_lock(shared, monkeypatch):
    monkeypatch.setattr(deployment, "_ADOPT_TIMEOUT_SECONDS", 0.0)
    before = (shared.directory / "stack.json").read_text()
    with (shared.directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LocalError, match="Another `up` or `down` is running"):
            shared.adopt([Resource("aws:sqs/queue:Queue", "c", "c", {})])
    assert (shared.directory / "stack.json").read_text() == before


def test_a_replaced_stack_does_not_overwrite_the_description(shared):
    replaced = deployment.require_running(shared.directory)
    replaced.access_key_id = "AKIAOFANEARLIERRUN"
    before = (shared.directory / "stack.json").read_text()

    with pytest.raises(LocalError, match="replaced or removed meanwhile"):
        replaced.adopt([Resource("aws:sqs/queue:Queue", "d", "d", {})])

    assert (shared.directory / "stack.json").read_text() == before


@pytest.mark.parametrize("step", ["starting the embedded AWS", "deploying the stack"])
def test_an_interruption_stops_everything(up, directory, leftover_processes, step):
    def interrupt(now: str) -> None:
        if now == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        up(progress=interrupt)
    assert leftover_processes() == []
    assert not directory.exists()


def test_ctrl_c_ends_the_command_without_a_traceback(directory, leftover_processes):
    command = [sys.executable, "-m", "local", "--directory", str(directory), "up", "--no-stories"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        eventually(lambda: list(directory.glob("emulator-*/process.json")), "the start of the emulator")
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
        _, output = run.communicate(timeout=20)
    *progress, last = output.splitlines()
    assert (run.returncode, last) == (130, "Interrupted: everything that this command had started was stopped.")
    # Whatever takes more than a second is named.
    assert all(line.endswith(" ...") for line in progress)
    assert leftover_processes() == []
    assert not directory.exists()


def test_an_emulator_that_cannot_start_is_reported_with_its_last_log_line(tmp_path, monkeypatch):
    monkeypatch.setattr("local.emulator.process._MODULE", "local.no_such_module")
    emulator = Emulator.start(tmp_path / "emulator", "eu-west-1")
    with pytest.raises(LocalError, match=r"ended during its start: .*no_such_module"):
        emulator.wait_until_ready()
    assert emulator.stop()
