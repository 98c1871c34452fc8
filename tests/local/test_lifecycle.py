"""`up` and `down`, also when something is in the way: one sentence, no process left over, and the next `up` works."""

import contextlib
import errno
import fcntl
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.commands import main
from local.deploy import deployment
from local.deploy.resources import Resource
from local.emulator.process import Emulator
from local.errors import LocalError
from local.waiting import eventually
from tests.paths import ROOT

TOPIC = 'pulumi.export("failures_topic_arn", sns.Topic("failures").arn)'

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="left-over processes are sought in /proc")


def emulators(leftover_processes) -> int:
    return sum("local.emulator.main" in line for line in leftover_processes())


@pytest.fixture(scope="module")
def shared(tmp_path_factory, write_program):
    """A stack for the tests that only look at it."""
    folder = tmp_path_factory.mktemp("shared")
    root = write_program(folder / "project", TOPIC)
    with deployment.deploy_temporarily(folder / ".local", root=root, wait_scale=0.001) as stack:
        yield stack


@pytest.fixture
def directory(tmp_path):
    yield tmp_path / ".local"
    # Quicker than `down`, which deletes every resource first.
    for folder in (tmp_path / ".local").glob("emulator-*"):
        if emulator := Emulator.load(folder):
            emulator.stop()


@pytest.fixture
def up(directory, program):
    def up(body: str = TOPIC, **more) -> deployment.RunningStack:
        return deployment.up(directory, root=program(body), **more)

    return up


def test_a_stack_describes_itself_for_its_owner_alone(shared):
    described = shared.directory / "stack.json"
    state = json.loads(described.read_text())
    assert {"endpoint_url", "region", "account_id", "access_key_id", "secret_access_key"} < set(state)
    assert state["outputs"] == shared.outputs
    assert set(state["seconds"]) == {"start", "deploy"}
    assert described.stat().st_mode & 0o777 == 0o600


def test_the_inbox_hears_what_a_topic_says(shared):
    shared.client("sns").publish(TopicArn=shared.outputs["failures_topic_arn"], Message="failed")

    def heard():
        return shared.client("sqs").receive_message(QueueUrl=shared.inbox["failures"]).get("Messages")

    [message] = eventually(heard, "the message")
    assert json.loads(message["Body"])["Message"] == "failed"


def test_a_workflow_waits_as_long_as_its_waits_are_scaled_to(shared):
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
    told = subprocess.check_output(command, env={"AWS_PROFILE": "mine"}, text=True)
    assert told.split() == [shared.endpoint_url, shared.access_key_id, "unset"]


def test_a_developers_own_profile_and_proxy_are_never_used(shared, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    found = deployment.require_running(shared.directory)
    assert found.client("sts").get_caller_identity()["Account"] == "111122223333"


def test_status_tells_what_runs_and_how_many_messages_wait(shared, capsys):
    assert main(["--directory", str(shared.directory), "status"]) == 0
    said = capsys.readouterr().out
    assert shared.endpoint_url in said
    assert "inbox failures" in said


def test_a_bad_event_is_one_sentence(shared, tmp_path, capsys):
    bad = {
        "no-such-event": (None, "There is no file or recorded event 'no-such-event'"),
        "cut-short.json": ("{", "cut-short.json is not JSON"),
        "list.json": (
            "[]",
            "list.json is not an event in EventBridge's format: it lacks detail, detail-type, source",
        ),
        "text.json": ('{"source": "a", "detail-type": "b", "detail": "c"}', "it has a detail that is not an object"),
    }
    for name, (text, sentence) in bad.items():
        if text is not None:
            (tmp_path / name).write_text(text)
        with contextlib.chdir(tmp_path):
            assert main(["--directory", str(shared.directory), "event", name]) == 1
        said = capsys.readouterr().err
        assert sentence in said
        assert len(said.splitlines()) == 1


def test_a_stack_is_replaced_only_by_one_that_stands(up, leftover_processes):
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


def test_a_program_that_fails_leaves_nothing(directory, up, leftover_processes):
    with pytest.raises(LocalError, match=r"^no$"):
        up('raise pulumi.RunError("no")')
    assert leftover_processes() == []
    assert not directory.exists()


def test_a_port_that_is_taken_is_named(up, directory):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalError, match=rf"^Port {port} is taken"):
            up(port=port)
    assert not directory.exists()


def test_a_second_up_or_down_meanwhile_is_told_to_wait(directory, up):
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


def test_down_without_a_stack_says_so(directory, capsys):
    assert main(["--directory", str(directory), "down"]) == 0
    assert capsys.readouterr().out == "No stack was running; nothing is left behind.\n"
    assert not directory.exists()


def test_what_killed_runs_left_behind_is_cleared_away_and_nobody_elses_process(directory, up, leftover_processes):
    directory.mkdir()
    (directory / "stack.json").write_text('{"endpoint_url": "http')
    stray = Emulator.start(directory / "emulator-7", "eu-west-1")
    # A process id that was ours in an earlier boot, and another that is somebody else's by now.
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


