"""Deploys the repository's own `__main__.py` as the Pulumi engine would, with the table of resources in AWS's place.

Pulumi's mocks are the seam: the program registers its resources, and each one is created through boto3, under a
physical name that is generated as the engine does.
"""

import importlib
import runpy
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import mocks

from ..aws import Aws
from ..errors import LocalError
from ..mocks import engine
from .resources import TABLE, Resource, entry_for
from .stacks import Stack

_PARALLEL = 2


@dataclass
class Deployed:
    """What a run of the program left."""

    resources: list[Resource] = field(default_factory=list)
    """In the order of their creation: deleted in reverse."""
    outputs: dict[str, Any] = field(default_factory=dict)


def prepare() -> None:
    """Import what a program will import, now, while there is something else to wait for."""
    for token in TABLE:
        service, _, kind = token.removeprefix("aws:").partition("/")
        module = importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")
        getattr(module, kind.partition(":")[2])  # The SDK's modules load at the first look into them.


def run(stack: Stack, aws: Aws) -> Deployed:
    """Run the program to its end, with every resource created.

    Raises LocalError: the program's own complaint, or what AWS refused, by the resource it refused.
    """
    deployed = Deployed()
    creator = _Creator(aws, deployed)
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
        # What went wrong first is what went wrong; the rest followed from it.
        if creator.failure:
            raise creator.failure from None
        raise
    return deployed


def execute(root: Path) -> None:
    """Run the program that lies here, as `pulumi` does."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    runpy.run_path(str(root / "__main__.py"), run_name="__main__")


class _Creator(mocks.Mocks):
    """What Pulumi's mocks ask for each resource: called from many threads at once."""

    def __init__(self, aws: Aws, deployed: Deployed) -> None:
        self.failure: LocalError | None = None
        self._aws = aws
        self._deployed = deployed
        self._registering = threading.Lock()

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom:
            return "", args.inputs
        try:
            return self._create(args.typ, args.name, engine.plain(args.inputs))
        except LocalError as error:
            self._failed(error)
            raise
        except (ClientError, BotoCoreError) as error:
            complaint = LocalError(f"{args.typ} {args.name} could not be created: {error}")
            self._failed(complaint)
            raise complaint from error

    def call(self, args: mocks.MockCallArgs) -> tuple[dict, None]:
        error = LocalError(f"The program looked up {args.token}: what a component needs, it is given.")
        self._failed(error)
        raise error

    def _create(self, token: str, name: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        entry = entry_for(token)
        entry.refuse_unknown(inputs)
        inputs = entry.named(name, inputs)
        created = entry.create(self._aws, inputs)
        with self._registering:
            self._deployed.resources.append(Resource(token, name, created.id, created.outputs))
        return created.id, {**inputs, **created.outputs}

    def _failed(self, error: LocalError) -> None:
        with self._registering:
            self.failure = self.failure or error
