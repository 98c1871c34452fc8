"""`make bench`: measures the product, each figure with its bound or with a baseline from the same run.

Nothing is asserted: on a busy machine the figures are worse. A failed measurement is reported at the end, with exit
code 1, after all others; a figure whose baseline is not installed is named and left out. Writes `.local/bench.json`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from local.deploy import deployment
from local.deploy.deployment import RunningStack
from tests.paths import ROOT

from . import audit, burst, custodian, evidence, html_report, incidents, policies, preview, reports
from .figures import Figure, NotInstalled, build_table

RESULT = ROOT / ".local" / "bench.json"
IMPORTS = 7
DEPLOYMENTS = 3
HANDLERS = {
    "trail.writer": ("dynamodb", "sqs"),
    "audit.check": ("secretsmanager", "dynamodb"),
    "remediation.claim": ("dynamodb", "secretsmanager"),
    "remediation.notify": ("sns", "dynamodb"),
    "demo.rotation": ("secretsmanager",),
}
"""Handler -> the services whose clients it creates at its first event."""


def main() -> None:
    """Measure, print and write."""
    console = Console()
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    omitted: list[str] = []
    for measure in (
        imports,
        preview.shares,
        whole_path,
        incidents.deliveries,
        incidents.repairs,
        incidents.burst,
        burst.deliveries,
        audit.beside_the_tutorial,
        audit.half_a_million,
        audit.classification,
        audit.month,
        html_report.large_page,
        reports.reports,
        reports.streamed_csv,
        custodian.comparison,
        evidence.recording,
        evidence.verification,
        policies.large_stacks,
        policies.whole_processes,
    ):
        what = (measure.__doc__ or "").rstrip(".")
        with console.status(f"measuring: {what}"):
            try:
                figures += measure()
            except NotInstalled as error:
                omitted.append(f"{what}: {error}")
            except Exception as error:  # noqa: BLE001 - reported below
                failures[what] = f"{type(error).__name__}: {error}"
    console.print(build_table(figures))
    results = [{**asdict(figure), "ratio": figure.ratio, "kept": figure.passed} for figure in figures]
    try:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps({"figures": results, "failures": failures}, indent=2) + "\n")
    except OSError as error:
        sys.exit(f"{RESULT.relative_to(ROOT)} cannot be written: {error.strerror}.")
    console.print(f"Written to {RESULT.relative_to(ROOT)}")
    for sentence in omitted:
        console.print(f"Left out: {sentence}", markup=False, soft_wrap=True)
    for what, error in failures.items():
        console.print(f"Not measured: {what}: {error}", markup=False)
    if failures:
        sys.exit(1)


def imports() -> Iterator[Figure]:
    """A cold start: importing a handler and creating its clients, compared with boto3 and the same clients only."""
    for handler, services in HANDLERS.items():
        bare = f"import boto3; [boto3.client(service) for service in {services!r}]"
        whole = (
            f"import handlers.{handler}; from handlers.adapters.clients import client; "
            f"[client(service) for service in {services!r}]"
        )
        pairs = [(_python(bare), _python(whole)) for _ in range(IMPORTS)]
        baseline, value = (statistics.median(column) for column in zip(*pairs, strict=True))
        yield Figure(f"import {handler}", value, "s", baseline=baseline, ratio_bound=1.3)


def whole_path() -> Iterator[Figure]:
    """Start, deployment, three scenarios of the audit and teardown; and the cost of a deployment over bare calls."""
    runs: list[dict[str, float]] = []
    for _ in range(DEPLOYMENTS):
        with tempfile.TemporaryDirectory() as directory:
            runs.append(_measure_path(Path(directory) / ".local"))
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    yield Figure("start + deploy + scenarios A, B, C + teardown", medians["whole"], "s", bound=5)
    yield Figure("deploy", medians["deploy"], "s", bound=2)
    yield Figure(
        "deploy, per resource, over one bare CreateQueue",
        medians["per resource"],
        "ms",
        baseline=medians["bare call"],
    )


def _measure_path(directory: Path) -> dict[str, float]:
    began = time.perf_counter()
    stack = deployment.up(directory)
    try:
        _scenarios(stack)
        paused = time.perf_counter()
        bare = _bare_calls(stack)
        began += time.perf_counter() - paused  # not part of the path
    finally:
        stack.down()
    return {
        "whole": time.perf_counter() - began,
        "deploy": stack.seconds["deploy"],
        "per resource": stack.seconds["deploy"] * 1000 / len(stack.resources),
        "bare call": bare,
    }


def _scenarios(stack: RunningStack) -> None:
    """Read the schedule (A), run the audit (B), and read its two rows (C)."""
    outputs = stack.outputs
    stack.client("scheduler").get_schedule(GroupName=outputs["schedule_group_name"], Name=outputs["schedule_name"])
    answer = stack.client("lambda").invoke(FunctionName=outputs["function_name"], Payload=b"{}")
    run = json.loads(answer["Payload"].read())
    rows = stack.client("dynamodb").scan(TableName=outputs["table_name"])["Items"]
    run_rows = [row for row in rows if row["run_id"]["S"] == run["run_id"]]
    if (run["checked"], len(run_rows)) != (2, 2):
        raise RuntimeError(f"the audit must check and write 2 secrets, it returned {run} and wrote {len(run_rows)}")


def _bare_calls(stack: RunningStack, calls: int = 20) -> float:
    """Return the milliseconds of a bare CreateQueue call."""
    sqs = stack.client("sqs")
    began = time.perf_counter()
    urls = [sqs.create_queue(QueueName=f"bench-{number}")["QueueUrl"] for number in range(calls)]
    took = (time.perf_counter() - began) * 1000 / calls
    for url in urls:
        sqs.delete_queue(QueueUrl=url)
    return took


def _python(code: str) -> float:
    """Return the seconds that this code takes in a separate interpreter, measured inside."""
    timed = f"import time; began = time.perf_counter()\n{code}\nprint(time.perf_counter() - began)"
    environment = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    done = subprocess.run([sys.executable, "-c", timed], cwd=ROOT, env=environment, capture_output=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
