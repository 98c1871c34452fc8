"""Starts, describes and removes the local deployment; `.local/` holds its description."""

import contextlib
import dataclasses
import itertools
import json
import shlex
import shutil
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.entry_points import postpone_interruption

from ..aws import Aws
from ..emulator.process import ACCOUNT_ID, WAIT_SCALE, Emulator, write_private_file
from ..errors import LocalError
from . import account
from .directory_lock import lock_directory
from .resources import SERVICES, TABLE, Resource
from .stacks import ROOT, read_stack

DIRECTORY = Path(".local")
_STATE, _ENV, _RUN = "stack.json", "env", "emulator-"
_ADOPT_TIMEOUT_SECONDS = 60.0
"""How long to wait for a running `up` or `down`."""
_DELETE_TIMEOUT_SECONDS = 3.0
"""How long to retry the deletion of resources that still exist."""

Progress = Callable[[str], None]
"""Called with what is happening now."""


def ignore_progress(text: str) -> None:
    """Show nothing."""


@dataclass
class RunningStack:
    """A deployed stack, as `.local/stack.json` describes it."""

    directory: Path
    stack: str
    endpoint_url: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    folder: str
    """Folder of the emulator, in the directory: its log and its event log."""
    outputs: dict[str, Any]
    inbox: dict[str, str]
    """Topic -> URL of a queue that receives all of its messages, in SNS's envelope."""
    seconds: dict[str, float]
    resources: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.aws = Aws(self.endpoint_url, self.region, self.account_id, self.access_key_id, self.secret_access_key)

    @property
    def emulator(self) -> Emulator | None:
        """The emulator that runs it, dead or alive; None when it has been replaced."""
        emulator = Emulator.load(self.directory / self.folder)
        return emulator if emulator and emulator.endpoint_url == self.endpoint_url else None

    def client(self, service: str) -> Any:
        """Return a boto3 client of the stack's account, as its root user."""
        return self.aws.client(service)

    def output(self, name: str) -> Any:
        """Return an output of the stack; raises LocalError when it has none of this name."""
        if name not in self.outputs:
            raise LocalError(
                f"Stack {self.stack} has no output {name}: this command needs a stack with `demo` and `drill` on."
            )
        return self.outputs[name]

    def is_alive(self) -> bool:
        """Whether its emulator runs and responds."""
        return (emulator := self.emulator) is not None and emulator.is_ready()

    def down(self) -> list[str]:
        """Delete and stop everything; return the names of resources that could not be deleted."""
        return down(self.directory).leftovers

    def adopt(self, resources: Iterable[Resource]) -> None:
        """Record these resources as the stack's own, so that they are deleted with it.

        Raises LocalError when the stack has been replaced or removed meanwhile, and leaves the new description alone.
        """
        adopted = [dataclasses.asdict(resource) for resource in resources]
        with lock_directory(self.directory, _STATE, _ADOPT_TIMEOUT_SECONDS):
            described = load_stack(self.directory)
            # No two runs share a key.
            if described is None or described.access_key_id != self.access_key_id:
                raise LocalError("The stack was replaced or removed meanwhile, together with everything created in it.")
            # Read from the file: another process may have adopted resources, too.
            known = {(resource["token"], resource["id"]) for resource in described.resources}
            self.resources = described.resources + [
                resource for resource in adopted if (resource["token"], resource["id"]) not in known
            ]
            _write_description(self)

    def build_environment(self) -> dict[str, str]:
        """Return the environment variables that point `aws` and boto3 to it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def render_exports(self) -> str:
        """Return lines for a shell to source, after which `aws` reaches this stack only."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in self.build_environment().items()]
        no_proxy = 'export NO_PROXY="127.0.0.1${NO_PROXY:+,$NO_PROXY}"'
        return "\n".join([*exports, no_proxy, "unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN"]) + "\n"


@dataclass
class TeardownResult:
    """The result of `down`."""

    was_running: bool = False
    emulator_had_died: bool = False
    deleted_count: int = 0
    user_resources: Counter[str] = field(default_factory=Counter)
    """How many resources of each type the user had created; they end with the embedded AWS, which stores nothing."""
    leftovers: list[str] = field(default_factory=list)
    """Resources of the stack that could not be deleted."""


