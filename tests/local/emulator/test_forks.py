"""Functions that start as forks are as isolated as separate processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulator.forks import ForkServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are used on Linux only")

SCRIPT = """
import json, os, sys
line = json.loads(sys.stdin.readline())
print(json.dumps([line, os.getcwd(), os.environ.get("MINE"), os.environ.get("HOME"), sys.argv, sys.path[0], __name__]))
print("boto3" in sys.modules, file=sys.stderr)
sys.stdout.flush()
sys.stdin.readline()
"""

PRINT_CREDENTIALS = """
import boto3
client = boto3.client("sns")
print(boto3.Session().get_credentials().access_key, client._get_credentials().access_key, client.meta.region_name)
"""


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkServer]:
    forks = ForkServer()
    yield forks
    forks.close()


def start(forks: ForkServer, folder: Path, script: str = SCRIPT, **environment: str):
    folder.mkdir()
    (folder / "worker.py").write_text(script)
    options = {"cwd": str(folder), "env": environment, "text": True}
    return forks.Popen([sys.executable, str(folder / "worker.py")], **options)


def end(fork) -> None:
    for pipe in (fork.stdin, fork.stdout, fork.stderr):
        pipe.close()


def test_a_fork_has_its_own_script_folder_and_environment_and_boto3_at_once(forks, tmp_path):
    first, second = (start(forks, tmp_path / name, MINE=name) for name in ("first", "second"))
    for name, fork in (("second", second), ("first", first)):
        fork.stdin.write(json.dumps(name) + "\n")
        fork.stdin.flush()
        folder = str(tmp_path / name)
        script = f"{folder}/worker.py"
        assert json.loads(fork.stdout.readline()) == [name, folder, name, None, [script], folder, "__main__"]
        assert fork.stderr.readline() == "True\n"
        assert fork.poll() is None
    first.kill()
    assert first.wait(timeout=5) is not None
    assert second.poll() is None
    end(second)
    assert second.wait(timeout=5) is not None
    end(first)


def test_a_fork_has_its_own_credentials_and_region_though_the_session_is_made(forks, tmp_path):
    for name in ("first", "second"):
        keys = {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": name, "AWS_DEFAULT_REGION": f"eu-{name}-1"}
        fork = start(forks, tmp_path / name, PRINT_CREDENTIALS, **keys)
        assert fork.stdout.readline() == f"{name} {name} eu-{name}-1\n"
        end(fork)


def test_other_commands_start_as_by_subprocess(forks):
    with forks.Popen(["/bin/echo", "hello"], stdout=forks.PIPE, text=True) as process:
        assert process.stdout.read() == "hello\n"


def test_functions_start_as_by_subprocess_when_the_server_has_ended(tmp_path):
    forks = ForkServer()
    forks.prepare()
    forks.close()
    options = {"stdin": forks.PIPE, "stdout": forks.PIPE, "cwd": str(tmp_path), "env": {}, "text": True}
    (tmp_path / "script.py").write_text("print(1)")
    with forks.Popen([sys.executable, str(tmp_path / "script.py")], **options) as process:
        assert process.stdout.read() == "1\n"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("def fails():\n    raise ValueError('no such table')\nfails()", "ValueError: no such table"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def (:", "SyntaxError: "),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_fork_that_fails_prints_its_own_traceback_only(forks, tmp_path, script, expected):
    fork = start(forks, tmp_path / "function", script)
    printed = fork.stderr.read()
    end(fork)

    assert expected in printed.splitlines()[-1]
    assert "worker.py" in printed
    assert "forks.py" not in printed


@pytest.mark.parametrize(("script", "expected"), [("import sys; sys.exit('enough')", "enough\n"), ("exit(0)", "")])
def test_a_fork_that_exits_prints_what_any_script_prints(forks, tmp_path, script, expected):
    fork = start(forks, tmp_path / "function", script)

    assert fork.stderr.read() == expected
    end(fork)


def test_a_fork_that_has_ended_is_over_though_its_id_is_another_process_now(forks, tmp_path):
    fork = start(forks, tmp_path / "function", "pass")
    fork.stdout.read()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        fork.pid = bystander.pid  # As if the system had reused it.
        assert fork.wait(timeout=5) is not None
        fork.kill()
        fork.terminate()
        assert bystander.poll() is None
        bystander.communicate(b"\n")
    assert bystander.returncode == 0
    end(fork)


def test_a_fork_can_be_ended(forks, tmp_path):
    fork = start(forks, tmp_path / "function", "import time; time.sleep(60)")

    fork.terminate()

    assert fork.wait(timeout=5) is not None
    end(fork)
