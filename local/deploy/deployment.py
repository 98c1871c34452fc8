"""The deployment on this machine: emulator, program and what is remembered of them in `.local/`."""

import contextlib
import dataclasses
import fcntl
import itertools
import json
import os
import shlex
import shutil
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ..aws import Aws
from ..emulator.process import ACCOUNT_ID, WAIT_SCALE, Emulator, write_privately
from ..errors import LocalError
from .resources import SERVICES, TABLE, Resource
from .stacks import ROOT, read_stack

DIRECTORY = Path(".local")
TOPICS = ("failures", "remediation", "critical")
_STATE, _ENV, _LOCK, _RUN = "stack.json", "env", "lock", "emulator-"
_ADOPT_SECONDS = 60.0
"""How long to wait for an `up` or `down` that is at work."""
_LOOK_AGAIN_SECONDS = 0.05
_DELETE_SECONDS = 3.0
"""How long to try again to delete what is still there."""

Progress = Callable[[str], None]


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
    """Folder of the emulator, in the directory: its log and its journal."""
    outputs: dict[str, Any]
    inbox: dict[str, str]
    """URL of a queue that hears everything each topic says, in SNS's envelope."""
    seconds: dict[str, float]
    resources: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.aws = Aws(self.endpoint_url, self.region, self.account_id, self.access_key_id, self.secret_access_key)

    @property
    def emulator(self) -> Emulator | None:
        """The process behind it, dead or alive; None when it has been replaced."""
        emulator = Emulator.in_folder(self.directory / self.folder)
        return emulator if emulator and emulator.endpoint_url == self.endpoint_url else None

    def client(self, service: str) -> Any:
        """A boto3 client of the stack's account, as its root user."""
        return self.aws.client(service)

    def output(self, name: str) -> Any:
        """One of its outputs; raises LocalError where it has none of this name."""
        if name not in self.outputs:
            raise LocalError(f"Stack {self.stack} has no output {name}: this needs a stack with `demo` and `drill` on.")
        return self.outputs[name]

    def alive(self) -> bool:
        """Whether its emulator is up and answers."""
        return (emulator := self.emulator) is not None and emulator.answers()

    def down(self) -> list[str]:
        """Delete and stop everything; the names of what was left over."""
        return down(self.directory).leftovers

    def adopt(self, resources: Iterable[Resource]) -> None:
        """Let these be deleted with the stack, as its own are.

        Raises LocalError where the stack was replaced or ended meanwhile: what describes the other one stays.
        """
        adopted = [dataclasses.asdict(one) for one in resources]
        with _lock(self.directory, _ADOPT_SECONDS):
            described = running(self.directory)
            # By its key, which no two runs share.
            if described is None or described.access_key_id != self.access_key_id:
                raise LocalError("The stack was replaced or ended meanwhile: what was made in it has gone with it.")
            # From the file, where another process may have adopted something, too.
            known = {(resource["token"], resource["id"]) for resource in described.resources}
            self.resources = described.resources + [one for one in adopted if (one["token"], one["id"]) not in known]
            _remember(self)

    def environment(self) -> dict[str, str]:
        """What `aws` and boto3 need to find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def shell(self) -> str:
        """Lines for a shell to source, after which `aws` reaches this stack and nothing else."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in self.environment().items()]
        no_proxy = 'export NO_PROXY="127.0.0.1${NO_PROXY:+,$NO_PROXY}"'
        return "\n".join([*exports, no_proxy, "unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN"]) + "\n"


@dataclass
class Ended:
    """What `down` did."""

    was_running: bool = False
    had_died: bool = False
    deleted: int = 0
    users_own: Counter[str] = field(default_factory=Counter)
    """What the user had made in it, by the type of resource: gone with the embedded AWS, which keeps nothing."""
    leftovers: list[str] = field(default_factory=list)
    """Resources of the stack that could not be deleted."""


