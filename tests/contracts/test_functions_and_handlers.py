"""The functions that components deploy and the handlers that run in them agree."""

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
    "handlers.organization.record.handler": environment.HubRecordSettings,
    "handlers.organization.redeliver.handler": environment.RedeliverSettings,
    "handlers.reports.report.handler": environment.ScheduledReportSettings,
    "handlers.organization.import_findings.handler": environment.ImportFindingsSettings,
    "handlers.demo.rotation.handler": environment.DemoDatabaseSettings,
    "handlers.demo.probe.handler": environment.DemoDatabaseSettings,
}
ENTRY_POINTS = sorted(SETTINGS)
REPORT = "handlers.reports.report.handler"
IMPORT_SCRIPT = """
import json, os, sys, importlib
import boto3, botocore.session, aws_lambda_powertools
from aws_lambda_powertools.utilities import batch, data_classes, typing

archive, *entry_points = sys.argv[1:]
read, created = [], []

class RecordingEnvironment(dict):
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

os.environ = RecordingEnvironment(os.environ)
for owner, name in ((boto3, "client"), (boto3, "resource"), (boto3.Session, "client"),
                    (boto3.Session, "resource"), (botocore.session.Session, "create_client")):
    setattr(owner, name, lambda *args, **kwargs: created.append(str(args)))
sys.path.insert(0, archive)
callable_ = {}
for entry_point in entry_points:
    module, _, function = entry_point.rpartition(".")
    imported = importlib.import_module(module)
    callable_[entry_point] = callable(getattr(imported, function, None)) and imported.__file__.startswith(archive)
pulumi = [name for name in sys.modules if name.partition(".")[0] in ("pulumi", "pulumi_aws", "components")]
print(json.dumps({"callable": callable_, "read": read, "created": created, "pulumi": pulumi}))
"""


@pytest.fixture(scope="module")
def import_report(functions, tmp_path_factory):
    """Reports what happened when every entry point was imported from the archive alone, as in Lambda."""
    root = tmp_path_factory.mktemp("archive")
    # The function of reports has everything that the others have, and more.
    for name, path in function_of(functions, REPORT).inputs["code"].items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(path.read_bytes())
    process = subprocess.run(  # -I: only the archive can be imported, nothing else in this repository
        [sys.executable, "-I", "-c", IMPORT_SCRIPT, str(root), *(entry_point for entry_point, _ in functions)],
        capture_output=True,
        text=True,
        check=False,
        env={},
        cwd=root,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def module_of(entry_point):
    return importlib.import_module(entry_point.rpartition(".")[0])


def function_of(functions, entry_point):
    [function] = [candidate for name, candidate in functions if name == entry_point]
    return function


def test_every_function_of_the_stack_is_tested_here(functions):
    assert sorted(entry_point for entry_point, _ in functions) == ENTRY_POINTS


def test_every_function_runs_the_same_archive_of_handlers_and_the_domain(functions):
    archives = [function.inputs["code"] for name, function in functions if name != REPORT]
    folders = (ROOT / "handlers", ROOT / "rotation_guard" / "domain")
    sources = {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.rglob("*.py")}

    assert all(archive == archives[0] for archive in archives)
    assert set(archives[0]) == {*sources, "rotation_guard/__init__.py"}
    assert len(sources) > 10


def test_only_the_function_of_reports_has_what_renders_html(functions):
    report, others = function_of(functions, REPORT).inputs["code"], functions[0][1].inputs["code"]

    added = {path for path in report if path not in others}
    assert set(others) < set(report)
    assert {path.partition("/")[0] for path in added} == {"jinja2", "markupsafe", "svg", "rotation_guard"}
    assert {path.rpartition("/")[0] for path in added if path.startswith("rotation_guard")} == {
        "rotation_guard/html_report",
        "rotation_guard/html_report/templates",
    }
    # A compiled part would be for the machine that deploys, and not for Lambda's.
    assert {path.rpartition(".")[2] for path in added} == {"py", "html", "css", "js"}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_every_entry_point_is_in_the_archive_and_can_be_called(import_report, entry_point):
    assert import_report["callable"][entry_point] is True


def test_importing_handlers_creates_no_client_and_reads_no_environment(import_report):
    assert import_report["created"] == []
    assert import_report["read"] == []


def test_handlers_run_without_pulumi(import_report):
    assert import_report["pulumi"] == []


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_function_has_exactly_the_environment_that_its_settings_read(functions, entry_point):
    variables = function_of(functions, entry_point).inputs["environment"]["variables"]

    names = {name for name in variables if not name.startswith("POWERTOOLS_")}
    settings = SETTINGS[entry_point]
    assert names == ({field.name.upper() for field in dataclasses.fields(settings)} if settings else set())
    if settings:
        settings.from_env(variables)  # raises where a value cannot be read


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_handler_reads_only_its_own_settings_from_the_environment(entry_point):
    module = module_of(entry_point)

    own = {
        value
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == environment.__name__ and dataclasses.is_dataclass(value)
    }
    assert own == ({SETTINGS[entry_point]} if SETTINGS[entry_point] else set())
    assert not re.search(r"\benviron\b|getenv", inspect.getsource(module))


def test_every_settings_class_belongs_to_a_function():
    # Only classes defined in the module: those imported from the domain are not read from the environment.
    classes = {
        value
        for value in vars(environment).values()
        if dataclasses.is_dataclass(value) and getattr(value, "__module__", "") == environment.__name__
    }

    assert classes == set(filter(None, SETTINGS.values()))
    assert len(classes) == 17


def test_the_steps_time_out_before_their_tasks_in_the_workflow(whole, functions):
    [machine] = whole.of_type("aws:sfn/stateMachine:StateMachine")
    states = json.loads(machine.inputs["definition"])["States"].values()
    limits = {state["Resource"]: state["TimeoutSeconds"] for state in states if "TimeoutSeconds" in state}
    timeouts = {function.arn: function.inputs["timeout"] for _, function in functions if function.arn in limits}

    assert set(timeouts) == set(limits)
    assert len(limits) == 10
    assert all(timeouts[arn] < limit for arn, limit in limits.items())
