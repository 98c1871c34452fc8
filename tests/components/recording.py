"""Runs components or the whole program under Pulumi mocks, and keeps what they asked for.

Every run has a context, an event loop and a monitor of its own: nothing of one test is left for the next. A run has
ended, its Outputs included, before anybody looks at its record.
"""

import asyncio
import contextvars
import json
import runpy
import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_pulumi_func

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "rotation-guard"
REGION, ACCOUNT = "eu-west-1", "111122223333"
ONLY_IN_ACCOUNT = ("iam",)
"""Services whose ARNs have no Region."""


@dataclass(frozen=True)
class Recorded:
    """One resource as the program asked for it, and what the mock answered."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    urn: str
    parent: str
    """URN of the parent."""
    id: str
    outputs: Mapping[str, Any]
    """What other resources can refer to; empty of computed values in a preview."""
    custom: bool
    protect: bool
    aliases: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    depends_on: frozenset[str]
    """URNs."""
    secret_inputs: frozenset[str]
    unknown_inputs: frozenset[str]

    @property
    def arn(self) -> str:
        return self.outputs["arn"]

    def policy(self, key: str = "policy") -> list[dict[str, Any]]:
        """The statements of a policy document among the inputs."""
        document = json.loads(self.inputs[key])
        assert document["Version"] == "2012-10-17"
        return document["Statement"]


@dataclass
class Recording:
    """All resources of one run, in the order of their registration, and the stack's outputs."""

    resources: list[Recorded] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def named(self, type_: str, name: str) -> Recorded:
        """The one resource of this type and name."""
        found = [one for one in self.resources if (one.type, one.name) == (type_, name)]
        assert len(found) == 1, f"{len(found)} of {type_} {name}; of this type: {[o.name for o in self.of_type(type_)]}"
        return found[0]

    def of_type(self, type_: str) -> list[Recorded]:
        """All resources of this type."""
        return [one for one in self.resources if one.type == type_]

    def custom(self) -> list[Recorded]:
        """All but the components."""
        return [one for one in self.resources if one.custom]

    def by_arn(self, arn: str) -> Recorded:
        """The one resource with this ARN."""
        found = [one for one in self.custom() if one.outputs.get("arn") == arn]
        assert len(found) == 1, f"{len(found)} resources have the ARN {arn}"
        return found[0]

    def shape(self) -> dict[str, Mapping[str, Any]]:
        """What was asked for, by URN: two runs that ask for the same have the same shape."""
        return {one.urn: one.inputs for one in self.custom()}


def run(program: Callable[[], Any], *, config: Mapping[str, str] | None = None, **how: Any) -> Recording:
    """Run a program to its end. `preview` leaves what AWS computes unknown; `secret_keys` are secret in the config."""
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as thread:  # Pulumi notes the stack of every registration: pytest's is deep.
        return thread.submit(lambda: context.run(_run, program, config or {}, **how)).result()


def deploy(component: type, name: str, *args: Any, **how: Any) -> Recording:
    """Deploy one component with these args; its declared Outputs become the record's outputs.

    Args that hold Outputs, which live in one program only, are made by a function.
    """

    def program() -> None:
        made = component(name, *(one() if callable(one) else one for one in args))
        for output in component.__annotations__:
            if isinstance(getattr(made, output), pulumi.Output):
                pulumi.export(output, getattr(made, output))

    return run(program, **how)


def deploy_program(config: Mapping[str, str] | None = None, **how: Any) -> Recording:
    """Run the repository's `__main__.py` with this config, texts as the engine hands them over."""
    return run(lambda: _execute(ROOT / "__main__.py"), config=config, **how)