def up(
    directory: Path = DIRECTORY,
    stack: str = "dev",
    config: Mapping[str, Any] | None = None,
    port: int | None = None,
    root: Path = ROOT,
    progress: Progress = ignore_progress,
    wait_scale: float = WAIT_SCALE,
) -> RunningStack:
    """Start the embedded AWS and deploy the stack into it; a running stack is replaced once the new one is deployed.

    `config` overrides values of the stack's file; a second of a workflow's waits takes `wait_scale` seconds.
    Raises LocalError, after stopping everything that it started.
    """
    directory = Path(directory)
    with lock_directory(directory, _STATE):
        _stop_orphaned_emulators(directory)
        began = time.perf_counter()
        previous = load_stack(directory)
        if previous and port is not None and previous.endpoint_url.endswith(f":{port}"):
            _remove_stack(directory, previous)
        progress("starting the embedded AWS")
        described = read_stack(stack, config, root)
        emulator = Emulator.start(_choose_folder(directory), described.region, port, wait_scale)
        try:
            with postpone_interruption():
                from . import program  # Importing Pulumi takes half a second, in which the emulator starts.

                program.prepare()
            aws = emulator.aws(described.region)
            aws.create_clients(SERVICES)
            emulator.wait_until_ready()
            started = time.perf_counter()
            progress("deploying the stack")
            deployed = program.run(described, aws, lambda count: progress(f"deploying the stack: {count} resources"))
            inbox = account.create_surroundings(aws, deployed)
            finished = time.perf_counter()
            result = RunningStack(
                directory=directory,
                stack=stack,
                endpoint_url=emulator.endpoint_url,
                region=described.region,
                account_id=ACCOUNT_ID,
                access_key_id=emulator.access_key_id,
                secret_access_key=emulator.secret_access_key,
                folder=emulator.folder.name,
                outputs=deployed.outputs,
                inbox=inbox,
                seconds={"start": round(started - began, 3), "deploy": round(finished - started, 3)},
                resources=[dataclasses.asdict(resource) for resource in deployed.resources],
            )
            result.aws = aws
            _write_description(result)
        except BaseException:
            # On Ctrl-C as well: stop what this run started; the previous stack keeps running.
            emulator.stop()
            raise
        _stop_orphaned_emulators(directory)
        return result


@contextlib.contextmanager
def deploy_temporarily(directory: Path, **options: Any) -> Generator[RunningStack]:
    """Deploy a stack, with the options of `up`, during the context; stop its emulator without deleting resources."""
    stack = up(directory, **options)
    try:
        yield stack
    finally:
        with lock_directory(stack.directory, _STATE, _ADOPT_TIMEOUT_SECONDS):
            _remove_stack(stack.directory, stack)
            _stop_orphaned_emulators(stack.directory)


def down(directory: Path = DIRECTORY, progress: Progress = ignore_progress) -> TeardownResult:
    """Delete every resource, check that none is left, stop the embedded AWS and remove the files of `up`."""
    directory = Path(directory)
    result = TeardownResult()
    if not directory.exists():
        return result  # Do not create the directory just to lock it.
    with lock_directory(directory, _STATE):
        if stack := load_stack(directory):
            result.was_running = True
            if stack.is_alive():
                result.deleted_count = len(stack.resources)
                result.leftovers, result.user_resources = _delete_resources(stack, progress)
            else:
                result.emulator_had_died = True
            progress("stopping the embedded AWS")
            _remove_stack(directory, stack)
        _stop_orphaned_emulators(directory)
    return result


def load_stack(directory: Path = DIRECTORY) -> RunningStack | None:
    """Return the stack that `.local/` describes, whether or not its emulator is alive; None when there is none.

    Raises OSError when the description cannot be read, which does not mean that there is none.
    """
    directory = Path(directory)
    try:
        state = json.loads((directory / _STATE).read_text(encoding="utf-8"))
        stack = RunningStack(directory=directory, **state)
        _check_types(stack)
        return stack
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, RecursionError):
        # Absent, truncated or of another version: `up` writes a new one.
        return None


