"""The cases of all rules, and the ways to evaluate a program: as a file, and as Pulumi's engine does."""

import importlib
import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel

from policies.check import main
from policies.engine import crossguard
from policies.inputs import state_files
from policies.model.evaluation import check
from policies.rules import RULES
from tests.policies.programs import Case, Program

DAY = date(2030, 1, 1)
"""Today, in tests of exemptions."""

CASES: list[Case] = [
    case
    for path in sorted((Path(__file__).parent / "cases").glob("*.py"))
    for case in importlib.import_module(f"tests.policies.cases.{path.stem}").CASES
]

Complaints = list[tuple[str, str]]
"""The logical name of a resource, and the message."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `case` runs once for each, one that asks for `rule_name` once for each rule."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=str)
    if "rule_name" in metafunc.fixturenames:
        metafunc.parametrize("rule_name", list(RULES))


@pytest.fixture(scope="session")
def cases() -> list[Case]:
    """Every case of every rule."""
    return CASES


class Engine:
    """Calls the pack as Pulumi's engine does, in this process."""

    def __init__(self, *, only: str | None = None) -> None:
        session = crossguard.Session()
        rules = RULES.values() if only is None else [RULES[only]]
        self._server = crossguard.server(session)(
            "rotation-guard", "0.0.1", crossguard.policies(session, rules), EnforcementLevel.ADVISORY
        )
        self._others = {} if only is None else {"all": {"enforcementLevel": "disabled"}}
        if only:
            self.configure({only: {}})

    def configure(self, config: Mapping[str, Any], context: Any = None) -> None:
        """Set levels and parameters."""
        request = proto.ConfigureAnalyzerRequest()
        levels = {"advisory": proto.ADVISORY, "mandatory": proto.MANDATORY, "disabled": proto.DISABLED}
        levels["remediate"] = proto.REMEDIATE
        for name, settings in {**self._others, **config}.items():
            policy = request.policyConfig[name]
            parameters = dict(settings)
            default = RULES[name].enforcement if name in RULES else "advisory"
            policy.enforcementLevel = levels[parameters.pop("enforcementLevel", default)]
            policy.properties.update(parameters)
        self._server.Configure(request, context)

    def analyze(self, request: Any) -> Any:
        """Evaluate one resource before it is created."""
        return self._server.Analyze(request, None)

    def analyze_stack(self, request: Any) -> Any:
        """Evaluate the whole stack."""
        return self._server.AnalyzeStack(request, None)

    def remediate(self, request: Any) -> Any:
        """Remediate one resource."""
        return self._server.Remediate(request, None)

    def info(self) -> Any:
        """Read the pack's metadata."""
        return self._server.GetAnalyzerInfo(None, None)

    def run(self, program: Program, *, preview: bool) -> list[tuple[str, Any]]:
        """All diagnostics of a run, each with the URN of its resource."""
        diagnostics = []
        for request in program.analyze_requests(preview=preview):
            # The engine adds the URN itself: the response has none.
            diagnostics += [(request.urn, diagnostic) for diagnostic in self.analyze(request).diagnostics]
        of_stack = self.analyze_stack(program.stack_request(preview=preview)).diagnostics
        return diagnostics + [(diagnostic.urn, diagnostic) for diagnostic in of_stack]


@pytest.fixture
def engine() -> Callable[..., Engine]:
    """Make an engine with the pack loaded."""
    return Engine


def _evaluate_file(data: Any, rule: str, config: Mapping[str, Any]) -> Complaints:
    contents = state_files.read(json.dumps(data).encode())
    report = check(contents.resources, {"all": "disabled", rule: {"enforcementLevel": "mandatory", **config}}, day=DAY)
    return [(_name(complaint.urn), complaint.message) for complaint in report.complaints if complaint.policy == rule]


def _evaluate_in_engine(program: Program, rule: str, config: Mapping[str, Any], *, preview: bool) -> Complaints:
    pack = Engine(only=rule)
    if config:
        pack.configure({rule: config})
    return [(_name(urn), diagnostic.message) for urn, diagnostic in pack.run(program, preview=preview)]


def _name(urn: str | None) -> str:
    return (urn or "").split("::", 3)[-1]


Evaluate = Callable[[Program, str, Mapping[str, Any]], Complaints]
"""Evaluates a program with one rule and its configuration."""
EVALUATIONS: Mapping[str, Evaluate] = {
    "export": lambda program, *rule: _evaluate_file(program.exported(), *rule),
    "engine at update": lambda *rule: _evaluate_in_engine(*rule, preview=False),
    "preview": lambda program, *rule: _evaluate_file(program.previewed(), *rule),
    "engine at preview": lambda *rule: _evaluate_in_engine(*rule, preview=True),
}


@pytest.fixture(scope="session")
def evaluations() -> Mapping[str, Evaluate]:
    """Every way in which the pack gets to see a program."""
    return EVALUATIONS


@pytest.fixture
def run_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """Check a file of this content, and return exit code, standard output and standard error."""

    def run(content: Any, *arguments: str, config: Any = None) -> SimpleNamespace:
        file = tmp_path / "stack.json"
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        if config is not None:
            settings = tmp_path / "config.json"
            settings.write_text(config if isinstance(config, str) else json.dumps(config))
            arguments = (*arguments, "--config", str(settings))
        code = main([str(file), *arguments])
        output = capsys.readouterr()
        return SimpleNamespace(code=code, out=output.out, err=output.err)

    return run
