"""Measures the HTML report of 5 000 secrets, compared with their JSON, each in a process of its own.

`python -m tests.bench.html_report FORMAT` prints JSON: CPU seconds, which do not depend on other processes, megabytes
of memory at most, and those of the text.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.paths import ROOT

from .figures import Figure
from .measured_command import read_peak_megabytes

SECRETS = 5_000
MAX_SECONDS, MAX_MEGABYTES, MAX_SIZE = 5, 300, 1.0


def large_page() -> Iterator[Figure]:
    """The page of 5 000 secrets, of which one in ten needs attention."""
    page, baseline = _run("html"), _run("json")
    beside = f"HTML report of {SECRETS} secrets"
    yield Figure(f"{beside}: CPU time, compared with JSON", page["seconds"], "s", MAX_SECONDS, baseline["seconds"])
    yield Figure(f"{beside}: memory, compared with JSON", page["memory"], "MB", MAX_MEGABYTES, baseline["memory"])
    yield Figure(f"{beside}: size, compared with JSON", page["size"], "MB", MAX_SIZE, baseline["size"])


def _run(chosen: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.html_report", chosen]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)


def _render(chosen: str) -> str:
    from tests.html_report import sample

    page = sample.build_large_page(SECRETS)
    if chosen == "html":
        from rotation_guard.html_report.render import render_page

        return render_page(page)
    from rotation_guard.cli.formats import render_json
    from rotation_guard.cli.secret_answer import Part, SecretAnswer
    from rotation_guard.cli.secret_report import build_secret_report

    rows: Any = page.secrets
    answer = SecretAnswer([Part({"kind": "file", "description": page.subject})], page.generated_at, page.at, {}, rows)
    return render_json(build_secret_report(answer))


if __name__ == "__main__":
    text = _render(sys.argv[1])
    used = resource.getrusage(resource.RUSAGE_SELF)
    measured = {
        "seconds": used.ru_utime + used.ru_stime,
        "memory": read_peak_megabytes(),
        "size": len(text.encode()) / 1e6,
    }
    sys.stdout.write(json.dumps(measured))