def _check_types(stack: RunningStack) -> None:
    """Raise TypeError when a field has another type than `up` writes."""
    texts = (stack.stack, stack.endpoint_url, stack.region, stack.folder)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text is expected")
    if not all(isinstance(mapping, dict) for mapping in (stack.outputs, stack.inbox, stack.seconds, *stack.resources)):
        raise TypeError("an object is expected")


def require_running(directory: Path = DIRECTORY) -> RunningStack:
    """Return the running stack; raises LocalError when there is none or its emulator has died."""
    stack = load_stack(directory)
    if stack is None:
        raise LocalError("No stack is running: start one with `make up`.")
    if not stack.is_alive():
        raise LocalError("The embedded AWS has died: start it again with `make up`.")
    return stack


def _delete_resources(stack: RunningStack, progress: Progress) -> tuple[list[str], Counter[str]]:
    """Delete the stack's resources in reverse order of creation.

    Return those that could not be deleted, and how many resources of each type the user had created: they end with
    the process.
    """
    resources = [Resource(**resource) for resource in reversed(stack.resources)]
    # The listing below shows what could not be deleted.
    for number, resource in enumerate(resources, 1):
        progress(f"deleting resource {number} of {len(resources)}")
        with contextlib.suppress(ClientError):
            resource.delete(stack.aws)
    progress("checking that no resource is left")
    resources_by_id = {name: resource for resource in resources for name in _list_identifiers(resource)}
    deadline = time.monotonic() + _DELETE_TIMEOUT_SECONDS
    while True:
        listed = [(token, name) for token, entry in TABLE.items() for name in entry.list_names(stack.aws)]
        remaining = [name for _, name in listed if name in resources_by_id]
        if not remaining or time.monotonic() >= deadline:
            return remaining, Counter(token.rpartition(":")[2] for token, name in listed if name not in resources_by_id)
        # A function that was running when its log group was deleted has made the emulator create it again.
        for name in remaining:
            with contextlib.suppress(ClientError):
                resources_by_id[name].delete(stack.aws)
        time.sleep(0.02)


def _list_identifiers(resource: Resource) -> Iterator[str]:
    """Yield the names that a listing may use for it: its id or its ARN."""
    yield resource.id
    if isinstance(arn := resource.outputs.get("arn"), str):
        yield arn


def _choose_folder(directory: Path) -> Path:
    """Choose a folder that does not exist yet; the emulator creates it."""
    taken = {folder.name for folder in directory.glob(f"{_RUN}*")}
    return directory / next(name for number in itertools.count(1) if (name := f"{_RUN}{number}") not in taken)


def _stop_orphaned_emulators(directory: Path) -> None:
    """Stop every emulator without a described stack: left by a killed run, or just replaced."""
    stack = load_stack(directory)
    current_folder = stack.folder if stack else None
    for folder in directory.glob(f"{_RUN}*"):
        if folder.name != current_folder:
            if emulator := Emulator.load(folder):
                _stop_emulator(emulator)
            else:
                shutil.rmtree(folder, ignore_errors=True)
    if stack is None:
        for name in (_STATE, _ENV):
            (directory / name).unlink(missing_ok=True)


def _remove_stack(directory: Path, stack: RunningStack) -> None:
    emulator = stack.emulator
    (directory / _STATE).unlink(missing_ok=True)
    (directory / _ENV).unlink(missing_ok=True)
    if emulator:
        _stop_emulator(emulator)


def _stop_emulator(emulator: Emulator) -> None:
    if not emulator.stop():
        raise LocalError(f"Process {emulator.process.pid} of the embedded AWS does not end: kill it manually.")


def _write_description(stack: RunningStack) -> None:
    state = {key.name: getattr(stack, key.name) for key in dataclasses.fields(stack) if key.name != "directory"}
    write_private_file(stack.directory / _ENV, stack.render_exports())
    write_private_file(stack.directory / _STATE, json.dumps(state, indent=2) + "\n")
