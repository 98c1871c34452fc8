"""Measures the program's share of a preview: its imports and the registration of its resources.

The rest is the time of the engine and the provider. Runs in a separate process: `python -m tests.bench.preview prod`,
or `... queues 150` for the baseline, a program with as many bare queues.
"""

import runpy
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from local.deploy.stacks import PROJECT, ROOT, read_stack

from .figures import Figure

RUNS = 5


def shares() -> Iterator[Figure]:
    """The program of the prod stack, compared with as many bare queues."""
    count, _ = _measure("prod")
    pairs = [(_measure("queues", str(count))[1], _measure("prod")[1]) for _ in range(RUNS)]
    baseline, value = (statistics.median(column) for column in zip(*pairs, strict=True))
    yield Figure(f"preview: imports and program of {count} resources", value, "s", bound=1.0, baseline=baseline)


def _measure(*arguments: str) -> tuple[int, float]:
    """Return the number of resources that a program registers, and the seconds that it takes."""
    command = [sys.executable, "-m", "tests.bench.preview", *arguments]
    count, seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(count), float(seconds)


def _declare_queues(count: int) -> Callable[[], None]:
    def declare() -> None:
        from pulumi_aws import sqs

        for number in range(count):
            sqs.Queue(f"queue-{number}", message_retention_seconds=604_800)

    return declare


def _declare_product() -> None:
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


def main(program: str, count: int = 0) -> None:
    """Print the number of resources and the seconds."""
    began = time.perf_counter()
    # Imported here, since imports are measured.
    from pulumi.runtime import mocks

    from local.mocks import engine

    class Provider(mocks.Mocks):
        """Responds at once."""

        resources = 0

        def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict]:
            self.resources += bool(args.custom)
            return "", args.inputs

        def call(self, args: mocks.MockCallArgs) -> tuple[dict, None]:
            raise AssertionError(args.token)

    provider = Provider()
    declare, config = (_declare_queues(count), {}) if count else (_declare_product, read_stack(program).config)
    monitor = mocks.MockMonitor(provider)
    engine.run(declare, monitor, project=PROJECT, stack=program, config=config, preview=True)
    sys.stdout.write(f"{provider.resources} {time.perf_counter() - began:.4f}\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
