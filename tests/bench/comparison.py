"""Runs the product's and the tutorial's audit on the same secrets in the same embedded AWS, in a separate process.

`python -m tests.bench.comparison SIZE` prints JSON; `audit` sets its environment.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from handlers.adapters.clients import client
from handlers.audit import check
from local.demo import portfolio
from local.deploy import deployment
from local.deploy.deployment import RunningStack
from tests.handlers.conftest import Context

from . import population, tutorial

DELAY_SECONDS = 0.01
PARTS = 5
"""Only one part of the tutorial's audit is measured where all of it would take minutes."""
SERVICES = ("secretsmanager", "dynamodb", "cloudwatch", "events", "lambda")


class Network:
    """Counts and delays the calls between the clients and AWS."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.delay_seconds = 0.0
        for service in SERVICES:
            client(service).meta.events.register("before-send", self._sent)

    def _sent(self, event_name: str, **_more: Any) -> None:
        _, service, operation = event_name.split(".")
        self.calls[f"{service}:{operation}"] += 1
        if self.delay_seconds:
            time.sleep(self.delay_seconds)

    def time(self, audit: Callable[[], Any], delay_seconds: float = 0.0) -> dict[str, Any]:
        """Measure an audit, with this delay for every call."""
        self.calls.clear()
        self.delay_seconds = delay_seconds
        began, busy = time.perf_counter(), time.process_time()
        answer = audit()
        return {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - busy,
            "calls": dict(self.calls),
            "checked": answer["checked"],
        }


def compare(size: int) -> dict[str, Any]:
    """Measure the product's first run, which reads the date of every version, and then a run of each."""
    with (
        tempfile.TemporaryDirectory() as directory,
        deployment.deploy_temporarily(Path(directory) / ".local", config={"demo": False}) as stack,
        patch.dict(os.environ, _environment(stack)),
    ):
        return _compare(stack, size)


def _compare(stack: RunningStack, size: int) -> dict[str, Any]:
    now = datetime.now(UTC).replace(microsecond=0)
    portfolio.seed(stack, (_build_secret(number, now) for number in range(size)))
    tutorial.create_table(client("dynamodb"))
    network, runs = Network(), iter(range(100))

    def run_product() -> Any:
        context: Any = Context(f"bench-{next(runs)}", remaining=900_000)
        return check.handler({}, context)

    def run_tutorial(pages: int | None = None) -> Any:
        return tutorial.audit(client("secretsmanager"), client("dynamodb"), pages)

    return {
        "first": network.time(run_product),
        "ours": network.time(run_product),
        "tutorial": network.time(run_tutorial),
        "ours, delayed": network.time(run_product, DELAY_SECONDS),
        "tutorial, delayed": _scale_up(network.time(lambda: run_tutorial(size // 100 // PARTS), DELAY_SECONDS)),
    }


def _scale_up(part: dict[str, Any]) -> dict[str, Any]:
    """Extrapolate to all secrets: the tutorial's calls are sequential, and would take minutes."""
    return part | {"seconds": part["seconds"] * PARTS}


def _environment(stack: RunningStack) -> dict[str, str]:
    """Return the environment of the deployed function, so that the handler runs here as it does there."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.outputs["function_name"])
    return function["Environment"]["Variables"] | stack.build_environment()


def _build_secret(number: int, now: datetime) -> dict[str, Any]:
    listed = population.entry(number, now) | {"VersionCreatedDates": population.version_dates(number, now)}
    return json.loads(json.dumps(listed, default=datetime.isoformat))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(compare(int(sys.argv[1]))) + "\n")
