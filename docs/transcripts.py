"""Writes docs/transcripts.md: what the commands print on a deployment of this machine, as `make transcripts` runs them.

Names and times differ each time, so no test compares the page; addresses and paths of this machine are left out.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.demo import scenarios
from local.deploy import deployment
from local.deploy.deployment import RunningStack

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "transcripts.md"
_WIDTH = 110
_TITLES = {
    "report --attention": "Which secrets need attention",
    "report --older-than 30d": "Which values are older than 30 days",
    "exemptions": "What was accepted, by whom and until when",
    "incidents": "Incidents",
    "audit run": "An audit now",
    "doctor": "Does every part work",
    "dead-letters": "What could not be delivered or handled",
    "verify": "Are the records as they were written",
    "report --format json --evidence 2026-Q4": "A directory for an auditor",
    "verify 2026-Q4": "Is that directory as it was written",
}
"""Command -> its heading, in the order of the page."""
_QUIET = frozenset({"report --format json --evidence 2026-Q4"})
"""Commands of which only what they say on standard error is shown."""
_HEAD = """# Transcripts

What the commands print on the local deployment, after `make report` has filled it with a portfolio of secrets. `make
transcripts` runs them and writes this page.
"""


def main() -> None:
    """Deploy, run the commands, and write the page."""
    with tempfile.TemporaryDirectory() as directory, deployment.deploy_temporarily(Path(directory) / ".local") as stack:
        for step in (scenarios.fail_rotation, scenarios.audit_portfolio):
            list(step(stack, progress=lambda _: None))
        page = "\n".join((_HEAD, *_transcribe(Path(directory), stack)))
    PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(f"Wrote {PAGE.relative_to(ROOT)}\n")


def _transcribe(directory: Path, stack: RunningStack) -> Iterator[str]:
    for command, title in _TITLES.items():
        arguments = [sys.executable, "-m", "rotation_guard.cli", *command.split()]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(_WIDTH), "NO_COLOR": "1"}
        done = subprocess.run(
            arguments, cwd=directory, env=environment, capture_output=True, check=False, encoding="utf-8"
        )
        text = done.stderr if command in _QUIET else done.stdout + done.stderr
        shown = _leave_out_this_machine(text.rstrip("\n"), directory, stack)
        yield f"## {title}\n\n```console\n$ rotation-guard {command}\n{shown}\n```\n"


def _leave_out_this_machine(text: str, directory: Path, stack: RunningStack) -> str:
    text = text.replace(f"{directory.resolve()}/", "").replace(f"{directory}/", "")
    return re.sub(re.escape(stack.endpoint_url), "http://127.0.0.1:4566", text)


if __name__ == "__main__":
    main()
