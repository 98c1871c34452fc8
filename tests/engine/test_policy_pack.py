"""The policy pack under Pulumi's real engine: it asks for `pulumi` on the PATH, and for its AWS provider."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.emulator import Emulator

PULUMI = shutil.which("pulumi")
PACK = Path(__file__).resolve().parents[2] / "policies"
PROGRAM = """
name: shop
runtime: yaml
resources:
  dead:
    type: aws:sqs:Queue
    properties: { messageRetentionSeconds: 1209600 }
  orders:
    type: aws:sqs:Queue
    properties:
      messageRetentionSeconds: 604800
      redrivePolicy:
        fn::toJSON: { deadLetterTargetArn: "${dead.arn}", maxReceiveCount: 5 }
"""
LOST = "  lost:\n    type: aws:sqs:Queue\n"
SHORT = "  short:\n    type: aws:sqs:Queue\n    properties: { messageRetentionSeconds: 60 }\n"
OFFLINE = {
    "aws:region": "eu-west-1",
    "aws:skipCredentialsValidation": "true",
    "aws:skipRequestingAccountId": "true",
    "aws:skipMetadataApiCheck": "true",
    "aws:accessKey": "none",
    "aws:secretKey": "none",
}

pytestmark = pytest.mark.skipif(PULUMI is None, reason="no `pulumi` on the PATH: the pack is not run by the engine")


@pytest.fixture
def aws(tmp_path):
    """An AWS on this machine, for updates."""
    emulator = Emulator.start(tmp_path / "aws", "eu-west-1")
    try:
        emulator.wait_until_ready()
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture
def run(tmp_path):
    """Runs a command of the engine on a program under the pack, with a state and a home of its own."""
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "none",
        "PULUMI_HOME": os.environ.get("PULUMI_HOME", str(home)),
        # The pack has the requirements of the tests.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    pack = tmp_path / "pack"
    shutil.copytree(PACK, pack, ignore=shutil.ignore_patterns("venv", "__pycache__"))
    settings = (pack / "PulumiPolicy.yaml").read_text()
    (pack / "PulumiPolicy.yaml").write_text(settings[: settings.index("runtime:")] + "runtime: python\n")

    def run(program: str, *command: str, emulator: Emulator | None = None) -> subprocess.CompletedProcess[str]:
        project = tmp_path / "project"
        project.mkdir()
        (project / "Pulumi.yaml").write_text(program)
        pulumi = [str(PULUMI), "--cwd", str(project), "--non-interactive"]
        subprocess.run([*pulumi, "stack", "init", "test"], env=environment, check=True, capture_output=True)
        settings = dict(OFFLINE)
        if emulator:
            settings["aws:accessKey"], settings["aws:secretKey"] = emulator.access_key_id, emulator.secret_access_key
            at = ["config", "set", "--path", "aws:endpoints[0].sqs", emulator.endpoint_url]
            subprocess.run([*pulumi, *at], env=environment, check=True, capture_output=True)
        for key, value in settings.items():
            subprocess.run([*pulumi, "config", "set", key, value], env=environment, check=True, capture_output=True)
        return subprocess.run(
            [*pulumi, *command, "--policy-pack", str(pack)], env=environment, capture_output=True, text=True
        )

    return run


def test_a_compliant_program_passes_its_preview(run):
    done = run(PROGRAM, "preview")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_queue_without_dead_letters_stops_the_preview(run):
    done = run(PROGRAM + LOST, "preview")

    assert done.returncode != 0
    assert "queue-has-dead-letters" in done.stdout
    assert "lost has no dead letters" in done.stdout


def test_a_compliant_program_passes_its_update(run, aws):
    done = run(PROGRAM, "up", "--yes", "--skip-preview", emulator=aws)

    assert done.returncode == 0, done.stdout + done.stderr


def test_an_update_stops_before_a_queue_that_keeps_too_little_is_made(run):
    done = run(PROGRAM[: PROGRAM.index("  dead:")] + SHORT, "up", "--yes", "--skip-preview")

    assert done.returncode != 0
    assert "queue-keeps-messages" in done.stdout