def test_down_takes_what_the_user_made_too_counts_it_and_keeps_what_others_put_there(
    directory, up, capsys, leftover_processes
):
    stack = up()
    sqs, secrets = stack.client("sqs"), stack.client("secretsmanager")
    sqs.create_queue(QueueName="made-by-hand")
    # More than ListSecrets answers in a page.
    for number in range(120):
        secrets.create_secret(Name=f"mine/{number}", SecretString="{}")
    (directory / "bench.json").write_text("{}")

    assert main(["--directory", str(directory), "down"]) == 0

    told = capsys.readouterr()
    assert told.err == ""
    assert " of the stack, and 121 of your own (Queue 1, Secret 120), and ended the embedded AWS" in told.out
    assert len(told.out) < 500
    assert leftover_processes() == []
    assert [path.name for path in directory.iterdir()] == ["bench.json"]


def test_down_names_some_of_the_stacks_resources_that_stay(directory, up, capsys, monkeypatch):
    body = "".join(f'pulumi.export("topic{number}", sns.Topic("t{number}").arn)\n' for number in range(15))
    up(body)
    monkeypatch.setattr("local.deploy.deployment.Resource.delete", lambda resource, aws: None)
    monkeypatch.setattr("local.deploy.deployment._DELETE_TIMEOUT_SECONDS", 0)

    assert main(["--directory", str(directory), "down"]) == 1

    told = capsys.readouterr()
    assert re.search(r"but 15 resources were left in it: .* and 5 more\.$", told.err.strip())
    assert len(told.err.splitlines()) == 1


def test_what_is_adopted_is_written_beside_what_another_process_adopted(shared):
    first, second = (deployment.require_running(shared.directory) for _ in range(2))
    made = [Resource("aws:sqs/queue:Queue", name, f"no-such-queue-{name}", {}) for name in ("a", "b")]

    first.adopt(made[:1])
    second.adopt(made)

    described = deployment.require_running(shared.directory).resources
    assert [one["name"] for one in described].count("a") == 1
    assert {"a", "b"} <= {one["name"] for one in described}


def test_nothing_is_adopted_while_the_lock_is_anothers(shared, monkeypatch):
    monkeypatch.setattr(deployment, "_ADOPT_TIMEOUT_SECONDS", 0.0)
    before = (shared.directory / "stack.json").read_text()
    with (shared.directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LocalError, match="Another `up` or `down` is running"):
            shared.adopt([Resource("aws:sqs/queue:Queue", "c", "c", {})])
    assert (shared.directory / "stack.json").read_text() == before


def test_a_stack_that_was_replaced_does_not_describe_itself_again(shared):
    replaced = deployment.require_running(shared.directory)
    replaced.access_key_id = "AKIAOFANEARLIERRUN"
    before = (shared.directory / "stack.json").read_text()

    with pytest.raises(LocalError, match="replaced or removed meanwhile"):
        replaced.adopt([Resource("aws:sqs/queue:Queue", "d", "d", {})])

    assert (shared.directory / "stack.json").read_text() == before


COMMANDS = [["up", "--no-stories"], ["down"], ["status"], ["env"], ["drill"], ["report"], ["event", "rotation-failed"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("place", ["file", "below a file"])
def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path, capsys, command, place):
    (tmp_path / "taken").write_text("")
    directory = tmp_path / "taken" if place == "file" else tmp_path / "taken" / ".local"

    code = main(["--directory", str(directory), *command])

    told = capsys.readouterr()
    said = told.out + told.err
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said
    nothing_runs = command[0] in ("status", "env", "drill", "event") or (command[0] == "down" and place != "file")
    assert ("No stack" in said) if nothing_runs else (str(tmp_path / "taken") in said)
    assert code == (0 if "nothing is left behind" in said else 1)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_read_only_file_system_is_a_sentence(directory, capsys, monkeypatch, command):
    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(directory))

    directory.mkdir()
    monkeypatch.setattr(os, "open", refuse)

    main(["--directory", str(directory), *command])

    told = capsys.readouterr()
    said = told.out + told.err
    assert len(said.splitlines()) == 1
    assert "No stack is running" in said or f"{directory} cannot be used: Read-only file system." in said


@pytest.mark.parametrize(
    "record",
    ["[1]", '{"pid": "x", "started": 5, "port": "q", "access_key_id": 1, "secret_access_key": 2}', "[" * 100_000],
    ids=["list", "types", "nested"],
)
def test_a_record_of_a_process_that_is_none_is_cleared_away(directory, capsys, record):
    folder = directory / "emulator-1"
    folder.mkdir(parents=True)
    (folder / "process.json").write_text(record)

    assert main(["--directory", str(directory), "down"]) == 0
    assert not directory.exists()


