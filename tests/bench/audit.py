"""Measures the audit: compared with the tutorial's, with half a million secrets, and its CPU time."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from docs import costs
from tests.paths import ROOT

from .figures import Figure
from .measured_command import ENVIRONMENT

COMPARED, FEW, MANY = 10_000, 50_000, 500_000
CLASSIFICATION_MICROSECONDS = 40
_SECRETS_MANAGER = "secrets-manager:"
_ENVIRONMENT = {**ENVIRONMENT, "POWERTOOLS_METRICS_NAMESPACE": "rotation-guard"}


def beside_the_tutorial() -> Iterator[Figure]:
    """The same secrets in the same embedded AWS, without and with network delays."""
    results = _process("comparison", str(COMPARED))
    ours, tutorial = results["ours"], results["tutorial"]
    yield Figure(f"first audit of {COMPARED} secrets: dates every version", results["first"]["seconds"], "s")
    yield Figure(
        f"audit of {COMPARED} secrets, compared with the tutorial's",
        ours["seconds"],
        "s",
        baseline=tutorial["seconds"],
        ratio_bound=1 / 4,
    )
    yield Figure(
        "with a delay of 10 ms per call, compared with the tutorial's",
        results["ours, delayed"]["seconds"],
        "s",
        baseline=results["tutorial, delayed"]["seconds"],
        ratio_bound=1 / 20,
    )
    yield Figure("its calls, compared with the tutorial's", _calls(ours), "calls", baseline=_calls(tutorial))
    pages = math.ceil(COMPARED / 100)
    yield Figure("of them to Secrets Manager", _calls(ours, _SECRETS_MANAGER), "calls", exactly=pages)


def half_a_million() -> Iterator[Figure]:
    """Through a generated client, each size in a separate process."""
    few, many = (_process("generated", str(size)) for size in (FEW, MANY))
    beside = f"audit of {MANY} secrets, compared with {FEW}"
    yield Figure(f"{beside}: memory", many["megabytes"], "MB", baseline=few["megabytes"], ratio_bound=1.2)
    cpu, baseline = many["cpu_microseconds"], few["cpu_microseconds"]
    yield Figure(f"{beside}: CPU time per secret", cpu, "µs", baseline=baseline, ratio_bound=1.2)
    yield Figure("its hand-overs, as many as the time limit requires", many["hand_overs"], "", exactly=many["forced"])
    deviations = sum(abs(MANY - rows) + 2 * again for rows, again in many["rows"].values())
    yield Figure("its secrets without exactly one row in a table", deviations, "", exactly=0)


def classification() -> Iterator[Figure]:
    """Parsing an entry of ListSecrets and deciding its verdict."""
    microseconds = _process("generated", "classify")["microseconds"]
    yield Figure("parsing and judging a secret", microseconds, "µs", bound=CLASSIFICATION_MICROSECONDS)


def month() -> Iterator[Figure]:
    """The monthly cost of hourly audits, at list prices."""
    for secrets in costs.SIZES:
        every_run, changes = (costs.monthly(secrets, costs.written(mode)) for mode in (costs.EVERY_RUN, costs.CHANGES))
        yield Figure(f"a month of {secrets} secrets, everyRun", every_run.total, "$")
        yield Figure(f"a month of {secrets} secrets, changes", changes.total, "$", baseline=every_run.total)


def _calls(run: dict[str, Any], service: str = "") -> int:
    return sum(count for call, count in run["calls"].items() if call.startswith(service))


def _process(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of this package in a separate interpreter, and return the result in its last line."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{module}", *arguments],
        cwd=ROOT,
        env={**{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}, **_ENVIRONMENT},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
