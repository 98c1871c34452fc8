"""The examples in TypeScript and Go, held to the SDKs that Pulumi's generators make of the schema on file."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.generate import SCHEMA
from tests.engine.harness import BUILT, ROOT, make_checkout, make_environment

GENERATOR = BUILT / "generate-sdk"
TYPESCRIPT = ROOT / ".engine" / "typescript"
DEPLOY = Path(__file__).parent / "typescript" / "deploy.cjs"
PLANTED_TYPESCRIPT = {
    # A number in quotes, an Output in place of a plain value, an input that does not exist, and one that is missing.
    "text": ("maxAgeDays: 60", 'maxAgeDays: "60"', "Type 'string' is not assignable to type 'number'"),
    "output": ("maxAgeDays: 60", "maxAgeDays: pulumi.output(60)", "is not assignable to type 'number'"),
    "unknown": ("maxAgeDays: 60", "maxAgeDay: 60", "'maxAgeDay' does not exist in type 'RotationGuardArgs'"),
    "missing": ('protocol: "https",', "", "Property 'protocol' is missing"),
    "property": ("guard.dashboardUrl", "guard.dashboardUri", "Property 'dashboardUri' does not exist"),
}
"""What is changed in the example by what, and what the compiler says of it."""
PLANTED_GO = {
    "text": ("pulumi.IntRef(60)", '"60"', 'cannot use "60"'),
    "unknown": ("MaxAgeDays: ", "MaxAgeDay: ", "unknown field MaxAgeDay"),
    "property": ("guard.DashboardUrl", "guard.DashboardUri", "guard.DashboardUri undefined"),
}


@pytest.fixture(scope="module")
def generate_sdk():
    """Generates the SDK for a language into a folder."""
    if not GENERATOR.is_file():
        pytest.skip("no generator of SDKs: `make engine` builds one where Go is installed")

    def generate_sdk(language: str, folder: Path) -> None:
        subprocess.run([str(GENERATOR), language, str(SCHEMA), str(folder)], check=True)

    return generate_sdk


@pytest.fixture(scope="module")
def typescript(generate_sdk, tmp_path_factory) -> Path:
    """The example in TypeScript, as it is after its dependencies are installed."""
    if not (TYPESCRIPT / "stamp").is_file():
        pytest.skip("no TypeScript: `make engine` installs it where Node and npm are")
    examples = make_checkout(tmp_path_factory.mktemp("typescript")) / "examples"
    program = examples / "typescript"
    # A module is looked for in the folders above as well.
    (examples / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    sdk = program / "node_modules" / "@rotation-guard" / "rotation-guard"
    generate_sdk("nodejs", sdk)
    # As npm does once it has installed the SDK, with the compiler on the PATH.
    compiler = f"{TYPESCRIPT / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}"
    postinstall = ["node", "scripts/postinstall.js"]
    subprocess.run(postinstall, cwd=sdk, env={**os.environ, "PATH": compiler}, check=True)
    return program


def compile_typescript(program: Path, *arguments: str) -> str:
    compiler = TYPESCRIPT / "node_modules" / ".bin" / "tsc"
    done = subprocess.run([str(compiler), *arguments], cwd=program, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is (done.stdout == ""), done.stdout + done.stderr
    return done.stdout


def test_the_example_in_typescript_compiles_and_planted_errors_do_not(typescript):
    program = typescript
    example = (program / "index.ts").read_text(encoding="utf-8")
    for name, (old, new, _) in PLANTED_TYPESCRIPT.items():
        assert example.count(old) == 1
        (program / f"{name}.ts").write_text(example.replace(old, new), encoding="utf-8")
    configuration = (program / "tsconfig.json").read_text(encoding="utf-8")
    files = ", ".join(f'"{name}.ts"' for name in ("index", *PLANTED_TYPESCRIPT))
    (program / "planted.json").write_text(configuration.replace('"index.ts"', files), encoding="utf-8")

    assert compile_typescript(typescript, "--project", ".") == ""
    errors = compile_typescript(typescript, "--project", "planted.json")

    found = dict(re.findall(r"^(\w+)\.ts\(\d+,\d+\): error TS\d+: (.*(?:\n .*)*)", errors, re.MULTILINE))
    assert set(found) == set(PLANTED_TYPESCRIPT)
    for name, (_, _, message) in PLANTED_TYPESCRIPT.items():
        assert message in found[name]


def test_the_example_in_typescript_deploys(typescript, aws, tmp_path):
    assert compile_typescript(typescript, "--project", ".", "--noEmit", "false", "--outDir", "built") == ""
    deploy = [str(DEPLOY), str(tmp_path), str(typescript), "built/index.js"]

    done = subprocess.run(
        ["node", *deploy],  # noqa: S607 - the user's
        env={**os.environ, **make_environment(tmp_path, aws)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    resources = {f"{entry['type']} {entry['urn'].rpartition('::')[2]}": entry for entry in report["resources"]}
    [subscription] = [entry for name, entry in resources.items() if "topicSubscription:" in name]
    writer = resources["aws:lambda/function:Function orders-trail-writer"]["inputs"]["environment"]["variables"]
    assert set(report["changes"]) == {"create"}
    assert report["outputs"]["criticalTopicArn"] == subscription["inputs"]["topic"]
    assert subscription["inputs"]["endpoint"]["plaintext"] == '"https://pager.example.com/hook"'
    assert json.loads(subscription["inputs"]["filterPolicy"]) == {"severity": ["OUTAGE", "AT RISK"]}
    assert writer["STATUS_TABLE_NAME"] == resources["aws:dynamodb/table:Table orders-status"]["id"]


def test_the_example_in_go_compiles_and_planted_errors_do_not(generate_sdk, tmp_path):
    go = shutil.which("go")
    if go is None:
        pytest.skip("no go on the PATH")
    shutil.copytree(ROOT / "examples" / "go", tmp_path / "program")
    program = tmp_path / "program"
    generate_sdk("go", program / "sdks" / "rotation-guard-rotation-guard")
    example = (program / "main.go").read_text(encoding="utf-8")

    def vet(text: str) -> str:
        (program / "main.go").write_text(text, encoding="utf-8")
        lines = subprocess.run([go, "vet", "."], cwd=program, capture_output=True, text=True, check=False).stderr
        # What was not there yet is downloaded on the way.
        return "".join(line for line in lines.splitlines(keepends=True) if not line.startswith("go: downloading "))

    assert vet(example) == ""
    for old, new, message in PLANTED_GO.values():
        assert example.count(old) == 1
        assert message in vet(example.replace(old, new))


def test_the_generated_types_have_their_suffix_once(generate_sdk, tmp_path):
    generate_sdk("nodejs", tmp_path)

    inputs = (tmp_path / "types" / "input.ts").read_text(encoding="utf-8")
    assert "export interface SubscriptionArgs {" in inputs
    assert "ArgsArgs" not in inputs
