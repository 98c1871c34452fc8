"""The policy pack's figures: what judging a large stack takes, beside a small one of the same kind."""

import statistics
import time
from collections.abc import Iterator

from policies import state_files
from policies.evaluation import check
from tests.policies.large_stacks import build_pipelines, build_sharing, write_shapes

from .figures import Figure

FEW, MANY = 100, 1000
RUNS = 3


def large_stacks() -> Iterator[Figure]:
    """Reading and judging stacks of thousands, by the resource."""
    for stack in (build_pipelines, build_sharing):
        contents = [write_shapes(stack(size)) for size in (FEW, MANY)]
        for shape in contents[0]:
            runs = [[_microseconds(content[shape]) for content in contents] for _ in range(RUNS)]
            few, many = (statistics.median(column) for column in zip(*runs, strict=True))
            name = f"{stack.__name__.replace('_', ' ')}, {shape}: judging a resource of {MANY} parts, beside {FEW}"
            yield Figure(name, many, "µs", baseline=few, ratio_bound=1.5)


def _microseconds(content: bytes) -> float:
    """Processor time for one resource."""
    began = time.process_time()
    report = check(state_files.read(content).resources)
    return (time.process_time() - began) * 1e6 / report.resources
