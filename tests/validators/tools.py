"""Other people's validators, as `install.sh` has installed them: what each says of our output."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.stacks import ROOT

INSTALLED = ROOT / ".validate"
_HERE = Path(__file__).parent
_PARLIAMENT = """
import json, sys
from parliament import analyze_policy_string
for policy in json.load(sys.stdin):
    for finding in analyze_policy_string(json.dumps(policy)).findings:
        print(f"{finding.issue}: {finding.detail} ({finding.location})")
"""


class Missing(Exception):
    """This machine has not what the validator runs with; the message says what."""


def check_template(template: Mapping[str, Any], region: str) -> list[str]:
    """What cfn-lint says, by AWS's schemas for every property of a CloudFormation template: code and message each."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(template, file)
        file.flush()
        command = [_python("cfn-lint"), "--regions", region, "--format", "json", "--template", file.name]
        said = json.loads(_run(command, (0, 2, 4, 6, 8, 10, 12, 14)) or "[]")
    return [f"{one['Rule']['Id']} {'/'.join(map(str, one['Location']['Path']))}: {one['Message']}" for one in said]


def check_identity_policies(policies: Sequence[Mapping[str, Any]]) -> list[str]:
    """What parliament says of policies of identities."""
    return _run([_python("python"), "-c", _PARLIAMENT], (0,), json.dumps(policies)).splitlines()


def check_state_machine(definition: str) -> dict[str, list[str]]:
    """What asl-validator and statelint say of a definition in Amazon States Language, each by its name."""
    bin_ = INSTALLED / "node" / "node_modules" / ".bin"
    if shutil.which("node") is None or not bin_.is_dir():
        raise Missing("no node or npm on the PATH")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(definition)
        file.flush()
        schema = _run([str(bin_ / "asl-validator"), "--json-path", file.name], (0, 1))
        rules = _run([str(bin_ / "statelint"), file.name], (0, 1))
    is_valid = "is valid" in schema
    return {
        "asl-validator": [] if is_valid else schema.strip().splitlines(),
        "statelint": [line.strip() for line in rules.splitlines() if line.startswith("\t")],
    }


def match_events(questions: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[str]:
    """What Event Ruler answers for each pattern and event: `true`, `false`, or what is wrong with the pattern."""
    if shutil.which("java") is None or not (INSTALLED / "java").is_dir():
        raise Missing("no java or mvn on the PATH")
    lines = "".join(json.dumps({"pattern": pattern, "event": event}) + "\n" for pattern, event in questions)
    classes = f"{INSTALLED / 'java'}/*"
    return _run(["java", "-cp", classes, str(_HERE / "MatchEvents.java")], (0,), lines).splitlines()


def _python(tool: str) -> str:
    path = INSTALLED / "python" / "bin" / tool
    if not path.exists():
        raise Missing("not installed: make validate installs them")
    return str(path)


def _run(command: Sequence[str], expected: Sequence[int], given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode not in expected:
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
