"""The functions that components place and the handlers that run in them agree."""

import dataclasses
import importlib
import inspect
import json
import re
import subprocess
import sys

import pytest

from handlers import environment
from local.deploy.stacks import ROOT

SETTINGS = {
    "handlers.trail.writer.handler": environment.AuditWriterSettings,
    "handlers.audit.check.handler": environment.RotationCheckSettings,
    "handlers.remediation.start.handler": environment.RemediationStartSettings,
    "handlers.remediation.claim.handler": environment.RemediationClaimSettings,
    "handlers.remediation.diagnose.handler": environment.RemediationDiagnoseSettings,
    "handlers.remediation.probe.handler": environment.RemediationProbeSettings,
    "handlers.remediation.decide.handler": environment.RemediationDecideSettings,
    "handlers.remediation.retry.handler": environment.RemediationActSettings,
    "handlers.remediation.move.handler": environment.RemediationActSettings,
    "handlers.remediation.end.handler": environment.RemediationEndSettings,
    "handlers.remediation.restart.handler": environment.RemediationRestartSettings,
    "handlers.remediation.watch.handler": environment.RemediationWatchSettings,
    "handlers.remediation.notify.handler": environment.RemediationNotifySettings,
    "handlers.demo.rotation.handler": environment.DemoDatabaseSettings,
    "handlers.demo.probe.handler": environment.DemoDatabaseSettings,
}
ENTRY_POINTS = sorted(SETTINGS)
PROBE = """
import json, os, sys, importlib
import boto3, botocore.session, aws_lambda_powertools
from aws_lambda_powertools.utilities import batch, data_classes, typing

archive, *entry_points = sys.argv[1:]
read, made = [], []

class Watched(dict):
    def _note(self, key):
        frame = sys._getframe(2)
        while frame and (frame.f_code.co_filename.startswith("<") or frame.f_code.co_filename == os.__file__):
            frame = frame.f_back
        if frame and frame.f_code.co_filename.startswith(archive):
            read.append(key)
    def __getitem__(self, key):
        self._note(key)
        return super().__getitem__(key)
    def get(self, key, default=None):
        self._note(key)
        return super().get(key, default)
    def __contains__(self, key):
        self._note(key)
        return super().__contains__(key)

os.environ = Watched(os.environ)
for owner, name in ((boto3, "client"), (boto3, "resource"), (boto3.Session, "client"),
                    (boto3.Session, "resource"), (botocore.session.Session, "create_client")):
    setattr(owner, name, lambda *args, **kwargs: made.append(str(args)))
sys.path.insert(0, archive)
callable_ = {}
for entry_point in entry_points:
    module, _, function = entry_point.rpartition(".")
    found = importlib.import_module(module)
    callable_[entry_point] = callable(getattr(found, function, None)) and found.__file__.startswith(archive)
pulumi = [name for name in sys.modules if name.partition(".")[0] in ("pulumi", "pulumi_aws", "components")]
print(json.dumps({"callable": callable_, "read": read, "made": made, "pulumi": pulumi}))
"""


@pytest.fixture(scope="module")
def imported(functions, tmp_path_factory):
    """What happened when every entry point was imported from the archive alone, as Lambda does."""
    root = tmp_path_factory.mktemp("archive")
    for name, path in functions[0][1].inputs["code"].items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(path.read_bytes())
    answer = subprocess.run(  # -I: nothing of this repository can be found but the archive
        [sys.executable, "-I", "-c", PROBE, str(root), *(entry_point for entry_point, _ in functions)],
        capture_output=True,
        text=True,
        check=False,
        env={},
        cwd=root,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def module_of(entry_point):
    return importlib.import_module(entry_point.rpartition(".")[0])


def function_of(functions, entry_point):
    [function] = [one for name, one in functions if name == entry_point]
    return function


def test_every_function_of_the_stack_is_looked_at_here(functions):
    assert sorted(entry_point for entry_point, _ in functions) == ENTRY_POINTS


def test_every_function_runs_the_same_archive_of_handlers_and_the_domain(functions):
    archives = [one.inputs["code"] for _, one in functions]
    folders = (ROOT / "handlers", ROOT / "rotation_guard" / "domain")
    sources = {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.rglob("*.py")}

    assert all(archive == archives[0] for archive in archives)
    assert set(archives[0]) == {*sources, "rotation_guard/__init__.py"}
    assert len(sources) > 10


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_every_entry_point_is_in_the_archive_and_can_be_called(imported, entry_point):
    assert imported["callable"][entry_point] is True


def test_importing_handlers_makes_no_client_and_reads_no_environment(imported):
    assert imported["made"] == []
    assert imported["read"] == []


def test_handlers_run_without_pulumi(imported):
    assert imported["pulumi"] == []


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_is_given_exactly_the_environment_that_its_settings_read(functions, entry_point):
    variables = function_of(functions, entry_point).inputs["environment"]["variables"]

    given = {name for name in variables if not name.startswith("POWERTOOLS_")}
    kind = SETTINGS[entry_point]
    assert given == ({field.name.upper() for field in dataclasses.fields(kind)} if kind else set())
    if kind:
        kind.from_env(variables)  # raises where a value cannot be read


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_handler_reads_its_own_settings_and_nothing_else_of_the_environment(entry_point):
    module = module_of(entry_point)

    own = {
        value
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == environment.__name__ and dataclasses.is_dataclass(value)
    }
    assert own == ({SETTINGS[entry_point]} if SETTINGS[entry_point] else set())
    assert not re.search(r"\benviron\b|getenv", inspect.getsource(module))


def test_every_settings_class_belongs_to_a_function():
    # Those that the module defines: what it imports from the domain is read from no environment.
    classes = {
        value
        for value in vars(environment).values()
        if dataclasses.is_dataclass(value) and getattr(value, "__module__", "") == environment.__name__
    }

    assert classes == set(filter(None, SETTINGS.values()))
    assert len(classes) == 13


def test_the_steps_time_out_before_the_workflow_gives_up_on_them(whole, functions):
    [machine] = whole.of_type("aws:sfn/stateMachine:StateMachine")
    states = json.loads(machine.inputs["definition"])["States"].values()
    limits = {state["Resource"]: state["TimeoutSeconds"] for state in states if "TimeoutSeconds" in state}
    given = {one.arn: one.inputs["timeout"] for _, one in functions if one.arn in limits}

    assert set(given) == set(limits)
    assert len(limits) == 10
    assert all(given[arn] < limit for arn, limit in limits.items())
