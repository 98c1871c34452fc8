"""Records what components or the whole program ask for, with nothing created: for tests, documents and policies.

A run has ended, its Outputs included, before anybody looks at its record.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc

from ..deploy import program
from ..deploy.stacks import PROJECT, ROOT, defaults, read_stack
from . import engine

REGION, ACCOUNT = "eu-west-1", "111122223333"
ONLY_IN_ACCOUNT = ("iam",)
"""Services whose ARNs have no Region."""
SERVICES = {"sfn": "states", "cloudwatch/eventRule": "events", "cloudwatch/logGroup": "logs"}
"""Where the service in an ARN is not the one in a resource's type."""
NAMED = {
    "cloudwatch/eventRule": "rule/",
    "cloudwatch/logGroup": "log-group:",
    "cloudwatch/metricAlarm": "alarm:",
    "dynamodb/table": "table/",
    "iam/role": "role/",
    "kms/key": "key/",
    "lambda/function": "function:",
    "scheduler/schedule": "schedule/default/",
    "scheduler/scheduleGroup": "schedule-group/",
    "secretsmanager/secret": "secret:",
    "sfn/stateMachine": "stateMachine:",
    "sns/topic": "",
    "sqs/queue": "",
    "ssm/parameter": "parameter/",
}
"""What stands before the name in an ARN; of any other type, the type."""


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
    delete_before_replace: bool
    retain_on_delete: bool
    """Whether it stays in AWS when it goes from the stack."""
    has_update_check: bool
    """Whether something runs before an update, which may refuse it."""
    depends_on: frozenset[str]
    """URNs."""
    property_dependencies: Mapping[str, frozenset[str]]
    """Input -> URNs of the resources that its value comes from."""
    secret_inputs: frozenset[str]
    unknown_inputs: frozenset[str]

    @property
    def arn(self) -> str:
        return self.outputs["arn"]

    def policy(self, key: str = "policy") -> list[dict[str, Any]]:
        """The statements of a policy document among the inputs."""
        return json.loads(self.inputs[key])["Statement"]


@dataclass
class Recording:
    """All resources of one run, in the order of their registration, and the stack's outputs."""

    resources: list[Recorded] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def named(self, type_: str, name: str) -> Recorded:
        """The one resource of this type and name."""
        found = [one for one in self.of_type(type_) if one.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} of {type_} {name}; there are {[one.name for one in self.of_type(type_)]}")
        return found[0]

    def of_type(self, type_: str) -> list[Recorded]:
        """All resources of this type."""
        return [one for one in self.resources if one.type == type_]

    def custom(self) -> list[Recorded]:
        """All but the components."""
        return [one for one in self.resources if one.custom]

    def shape(self) -> dict[str, Mapping[str, Any]]:
        """What was asked for, by URN: two runs that ask for the same have the same shape."""
        return {one.urn: one.inputs for one in self.custom()}


def run(
    code: Callable[[], Any],
    *,
    config: Mapping[str, str] | None = None,
    secret_keys: Collection[str] = (),
    preview: bool = False,
    stack: str = "test",
) -> Recording:
    """Run a program to its end. `preview` leaves what AWS computes unknown; `secret_keys` are secret in the config."""
    recording = Recording()
    program.prepare()
    monitor = _Monitor(_Aws(preview), recording)

    recording.outputs = engine.run(
        code,
        monitor,
        project=PROJECT,
        stack=stack,
        config=config or {},
        secret_keys=secret_keys,
        preview=preview,
    )
    return recording


def deploy(component: type, name: str, *args: Any, **how: Any) -> Recording:
    """Deploy one component with these args; its declared Outputs become the record's outputs.

    Args that hold Outputs, which live in one program only, are made by a function.
    """

    def code() -> None:
        made = component(name, *(one() if callable(one) else one for one in args))
        for output in component.__annotations__:
            if isinstance(getattr(made, output), pulumi.Output):
                pulumi.export(output, getattr(made, output))

    return run(code, **how)


def deploy_program(config: Mapping[str, str] | None = None, **how: Any) -> Recording:
    """Run the repository's `__main__.py` with this config, texts as the engine hands them over."""
    return run(lambda: program.execute(ROOT), config=config, **how)


def stack_config(stack: str | None) -> Mapping[str, str]:
    """The config of a stack, or of the project's defaults alone, as the engine hands it over."""
    return read_stack(stack).config if stack else defaults()


class _Aws(mocks.Mocks):
    """Answers as the provider does: physical names are generated, so that no test takes one for the logical name."""

    def __init__(self, preview: bool) -> None:
        self._preview = preview

    def call(self, args: mocks.MockCallArgs) -> tuple[dict, None]:
        raise AssertionError(f"the program looked up {args.token}: what a component needs, it is given")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom or self._preview:
            return "", args.inputs
        kind = args.typ.removeprefix("aws:").partition(":")[0]
        service = kind.partition("/")[0]
        physical = args.inputs.get("name") or f"{args.name}-0a1b2c3"
        region = "" if service in ONLY_IN_ACCOUNT else REGION
        named = NAMED.get(kind, f"{args.typ.rpartition(':')[2]}/")
        arn = f"arn:aws:{SERVICES.get(kind, SERVICES.get(service, service))}:{region}:{ACCOUNT}:{named}{physical}"
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
                    inputs=_written(inputs),
                    urn=response.urn,
                    parent=request.parent,
                    id=id_,
                    outputs=_written(state),
                    custom=request.custom,
                    protect=request.protect,
                    aliases=tuple(alias.urn or alias.spec.name for alias in request.aliases),
                    ignore_changes=tuple(request.ignoreChanges),
                    delete_before_replace=request.deleteBeforeReplace,
                    retain_on_delete=request.retainOnDelete,
                    has_update_check=bool(request.hooks.before_update),
                    depends_on=frozenset(request.dependencies),
                    property_dependencies={
                        key: frozenset(from_.urns) for key, from_ in request.propertyDependencies.items()
                    },
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


def _written(value: Any) -> Any:
    """A value as it would be written down: archives as their files."""
    if isinstance(value, pulumi.AssetArchive):
        return {name: Path(asset.path) for name, asset in value.assets.items()}
    if isinstance(value, dict) and not rpc.is_rpc_secret(value):
        return {key: _written(inner) for key, inner in value.items()}
    return engine.plain(value)