def up(
    directory: Path = DIRECTORY,
    stack: str = "dev",
    config: Mapping[str, Any] | None = None,
    port: int | None = None,
    root: Path = ROOT,
    progress: Progress = lambda step: None,
    wait_scale: float = WAIT_SCALE,
) -> RunningStack:
    """Start the embedded AWS and deploy the stack into it; one that runs already is replaced once the new one stands.

    `config` overrides values of the stack's file; a second of a workflow's waits takes `wait_scale` seconds.
    Raises LocalError, with everything ended that was started.
    """
    directory = Path(directory)
    with _lock(directory):
        _sweep(directory)
        began = time.perf_counter()
        previous = running(directory)
        if previous and port is not None and previous.endpoint_url.endswith(f":{port}"):
            _forget(directory, previous)
        progress("starting the embedded AWS")
        described = read_stack(stack, config, root)
        emulator = Emulator.start(_new_folder(directory), described.region, port, wait_scale)
        try:
            from . import program  # Pulumi takes half a second to import: as long as the emulator takes to start.

            program.prepare()
            aws = emulator.aws(described.region)
            aws.prepare(SERVICES)
            emulator.wait_until_ready()
            started = time.perf_counter()
            progress("deploying the stack")
            deployed = program.run(described, aws)
            inbox = _subscribe_inbox(aws, deployed)
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
            _remember(result)
        except BaseException:
            # Ctrl-C too: what this run started ends with it, and the stack that ran before runs on.
            emulator.stop()
            raise
        _sweep(directory)
        return result


def down(directory: Path = DIRECTORY, progress: Progress = lambda step: None) -> Ended:
    """Delete every resource, see that nothing is left, stop the embedded AWS and remove what `up` wrote."""
    directory = Path(directory)
    ended = Ended()
    if not directory.exists():
        return ended  # Nothing is made to look for nothing, where that may not even be allowed.
    with _lock(directory):
        if stack := running(directory):
            ended.was_running = True
            if stack.alive():
                progress("deleting the resources")
                ended.deleted = len(stack.resources)
                ended.leftovers, ended.users_own = _delete(stack)
            else:
                ended.had_died = True
            progress("stopping the embedded AWS")
            _forget(directory, stack)
        _sweep(directory)
    return ended


def running(directory: Path = DIRECTORY) -> RunningStack | None:
    """The stack that `.local/` describes, whether its emulator still lives or not; None when there is none.

    Raises OSError where it may not be read: that does not mean that there is none.
    """
    directory = Path(directory)
    try:
        state = json.loads((directory / _STATE).read_text(encoding="utf-8"))
        stack = RunningStack(directory=directory, **state)
        _check_types(stack)
        return stack
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, RecursionError):
        # Absent, cut short or of another version: nothing that could be used, and `up` writes it anew.
        return None


def _check_types(stack: RunningStack) -> None:
    """Raise TypeError where a field is of another type than `up` writes."""
    texts = (stack.stack, stack.endpoint_url, stack.region, stack.folder)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text is expected")
    if not all(isinstance(mapping, dict) for mapping in (stack.outputs, stack.inbox, stack.seconds, *stack.resources)):
        raise TypeError("an object is expected")


def require_running(directory: Path = DIRECTORY) -> RunningStack:
    """The running stack; raises LocalError when there is none or its emulator has died."""
    stack = running(directory)
    if stack is None:
        raise LocalError("No stack is running: start one with `make up`.")
    if not stack.alive():
        raise LocalError("The embedded AWS has died: start it anew with `make up`.")
    return stack


def _subscribe_inbox(aws: Aws, deployed: Any) -> dict[str, str]:
    """A queue for each topic, made through the table, so that it is deleted like everything else."""

    def create(token: str, name: str, **inputs: Any) -> dict[str, Any]:
        entry = TABLE[token]
        created = entry.create(aws, entry.named(name, inputs))
        deployed.resources.append(Resource(token, name, created.id, created.outputs))
        return created.outputs

    inbox = {}
    for topic in TOPICS:
        if topic_arn := deployed.outputs.get(f"{topic}_topic_arn"):
            queue = create("aws:sqs/queue:Queue", f"inbox-{topic}")
            policy = {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue["arn"],
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                },
            }
            create("aws:sqs/queuePolicy:QueuePolicy", topic, queueUrl=queue["url"], policy=json.dumps(policy))
            subscription = {"topic": topic_arn, "protocol": "sqs", "endpoint": queue["arn"]}
            create("aws:sns/topicSubscription:TopicSubscription", topic, **subscription)
            inbox[topic] = queue["url"]
    return inbox


