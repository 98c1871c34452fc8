"""Deploys the repository's own `__main__.py` into the embedded AWS, without the Pulumi engine.

The program runs on Pulumi's mocks: each resource that it registers is created through boto3 by the resource table,
under a physical name like the engine's.
"""

import importlib
import runpy
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import mocks

from ..aws import Aws
from ..errors import LocalError
from ..mocks import engine
from .resources import TABLE, Resource, find_entry
from .stacks import Stack

_PARALLEL = 2


@dataclass
class DeploymentResult:
    """The resources and outputs of a run of the program."""

    resources: list[Resource] = field(default_factory=list)
    """In the order of creation; they are deleted in reverse."""
    outputs: dict[str, Any] = field(default_factory=dict)


def prepare() -> None:
    """Import what the program will import, while the emulator starts."""
    for token in TABLE:
        service, _, kind = token.removeprefix("aws:").partition("/")
        module = importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")
        getattr(module, kind.partition(":")[2])  # The SDK loads a module when an attribute is first read.


def run(stack: Stack, aws: Aws, on_created: Callable[[int], None] = lambda count: None) -> DeploymentResult:
    """Run the program and create its resources; call `on_created` with their number after each.

    Raises LocalError with the program's own error, or with AWS's error and the resource it is about.
    """
    deployed = DeploymentResult()
    creator = _ResourceCreator(aws, deployed, on_created)
    try:
        deployed.outputs = engine.run(
            lambda: execute(stack.root),
            mocks.MockMonitor(creator),
            project=stack.project,
            stack=stack.name,
            config=stack.config,
            threads=_PARALLEL,
        )
    except pulumi.RunError as error:
        raise LocalError(str(error)) from error
    except Exception:
        # The first error is the cause; later ones follow from it.
        if creator.failure:
            raise creator.failure from None
        raise
    return deployed


def execute(root: Path) -> None:
    """Run the program in this folder, as `pulumi` does."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    runpy.run_path(str(root / "__main__.py"), run_name="__main__")


class _ResourceCreator(mocks.Mocks):
    """Creates each resource that Pulumi's mocks ask for; called from many threads at once."""

    def __init__(self, aws: Aws, deployed: DeploymentResult, on_created: Callable[[int], None]) -> None:
        self.failure: LocalError | None = None
        self._aws = aws
        self._deployed = deployed
        self._on_created = on_created
        self._registering = threading.Lock()

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom:
            return "", args.inputs
        try:
            return self._create(args.typ, args.name, engine.to_plain(args.inputs))
        except LocalError as error:
            self._record_failure(error)
            raise
        except (ClientError, BotoCoreError) as error:
            translated = LocalError(f"{args.typ} {args.name} could not be created: {error}")
            self._record_failure(translated)
            raise translated from error

    def call(self, args: mocks.MockCallArgs) -> tuple[dict, None]:
        error = LocalError(f"The program looked up {args.token}: pass components what they need as arguments instead.")
        self._record_failure(error)
        raise error

    def _create(self, token: str, name: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        entry = find_entry(token)
        entry.reject_unknown_inputs(inputs)
        inputs = entry.with_name(name, inputs)
        created = entry.create(self._aws, inputs)
        with self._registering:
            self._deployed.resources.append(Resource(token, name, created.id, created.outputs))
            self._on_created(len(self._deployed.resources))
        return created.id, {**inputs, **created.outputs}

    def _record_failure(self, error: LocalError) -> None:
        with self._registering:
            self.failure = self.failure or error
