"""install.sh on machines that lack something: one sentence each, and the rest is installed all the same."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.validators import tools

SCRIPT = ROOT / "tests" / "validators" / "install.sh"
NEEDED = (
    *("bash", "cat", "cp", "cut", "diff", "dirname", "env", "grep", "id", "mkdir", "rm", "sha256sum", "sh", "sort"),
    *("tail", "tee"),
)
"""What the script itself runs with."""
PYTHON = """#!/bin/sh
echo "python $*" >> "$CALLS"
case "$*" in
*"-m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
*"-m pip"*) test -z "$PIP_SAYS" || { echo "$PIP_SAYS"; exit 1; } ;;
esac
"""
NODE = """#!/bin/sh
test -z "$NODE_SAYS" || { echo "$NODE_SAYS"; exit 1; }
test "$1" = --version || cat > /dev/null
"""
NPM = """#!/bin/sh
echo "npm $*" >> "$CALLS"
test -z "$NPM_SAYS" || { echo "$NPM_SAYS"; exit 1; }
"""
MAVEN = """#!/bin/sh
echo "mvn $*" >> "$CALLS"
test -z "$MVN_SAYS" || { echo "$MVN_SAYS"; exit 1; }
for last in "$@"; do :; done
mkdir -p "${last#-DoutputDirectory=}" && echo other > "${last#-DoutputDirectory=}/event-ruler-1.8.1.jar"
"""
NOTHING = "#!/bin/sh\n"
NO_NODE = "Skipped asl-validator and statelint: no node on the PATH.\n"
NO_JAVA = "Skipped Event Ruler: no java on the PATH.\n"
PACKAGES = ("chromium", "libreoffice-calc-nogui", "poppler-utils")
NO_BROWSER = "Skipped the HTML report in Chromium: no chromium on the PATH.\n"


class Machine:
    """A machine with what the script runs with, with Python, and with what is put there."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.target, self.calls = folder / "bin", folder / "target", folder / "calls"
        self.bin.mkdir()
        for name in NEEDED:
            path = shutil.which(name)
            assert path is not None, name
            (self.bin / name).symlink_to(path)
        self.put("python", PYTHON)

    def put(self, name: str, script: str) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def install(self, **says: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        environment = {"PATH": str(self.bin), "CALLS": str(self.calls), **says}
        command = [str(SCRIPT), str(self.bin / "python"), str(self.target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.stderr == ""
        return done.returncode, done.stdout

    def installed(self) -> set[str]:
        return {path.stem for path in self.target.glob("*.stamp")}

    def list_calls(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


def test_without_node_and_java_each_is_skipped_with_its_reason(machine):
    assert machine.install() == (0, NO_NODE + NO_JAVA + NO_BROWSER)
    assert machine.installed() == {"python"}


@pytest.mark.parametrize(("missing", "present"), [("npm", ["node"]), ("javac", ["java"]), ("mvn", ["java", "javac"])])
def test_half_of_what_is_needed_is_not_enough(machine, missing, present):
    for name in present:
        machine.put(name, NOTHING)

    code, printed = machine.install()

    assert code == 0
    assert f": no {missing} on the PATH.\n" in printed
    assert machine.installed() == {"python"}


def test_a_version_that_is_too_old_to_run_them_is_skipped_with_what_it_says(machine):
    machine.put("node", NODE)
    machine.put("npm", NPM)

    code, printed = machine.install(NODE_SAYS="SyntaxError: Unexpected token '?'")

    reason = "the installation failed (SyntaxError: Unexpected token '?')"
    assert (code, printed) == (0, f"Skipped asl-validator and statelint: {reason}.\n{NO_JAVA}{NO_BROWSER}")


def test_a_registry_that_is_out_of_reach_hides_nothing_else(machine):
    for name, script in {"node": NODE, "npm": NPM, "java": NOTHING, "javac": NOTHING, "mvn": MAVEN}.items():
        machine.put(name, script)

    code, printed = machine.install(
        PIP_SAYS="ERROR: Could not find a version that satisfies the requirement cfn-lint==1.58.0",
        MVN_SAYS="[ERROR] Unknown host",
    )

    assert code == 0
    assert printed.splitlines() == [
        "Skipped cfn-lint and parliament: the installation failed (ERROR: Could not find a version that satisfies the "
        "requirement cfn-lint==1.58.0).",
        "Skipped Event Ruler: the installation failed ([ERROR] Unknown host).",
        NO_BROWSER.strip(),
    ]
    assert machine.installed() == {"node"}


@pytest.mark.parametrize(
    "says",
    [
        {"PIP_SAYS": "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."},
        {"NPM_SAYS": "npm error code EINTEGRITY"},
        # Without words, the stand-in for mvn brings another archive.
        {},
    ],
)
def test_what_differs_from_its_hash_is_refused_and_fails(machine, says):
    for name, script in {"node": NODE, "npm": NPM}.items():
        machine.put(name, script)
    if not says:
        for name, script in {"java": NOTHING, "javac": NOTHING, "mvn": MAVEN}.items():
            machine.put(name, script)

    code, printed = machine.install(**says)

    assert code == 1
    [refused] = [line for line in printed.splitlines() if line.startswith("Refused ")]
    assert ": a download differs from its hash (" in refused
    assert len(machine.installed()) == (1 if says else 2)


def test_a_second_run_installs_nothing_and_says_again_what_is_missing(machine):
    machine.put("node", NODE)
    machine.put("npm", NPM)
    first = machine.install()
    calls = machine.list_calls()

    assert machine.install() == first == (0, NO_JAVA + NO_BROWSER)
    assert [call for call in machine.list_calls()[len(calls) :] if "-c import sys" not in call] == []


def test_what_could_not_be_installed_anew_is_not_used_any_longer(machine):
    machine.put("node", NODE)
    machine.put("npm", NPM)
    machine.install()
    assert machine.installed() == {"python", "node"}
    machine.put("node", NODE + "echo v99\n")

    machine.install(NPM_SAYS="npm error code ENOTFOUND")

    assert machine.installed() == {"python"}
    assert not (machine.target / "node").exists()


def test_a_browser_that_is_there_gets_what_drives_it(machine):
    machine.put("chromium", NOTHING)

    assert machine.install() == (0, NO_NODE + NO_JAVA)
    assert machine.installed() == {"python", "browser"}


@pytest.mark.parametrize(
    ("package_manager", "said"), [("exit 0", ""), ("echo E: no network; exit 100", "E: no network")]
)
def test_as_root_packages_of_debian_are_installed_where_they_are_missing(machine, package_manager, said):
    machine.put("apt-get", f'#!/bin/sh\necho "apt-get $*" >> "$CALLS"\n{package_manager}\n')
    (machine.bin / "id").unlink()
    machine.put("id", "#!/bin/sh\necho 0\n")

    code, printed = machine.install()

    problems = [f"Debian's package {package} could not be installed: {said}\n" for package in PACKAGES if said]
    assert (code, printed) == (0, NO_NODE + NO_JAVA + "".join(problems) + NO_BROWSER)
    calls = machine.list_calls()
    assert "apt-get update" in calls
    for package in PACKAGES:
        assert (f"apt-get install --yes --no-install-recommends {package}" in calls) is not bool(said)


def test_a_test_is_skipped_with_the_reason_of_the_installation(machine, monkeypatch):
    machine.install()
    monkeypatch.setattr(tools, "INSTALLED", machine.target)

    with pytest.raises(tools.Missing, match="Skipped asl-validator and statelint: no node on the PATH"):
        tools.check_state_machines([])
    with pytest.raises(tools.Missing, match="Skipped Event Ruler: no java on the PATH"):
        tools.check_patterns([])


def test_a_test_is_skipped_before_anything_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "INSTALLED", tmp_path)

    with pytest.raises(tools.Missing, match="make validate installs it first"):
        tools.check_policies([])


def test_a_validator_that_breaks_is_no_skip():
    with pytest.raises(RuntimeError, match="ended with 1: it is broken"):
        tools._run([sys.executable, "-c", "import sys; sys.exit('it is broken')"], (0,))


def test_locks_have_hashes_and_no_addresses():
    folder = SCRIPT.parent
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    requirements = "".join((folder / name).read_text() for name in ("requirements.txt", "requirements-browser.txt"))

    assert all(package["integrity"].startswith("sha512-") for path, package in packages.items() if path)
    assert all({"resolved", "funding"}.isdisjoint(package) for package in packages.values())
    assert "://" not in requirements
    assert requirements.count("==") == len(re.findall(r"==.* \\\n    --hash=sha256:", requirements))
