"""The real engine, and one embedded AWS for all of its stacks."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import Aws
from local.emulator.process import Emulator
from tests.engine.configurations import CONFIGURATIONS, REGION
from tests.engine.harness import EngineStack, locate_engine

NO_ENGINE = "no recent Pulumi engine: `make engine` builds one where Go is installed, or put `pulumi` on the PATH"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests that need an engine on a machine that has none, with the reason."""
    for item in items:
        if "tests/engine" not in item.path.as_posix():
            continue
        # After a failed update the SDK leaves the loop that ran the program open, for the garbage collector to find.
        item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))
        if locate_engine() is None:
            item.add_marker(pytest.mark.skip(reason=NO_ENGINE))


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The embedded AWS that the provider creates in."""
    with Emulator.serve(tmp_path_factory.mktemp("aws") / "emulator", REGION) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> Aws:
    """Its account, as the root user."""
    return emulator.aws(REGION)


@pytest.fixture(scope="session")
def new_stack(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., EngineStack]:
    """Makes a stack that nothing was deployed to yet, by the name of its configuration."""

    def new_stack(configuration: str, **more: Any) -> EngineStack:
        stack, config = CONFIGURATIONS[configuration]
        folder: Path = tmp_path_factory.mktemp(configuration)
        return EngineStack(folder, aws, stack, {**config, **more})

    return new_stack


@pytest.fixture(scope="session")
def on_call(aws: Aws) -> None:
    """The function that is subscribed, with its alias."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return None\n")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = aws.client("iam").create_role(
        RoleName="on-call", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    client = aws.client("lambda")
    client.create_function(
        FunctionName="on-call",
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
    )
    version = client.publish_version(FunctionName="on-call")["Version"]
    client.create_alias(FunctionName="on-call", Name="live", FunctionVersion=version)
