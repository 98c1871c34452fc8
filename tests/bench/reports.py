"""Measures `rotation-guard report` as whole processes against a server on this machine, up to 500 000 secrets."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .aws_answers import STACK_OUTPUTS
from .aws_server import serve
from .custodian import ROTATION_GUARD
from .figures import Figure
from .measured_command import Measurement, measure

SECRETS, SORTED, STREAMED, HALF_A_MILLION = 5_000, 50_000, 50_001, 500_000
"""A report in CSV is sorted up to so many secrets, and streamed beyond."""
DELAY_MILLISECONDS, RUNS = 5, 3
TEXT_SECONDS, PAGE_SECONDS, PAGE_MEGABYTES, PAGE_SIZE = 3, 5, 300, 1.0


def reports() -> Iterator[Figure]:
    """The report of 5 000 secrets, as a table and as a page."""
    text, page = _measure(SECRETS, "table"), _measure(SECRETS, "html")
    yield Figure(f"report of {SECRETS} secrets, {DELAY_MILLISECONDS} ms a call", text.seconds, "s", TEXT_SECONDS)
    yield Figure(
        "report --format html of them, compared with the table", page.seconds, "s", PAGE_SECONDS, baseline=text.seconds
    )
    yield Figure("their processor time", page.cpu_seconds, "s", baseline=text.cpu_seconds)
    yield Figure("its memory, compared with the table", page.megabytes, "MB", PAGE_MEGABYTES, baseline=text.megabytes)
    yield Figure("the size of the page", page.output_megabytes, "MB", PAGE_SIZE)


def streamed_csv() -> Iterator[Figure]:
    """The report of half a million secrets as CSV."""
    few, many = (_measure(size, "csv", runs=1) for size in (STREAMED, HALF_A_MILLION))
    collected = _measure(SORTED, "csv", runs=1)
    deviations = [abs(run.lines - 1 - size) for run, size in ((few, STREAMED), (many, HALF_A_MILLION))]
    beside = f"report --format csv of {HALF_A_MILLION} secrets, compared with {STREAMED}"
    yield Figure(f"{beside}: memory", many.megabytes, "MB", baseline=few.megabytes, ratio_bound=1.1)
    cpu, baseline = (run.cpu_seconds * 1e6 / size for run, size in ((many, HALF_A_MILLION), (few, STREAMED)))
    yield Figure(f"{beside}: CPU time per secret", cpu, "µs", baseline=baseline, ratio_bound=1.2)
    yield Figure("its time", many.seconds, "s")
    yield Figure("its secrets without exactly one row", sum(deviations), "", exactly=0)
    yield Figure(
        f"memory for {SORTED}, the most that are sorted, over streamed",
        collected.megabytes,
        "MB",
        baseline=few.megabytes,
    )


def _measure(secrets: int, chosen: str, runs: int = RUNS) -> Measurement:
    """The run of the median time, after one to warm up if there are several."""
    with serve(secrets, DELAY_MILLISECONDS) as server, tempfile.TemporaryDirectory() as directory:
        outputs = Path(directory) / "outputs.json"
        outputs.write_text(json.dumps(STACK_OUTPUTS))
        command = [ROTATION_GUARD, "report", "--stack-outputs", str(outputs), "--format", chosen]
        if runs > 1:
            measure(command, AWS_ENDPOINT_URL=server.url)
        measurements = [measure(command, AWS_ENDPOINT_URL=server.url) for _ in range(runs)]
    return sorted(measurements, key=lambda run: run.seconds)[runs // 2]
