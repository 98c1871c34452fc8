"""Measures the policy pack: checks of large stacks, compared with small ones of the same kind."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from policies.inputs import state_files
from policies.model.evaluation import check
from tests.paths import ROOT
from tests.policies.large_stacks import build_pipelines, build_sharing, write_shapes
from tests.policies.programs import Program

from .figures import Figure

FEW, MANY = 100, 1000
LARGE_STACK, PER_PART = 20_000, 6
RUNS = 3
STACKS: tuple[Callable[[int], Program], ...] = (build_pipelines, build_sharing)


def large_stacks() -> Iterator[Figure]:
    """Time per resource to read and check stacks of thousands of resources."""
    for stack in STACKS:
        contents = [write_shapes(stack(size)) for size in (FEW, MANY)]
        for shape in contents[0]:
            runs = [[_microseconds(content[shape]) for content in contents] for _ in range(RUNS)]
            few, many = (statistics.median(column) for column in zip(*runs, strict=True))
            name = f"{_describe(stack)}, {shape}: judging a resource of {MANY} parts, beside {FEW}"
            yield Figure(name, many, "µs", baseline=few, ratio_bound=1.5)


def whole_processes() -> Iterator[Figure]:
    """The duration of the process `python -m policies.check`."""
    for stack in STACKS:
        content = write_shapes(stack(LARGE_STACK // PER_PART))
        for shape in content:
            name = f"{_describe(stack)}, {shape}: python -m policies.check of {LARGE_STACK} resources"
            yield Figure(name, _seconds(content[shape]), "s", bound=5)
    small = write_shapes(build_pipelines(1))
    for shape in small:
        yield Figure(f"{shape}: python -m policies.check of one program", _seconds(small[shape]), "s", bound=0.5)


def _describe(stack: Callable[[int], Program]) -> str:
    return getattr(stack, "__name__", "").replace("_", " ")


def _microseconds(content: bytes) -> float:
    """Return the CPU microseconds per resource."""
    began = time.process_time()
    report = check(state_files.read(content).resources)
    return (time.process_time() - began) * 1e6 / report.resources


def _seconds(content: bytes) -> float:
    """Return the median duration of the whole process."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "stack.json"
        file.write_bytes(content)
        taken = []
        for _ in range(RUNS):
            began = time.perf_counter()
            command = [sys.executable, "-m", "policies.check", str(file)]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            taken.append(time.perf_counter() - began)
            if done.returncode not in (0, 1):
                raise RuntimeError(f"the check must judge the stack, it ended with {done.returncode}: {done.stderr!r}")
    return statistics.median(taken)
