"""The audit's figures: beside the tutorial's, at half a million secrets, and by processor time."""

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

COMPARED, FEW, MANY = 10_000, 50_000, 500_000
CLASSIFICATION_MICROSECONDS = 40
_SECRETS_MANAGER = "secrets-manager:"
_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "rotation-guard",
}


def beside_the_tutorial() -> Iterator[Figure]:
    """The same secrets in the same embedded AWS, as it is and as on a network."""
    told = _process("comparison", str(COMPARED))
    ours, theirs = told["ours"], told["tutorial"]
    yield Figure(f"first audit of {COMPARED} secrets: dates every version", told["first"]["seconds"], "s")
    yield Figure(
        f"audit of {COMPARED} secrets, beside the tutorial's",
        ours["seconds"],
        "s",
        baseline=theirs["seconds"],
        ratio_bound=1 / 4,
    )
    yield Figure(
        "with 10 ms more for every call, beside the tutorial's",
        told["ours, delayed"]["seconds"],
        "s",
        baseline=told["tutorial, delayed"]["seconds"],
        ratio_bound=1 / 20,
    )
    yield Figure("its calls, beside the tutorial's", _calls(ours), "calls", baseline=_calls(theirs))
    pages = math.ceil(COMPARED / 100)
    yield Figure("of them to Secrets Manager", _calls(ours, _SECRETS_MANAGER), "calls", exactly=pages)


def half_a_million() -> Iterator[Figure]:
    """Through a generated client, each size in a process of its own."""
    few, many = (_process("generated", str(size)) for size in (FEW, MANY))
    beside = f"audit of {MANY} secrets, beside {FEW}"
    yield Figure(f"{beside}: memory", many["megabytes"], "MB", baseline=few["megabytes"], ratio_bound=1.2)
    cpu, baseline = many["cpu_microseconds"], few["cpu_microseconds"]
    yield Figure(f"{beside}: processor time a secret", cpu, "µs", baseline=baseline, ratio_bound=1.2)
    yield Figure("its hand-overs, as many as its time forces", many["hand_overs"], "", exactly=many["forced"])
    astray = sum(abs(MANY - rows) + 2 * again for rows, again in many["rows"].values())
    yield Figure("its secrets without exactly one row in a table", astray, "", exactly=0)


def classification() -> Iterator[Figure]:
    """Reading an entry of the list, and judging it."""
    took = _process("generated", "classify")["microseconds"]
    yield Figure("reading and judging a secret", took, "µs", bound=CLASSIFICATION_MICROSECONDS)


def month() -> Iterator[Figure]:
    """What hourly audits cost, by list prices."""
    for secrets in costs.SIZES:
        every_run, changes = (costs.monthly(secrets, costs.written(mode)) for mode in (costs.EVERY_RUN, costs.CHANGES))
        yield Figure(f"a month of {secrets} secrets, everyRun", every_run.total, "$")
        yield Figure(f"a month of {secrets} secrets, changes", changes.total, "$", baseline=every_run.total)


def _calls(run: dict[str, Any], service: str = "") -> int:
    return sum(count for call, count in run["calls"].items() if call.startswith(service))


def _process(module: str, *arguments: str) -> dict[str, Any]:
    """What a module of this room answers in an interpreter of its own: on its last line, below what it logs."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{module}", *arguments],
        cwd=ROOT,
        env={**{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}, **_ENVIRONMENT},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