def test_a_description_that_may_not_be_read_is_not_taken_for_none(directory, capsys):
    # A directory in its place: root, who may run this test, reads every file.
    (directory / "stack.json").mkdir(parents=True)

    for command in (["status"], ["down"], ["up"], ["env"]):
        assert main(["--directory", str(directory), *command]) == 1
        told = capsys.readouterr()
        assert told.err == f"{directory / 'stack.json'} cannot be used: Is a directory.\n"
        assert told.out == ""


@pytest.mark.parametrize(
    "change", [{"folder": None}, {"endpoint_url": None}, {"outputs": []}, {"resources": [1]}, "[" * 100_000]
)
def test_a_description_of_another_shape_describes_nothing(shared, directory, capsys, change):
    described = json.loads((shared.directory / "stack.json").read_text())
    directory.mkdir()
    text = change if isinstance(change, str) else json.dumps({**described, **change})
    (directory / "stack.json").write_text(text)

    assert main(["--directory", str(directory), "status"]) == 1
    assert "No stack is running" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["status"], ["env"]])
def test_a_full_disk_behind_the_output_is_named_as_that(shared, capsys, monkeypatch, command):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stdout", Full())

    assert main(["--directory", str(shared.directory), *command]) == 1
    assert capsys.readouterr().err == "The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize(("command", "stream"), [("env", 1), ("event -", 0)])
def test_a_stream_that_is_closed_causes_no_traceback(shared, command, stream):
    arguments = shlex.join([sys.executable, "-m", "local", "--directory", str(shared.directory)])
    sign = "<" if stream == 0 else ">"
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{arguments} {command} {stream}{sign}&-"], cwd=ROOT, capture_output=True, check=False
    )

    assert b"Traceback" not in ended.stdout + ended.stderr
    assert ended.returncode == (1 if command == "event -" else 0)


def test_the_log_steers_no_terminal(shared):
    arn = "arn:aws:sqs:eu-west-1:111122223333:no\x1b[2J\u202e\x9b"
    events = shared.client("events")
    events.put_rule(Name="nasty", EventPattern=json.dumps({"source": ["nasty"]}))
    events.put_targets(Rule="nasty", Targets=[{"Id": "a", "Arn": arn}])
    events.put_events(Entries=[{"Source": "nasty", "DetailType": "\u202e\x1b[2J", "Detail": "{}"}])
    log = shared.emulator.log

    eventually(lambda: "nasty" in log.read_text() or r"\u202e" in log.read_text(), "a line in the log")

    assert not set(log.read_text()) & {"\x1b", "\u202e", "\x9b"}
    events.remove_targets(Rule="nasty", Ids=["a"])
    events.delete_rule(Name="nasty")


def test_a_profile_and_a_mode_that_are_none_do_not_matter(shared):
    command = [sys.executable, "-m", "local", "--directory", str(shared.directory), "status"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    wrong = dict.fromkeys(("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_DEFAULTS_MODE"), "no-such")

    done = subprocess.run(command, cwd=ROOT, env={**environment, **wrong}, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("step", ["starting the embedded AWS", "deploying the stack"])
def test_an_interruption_ends_what_was_started(up, directory, leftover_processes, step):
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
        _, said = run.communicate(timeout=20)
    assert (run.returncode, said) == (130, "Interrupted: everything that this command had started was stopped.\n")
    assert leftover_processes() == []
    assert not directory.exists()


def test_an_emulator_that_cannot_start_is_told_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr("local.emulator.process._MODULE", "local.no_such_module")
    emulator = Emulator.start(tmp_path / "emulator", "eu-west-1")
    with pytest.raises(LocalError, match=r"ended during its start: .*no_such_module"):
        emulator.wait_until_ready()
    assert emulator.stop()


@pytest.mark.parametrize("command", [["status"], ["drill"], ["event", "rotation-failed"], ["env"]])
def test_every_command_says_when_no_stack_is_running(directory, capsys, command):
    assert main(["--directory", str(directory), *command]) == 1
    told = capsys.readouterr()
    assert "No stack is running: start one with `make up`." in told.out + told.err


@pytest.mark.parametrize(
    "arguments",
    [["\x1b[2J\u202e"], ["event", "\x1b[2J\u202e"], ["up", "--stack", "\x1b[2J\u202e"], ["up", "--port", "\u202e"]],
)
def test_an_argument_steers_no_terminal(shared, tmp_path, capsys, arguments):
    directory = shared.directory if arguments[0] == "event" else tmp_path / ".local"
    with contextlib.suppress(SystemExit):
        main(["--directory", str(directory), *arguments])

    said = capsys.readouterr().err
    assert r"\u202e" in said
    assert not set(said) & {"\x1b", "\u202e"}


def test_help_shows_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert re.findall(r"^ {4}(\w+)", said, re.MULTILINE) == ["up", "down", "status", "event", "drill", "report", "env"]
