"""The wheel, installed into an empty environment: its components deploy from programs outside the checkout."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from components.lambda_code import SOURCES, list_sources
from tests.engine.harness import ROOT, ProgramStack, make_checkout, make_environment
from tests.engine.requirements import needs_yaml

PROGRAM = Path(__file__).with_name("place_guard.py")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The programs of an environment that has the wheel, and of the locked environment the dependencies alone."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    checkout = make_checkout(folder)
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(checkout)], check=True
    )
    shutil.rmtree(checkout)
    environment = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    [wheel] = folder.glob("*.whl")
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    # A path alone: what is installed there as editable stays out.
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return environment / "bin"


def unset_pythonpath(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != "PYTHONPATH"}


def test_a_program_outside_the_checkout_deploys_the_installed_components(installed, aws, tmp_path):
    environment = unset_pythonpath({**os.environ, **make_environment(tmp_path, aws)})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(PROGRAM, elsewhere)

    done = subprocess.run(
        [str(installed / "python"), PROGRAM.name, str(tmp_path), "orders"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert Path(report["module"]).is_relative_to(installed.parent)
    assert report["checkout"] == []
    assert report["created"]["create"] > 150
    assert set(report["changed"]) == {"same"}
    assert report["outputs"]["function_name"].startswith("orders-audit-check-")
    check = aws.client("lambda").get_function(FunctionName=report["outputs"]["function_name"])
    assert check["Configuration"]["Environment"]["Variables"]["MAX_AGE_DAYS"] == "45"
    assert check["Configuration"]["Handler"] == "handlers.audit.check.handler"
    sources = list_sources(SOURCES)
    assert report["code"]
    for code in report["code"]:
        assert code == {path: hashlib.sha256(source.read_bytes()).hexdigest() for path, source in sources.items()}


@needs_yaml
def test_the_installed_package_is_a_plugin_on_the_path(installed, aws, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(ROOT / "examples" / "yaml", project)
    stack = ProgramStack(tmp_path, aws, project, path=installed)
    stack.change_program(lambda program: program.pop("packages"))

    preview = stack.preview()

    assert (preview.failed, preview.messages) == (False, [])
    assert len(preview.changes("create")) > 150
