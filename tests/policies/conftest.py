"""Every case that lies in cases/, and the ways to put a program to the rules."""

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
from pulumi_policy import policy as sdk

from policies.check import main
from policies.engine import crossguard
from policies.inputs import state_files
from policies.model.evaluation import check
from policies.rules import RULES
from tests.policies.programs import Case, Program

DAY = date(2030, 1, 1)
"""The day on which tests of exemptions take place."""

CASES: list[Case] = [
    case
    for path in sorted((Path(__file__).parent / "cases").glob("*.py"))
    for case in importlib.import_module(f"tests.policies.cases.{path.stem}").CASES
]

_OF_RESOURCES = next(rule.name for rule in RULES.values() if not rule.of_stack)
"""In a server that is not ours, what was asked for is known from the rules about single resources."""

Found = list[tuple[str, str]]
"""Logical name of a resource, and the complaint."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `case` runs once for each, one that asks for `rule_name` once for each rule."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=str)
    if "rule_name" in metafunc.fixturenames:
        metafunc.parametrize("rule_name", list(RULES))


@pytest.fixture(scope="session")
def cases() -> list[Case]:
    """All of them."""
    return CASES


class Engine:
    """Speaks to the pack as Pulumi's engine does, in this process."""

    def __init__(self, *, own_server: bool = True, only: str | None = None) -> None:
        session = crossguard.Session()
        kind = crossguard.server(session) if own_server else sdk._PolicyAnalyzerServicer
        policies = [one for one in crossguard.policies(session) if only is None or one.name in (only, _OF_RESOURCES)]
        self._server = kind("rotation-guard", "0.0.1", policies, EnforcementLevel.ADVISORY)
        self._others = {} if only is None else {"all": {"enforcementLevel": "disabled"}}
        if only:
            self.configure({only: {}})
            # Another server does not pass the levels on.
            session.configure({"all": "disabled", only: RULES[only].enforcement})

    def configure(self, config: Mapping[str, Any], context: Any = None) -> None:
        """Set levels and parameters."""
        request = proto.ConfigureAnalyzerRequest()
        levels = {"advisory": proto.ADVISORY, "mandatory": proto.MANDATORY, "disabled": proto.DISABLED}
        levels["remediate"] = proto.REMEDIATE
        for name, settings in {**self._others, **config}.items():
            one = request.policyConfig[name]
            given = dict(settings)
            default = RULES[name].enforcement if name in RULES else "advisory"
            one.enforcementLevel = levels[given.pop("enforcementLevel", default)]
            one.properties.update(given)
        self._server.Configure(request, context)

    def analyze(self, request: Any) -> Any:
        """About one resource, before it is made."""
        return self._server.Analyze(request, None)

    def analyze_stack(self, request: Any) -> Any:
        """About all of them."""
        return self._server.AnalyzeStack(request, None)

    def remediate(self, request: Any) -> Any:
        """Whether something is put right."""
        return self._server.Remediate(request, None)

    def info(self) -> Any:
        """What the pack says about itself."""
        return self._server.GetAnalyzerInfo(None, None)

    def run(self, program: Program, *, preview: bool) -> list[tuple[str, Any]]:
        """All diagnostics of a run, each with the URN of its resource."""
        found = []
        for request in program.analyze_requests(preview=preview):
            said = self.analyze(request).diagnostics
            # The engine knows the resource of such a complaint.
            found += [(request.urn, one) for one in said]
        found += [(one.urn, one) for one in self.analyze_stack(program.stack_request(preview=preview)).diagnostics]
        return found


@pytest.fixture
def engine() -> Callable[..., Engine]:
    """Makes an engine with the pack in it."""
    return Engine


def _in_file(data: Any, rule: str, config: Mapping[str, Any]) -> Found:
    contents = state_files.read(json.dumps(data).encode())
    report = check(contents.resources, {"all": "disabled", rule: {"enforcementLevel": "mandatory", **config}}, day=DAY)
    return [(_name(one.urn), one.message) for one in report.complaints if one.policy == rule]


def _in_engine(program: Program, rule: str, config: Mapping[str, Any], *, preview: bool) -> Found:
    made = Engine(only=rule)
    if config:
        made.configure({rule: config})
    found = made.run(program, preview=preview)
    return [(_name(urn), one.message) for urn, one in found if one.policyName == rule]


def _name(urn: str | None) -> str:
    return (urn or "").split("::", 3)[-1]


WAYS: dict[str, Callable[[Program, str, Mapping[str, Any]], Found]] = {
    "export": lambda program, *how: _in_file(program.exported(), *how),
    "engine at update": lambda *how: _in_engine(*how, preview=False),
    "preview": lambda program, *how: _in_file(program.previewed(), *how),
    "engine at preview": lambda *how: _in_engine(*how, preview=True),
}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """One way to put a program to the rules."""
    return request.param


@pytest.fixture
def judge(way: str) -> Callable[[Program, str, Mapping[str, Any]], Found]:
    """Puts a program to one rule, in this way."""
    return WAYS[way]


@pytest.fixture
def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """Checks a file of this content, and gives exit code, standard output and standard error."""

    def run(content: Any, *arguments: str, config: Any = None) -> SimpleNamespace:
        file = tmp_path / "stack.json"
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        if config is not None:
            settings = tmp_path / "config.json"
            settings.write_text(config if isinstance(config, str) else json.dumps(config))
            arguments = (*arguments, "--config", str(settings))
        code = main([str(file), *arguments])
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return run