def _delete(stack: RunningStack) -> tuple[list[str], Counter[str]]:
    """Delete in reverse order of creation: which of the resources exist after that, and how many others of each type.

    Only the stack's own resources prove something by going away. What the user made ends with the process.
    """
    resources = [Resource(**resource) for resource in reversed(stack.resources)]
    # What cannot be deleted shows in the listing afterwards, and what is gone already does not.
    for resource in resources:
        with contextlib.suppress(ClientError):
            resource.delete(stack.aws)
    own = {name: resource for resource in resources for name in _names(resource)}
    deadline = time.monotonic() + _DELETE_SECONDS
    while True:
        listed = [(token, name) for token, entry in TABLE.items() for name in entry.lists(stack.aws)]
        left = [name for _, name in listed if name in own]
        if not left or time.monotonic() >= deadline:
            return left, Counter(token.rpartition(":")[2] for token, name in listed if name not in own)
        # A function that was still at work when its log group went has made the emulator make it anew.
        for name in left:
            with contextlib.suppress(ClientError):
                own[name].delete(stack.aws)
        time.sleep(0.02)


def _names(resource: Resource) -> Iterator[str]:
    """What a listing may call it: its id or its ARN."""
    yield resource.id
    if isinstance(arn := resource.outputs.get("arn"), str):
        yield arn


def _new_folder(directory: Path) -> Path:
    """A folder that is not there yet, for an emulator to make."""
    taken = {folder.name for folder in directory.glob(f"{_RUN}*")}
    return directory / next(name for number in itertools.count(1) if (name := f"{_RUN}{number}") not in taken)


def _sweep(directory: Path) -> None:
    """End every emulator that no stack is described for: left by a run that was killed, or replaced by this one."""
    stack = running(directory)
    kept = stack.folder if stack else None
    for folder in directory.glob(f"{_RUN}*"):
        if folder.name != kept:
            if emulator := Emulator.in_folder(folder):
                _stop(emulator)
            else:
                shutil.rmtree(folder, ignore_errors=True)
    if stack is None:
        for name in (_STATE, _ENV):
            (directory / name).unlink(missing_ok=True)


def _forget(directory: Path, stack: RunningStack) -> None:
    emulator = stack.emulator
    (directory / _STATE).unlink(missing_ok=True)
    (directory / _ENV).unlink(missing_ok=True)
    if emulator:
        _stop(emulator)


def _stop(emulator: Emulator) -> None:
    if not emulator.stop():
        raise LocalError(f"Process {emulator.process.pid} of the embedded AWS does not end: end it by hand.")


def _remember(stack: RunningStack) -> None:
    state = {key.name: getattr(stack, key.name) for key in dataclasses.fields(stack) if key.name != "directory"}
    write_privately(stack.directory / _ENV, stack.shell())
    write_privately(stack.directory / _STATE, json.dumps(state, indent=2) + "\n")


@contextlib.contextmanager
def _lock(directory: Path, patience_seconds: float = 0) -> Generator[None]:
    """Hold the directory's lock; raises LocalError while another `up` or `down` holds it, and goes on doing so.

    On leaving, the lock and the directory go too, unless there is something in it: what others put there is theirs.
    """
    path, deadline = directory / _LOCK, time.monotonic() + patience_seconds
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue  # Whoever held the lock has just removed the directory.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), path.stat()):
                break
        except FileNotFoundError:
            pass  # It was removed by the one who held it: the next one is another file.
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(lock)
                raise LocalError("Another `up` or `down` is at work here: wait until it is done.") from None
            time.sleep(_LOOK_AGAIN_SECONDS)
        os.close(lock)
    try:
        yield
    finally:
        if not (directory / _STATE).exists():
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                directory.rmdir()
        os.close(lock)
