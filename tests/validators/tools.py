"""Other people's validators, as `install.sh` has installed them: what each says of our output.

Each function raises Missing where this machine has not got its validator.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.deploy.stacks import ROOT

INSTALLED = ROOT / ".validate"
_HERE = Path(__file__).parent
_PARLIAMENT = """
import json, sys
from parliament import analyze_policy_string
answers = []
for policy in json.load(sys.stdin):
    findings = analyze_policy_string(json.dumps(policy), include_community_auditors=True).findings
    where = lambda finding: {key: text for key, text in finding.location.items() if key in ("actions", "string")}
    answers.append([f"{one.issue}: {one.detail or ''} {where(one) or ''}".strip() for one in findings])
print(json.dumps(answers))
"""


_HANDLERS = """
import json, sys
from pathlib import Path
import cfnlint
wanted, needs = set(json.load(sys.stdin)), {}
for path in (Path(cfnlint.__file__).parent / "data" / "schemas" / "resources").glob("*.json"):
    schema = json.loads(path.read_text())
    if schema.get("typeName") in wanted:
        handlers = {name: handler for name, handler in schema.get("handlers", {}).items() if name != "list"}
        actions = (action for handler in handlers.values() for action in handler["permissions"])
        needs.setdefault(schema["typeName"], set()).update(actions)
print(json.dumps({type_: sorted(actions) for type_, actions in needs.items()}))
"""


class Missing(Exception):
    """This machine has not got what the validator runs with; the message says what."""


def check_templates(templates: Mapping[str, Mapping[str, Any]], *regions: str) -> dict[str, list[str]]:
    """What cfn-lint says of each CloudFormation template in these Regions: rule, path and message of every finding.

    Informational rules are on, except that of CloudFormation's own deletion policies (I3011), which no input becomes.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, template in templates.items():
            (Path(folder) / f"{name}.json").write_text(json.dumps(template))
        options = ["--regions", *regions, "--format", "json", "--include-checks", "I", "--ignore-checks", "I3011"]
        files = [str(path) for path in sorted(Path(folder).iterdir())]
        # Its exit code is a bit for each severity that it has found.
        output = _run([_executable("cfn-lint"), *options, "--template", *files], range(0, 16, 2)) or "[]"
    findings: dict[str, list[str]] = {name: [] for name in templates}
    for finding in json.loads(output):
        path = "/".join(map(str, finding["Location"]["Path"]))
        findings[Path(finding["Filename"]).stem].append(f"{finding['Rule']['Id']} {path}: {finding['Message']}")
    return findings


def check_policies(policies: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """What parliament says of each policy document, its community's rules included."""
    return json.loads(_run([_executable("python"), "-W", "ignore", "-c", _PARLIAMENT], (0,), json.dumps(policies)))


def read_handler_permissions(types: Iterable[str]) -> dict[str, list[str]]:
    """The actions that CloudFormation's handlers for these resource types need, by the schemas that cfn-lint brings.

    All but those of listing (https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html).
    """
    command = [_executable("python"), "-W", "ignore", "-c", _HANDLERS]
    return json.loads(_run(command, (0,), json.dumps(sorted(set(types)))))


def check_state_machines(definitions: Sequence[Mapping[str, Any]]) -> list[dict[str, list[str]]]:
    """What `asl-validator` and `statelint` say of each definition in Amazon States Language, by their names."""
    modules = installed("node") / "node_modules"
    command = [_command("node"), str(_HERE / "judge_state_machines.cjs")]
    return json.loads(_run(command, (0,), json.dumps(definitions), {"NODE_PATH": str(modules)}))


def match_events(questions: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[str]:
    """What Event Ruler answers for each pattern and event: `true`, `false`, or what is wrong with the pattern."""
    return _ask_ruler({"pattern": json.dumps(pattern), "event": json.dumps(event)} for pattern, event in questions)


def check_patterns(patterns: Iterable[Mapping[str, Any]]) -> list[str]:
    """What Event Ruler answers for each pattern: `true`, or what is wrong with it."""
    return _ask_ruler({"pattern": json.dumps(pattern)} for pattern in patterns)


def ruler_version() -> str:
    """The version of Event Ruler that is installed."""
    [archive] = installed("java").glob("event-ruler-*.jar")
    return archive.stem.removeprefix("event-ruler-")


def _ask_ruler(questions: Iterable[Mapping[str, str]]) -> list[str]:
    folder = installed("java")
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    command = [_command("java"), "-cp", os.pathsep.join([str(folder), f"{folder}/*"]), "MatchEvents"]
    return _run(command, (0,), lines).splitlines()


def _executable(tool: str) -> str:
    return str(installed("python") / "bin" / tool)


def installed(name: str) -> Path:
    """The folder of what has this name in `install.sh`."""
    if not (INSTALLED / f"{name}.stamp").exists():
        reason = INSTALLED / f"{name}.missing"
        raise Missing(reason.read_text().strip() if reason.exists() else "Skipped: make validate installs it first.")
    return INSTALLED / name


def _command(name: str) -> str:
    command = shutil.which(name)
    if command is None:
        raise Missing(f"Skipped: no {name} on the PATH.")
    return command


def _run(
    command: Sequence[str], expected: Iterable[int], given: str = "", environment: Mapping[str, str] | None = None
) -> str:
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, env=environment)
    if done.returncode not in expected:
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