def stack_config(stack: str | None) -> dict[str, str]:
    """The config of a stack as the engine hands it over: the project's defaults under the stack's values."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    values = {f"{PROJECT}:{key}": declared["default"] for key, declared in project["config"].items()}
    if stack:
        values |= yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def _execute(path: Path) -> None:
    runpy.run_path(str(path), run_name="__main__")


def _run(
    program: Callable[[], Any],
    config: Mapping[str, str],
    *,
    preview: bool = False,
    secret_keys: tuple[str, ...] = (),
    stack: str = "test",
) -> Recording:
    recording = Recording()
    settings.SETTINGS.outputs = set()
    settings.SETTINGS.lock = threading.Lock()
    settings.set_root_resource(None)  # ty: ignore[invalid-argument-type]
    with _event_loop() as loop:
        monitor = _Monitor(_Aws(preview), recording)
        mocks.set_mocks(_Aws(preview), project=PROJECT, stack=stack, preview=preview, monitor=monitor)
        set_all_config(dict(config), list(secret_keys))
        loop.run_until_complete(run_pulumi_func(program))
        recording.outputs = loop.run_until_complete(_exports())
    return recording


async def _exports() -> dict[str, Any]:
    outputs = getattr(settings.get_root_resource(), "outputs", {})
    return {name: await pulumi.Output.from_input(value).future() for name, value in outputs.items()}


@contextmanager
def _event_loop() -> Generator[asyncio.AbstractEventLoop]:
    """A loop, and one thread beside it with a loop of its own for the monitor; both are closed in the end."""
    loop, beside = asyncio.new_event_loop(), asyncio.new_event_loop()
    threads = ThreadPoolExecutor(1, initializer=lambda: asyncio.set_event_loop(beside))
    loop.set_default_executor(threads)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        loop.set_exception_handler(lambda *_: None)
        threads.shutdown(wait=True, cancel_futures=True)
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        if pending:
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
        beside.close()


class _Aws(mocks.Mocks):
    """Answers as the provider does: physical names are generated, so that no test takes one for the logical name."""

    def __init__(self, preview: bool) -> None:
        self._preview = preview

    def call(self, args: mocks.MockCallArgs) -> tuple[dict, None]:
        raise AssertionError(f"the program looked up {args.token}: what a component needs, it is given")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom or self._preview:
            return "", args.inputs
        service = args.typ.removeprefix("aws:").partition("/")[0]
        physical = args.inputs.get("name") or f"{args.name}-0a1b2c3"
        region = "" if service in ONLY_IN_ACCOUNT else REGION
        arn = f"arn:aws:{service}:{region}:{ACCOUNT}:{args.typ.rpartition(':')[2]}/{physical}"
        url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{physical}"
        return physical, {"arn": arn, "name": physical, "url": url, **args.inputs}


class _Monitor(mocks.MockMonitor):
    """Pulumi's monitor for mocks, keeping besides the inputs what a resource's options became."""

    def __init__(self, aws: _Aws, recording: Recording) -> None:
        super().__init__(aws)
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
            _, id_, state = self.resources[response.urn]
            self._recording.resources.append(
                Recorded(
                    type=request.type,
                    name=request.name,
                    inputs=_plain(inputs),
                    urn=response.urn,
                    parent=request.parent,
                    id=id_,
                    outputs=_plain(state),
                    custom=request.custom,
                    protect=request.protect,
                    aliases=tuple(alias.urn or alias.spec.name for alias in request.aliases),
                    ignore_changes=tuple(request.ignoreChanges),
                    depends_on=frozenset(request.dependencies),
                    secret_inputs=frozenset(key for key, value in inputs.items() if _holds(value, rpc.is_rpc_secret)),
                    unknown_inputs=frozenset(key for key, value in inputs.items() if _holds(value, _is_unknown)),
                )
            )
        return response


def _is_unknown(value: Any) -> bool:
    return isinstance(value, pulumi.output.Unknown) or value == rpc.UNKNOWN


def _holds(value: Any, what: Callable[[Any], bool]) -> bool:
    if what(value):
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds(one, what) for one in inner)


def _plain(value: Any) -> Any:
    """Without the marks of secrets, archives as their files, whole numbers as such: on the wire all are doubles."""
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, pulumi.AssetArchive):
        return {name: Path(asset.path) for name, asset in value.assets.items()}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
