"""Records the resources that components or the whole program register, without creating any.

A recording is complete, with all Outputs resolved, when `run` returns it.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc

from ..deploy import program
from ..deploy.stacks import PROJECT, ROOT, read_default_config, read_stack
from . import engine

REGION, ACCOUNT = "eu-west-1", "111122223333"
PARTITIONS = {"cn-": ("aws-cn", "amazonaws.com.cn"), "us-gov-": ("aws-us-gov", "amazonaws.com")}
"""How the names of Regions outside the commercial partition begin -> their partition and the domain of its endpoints
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html,
https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-Beijing.html)."""
GLOBAL_SERVICES = ("iam", "s3")
"""Services whose ARNs have no Region."""
SERVICES_WITHOUT_ACCOUNT = ("s3",)
"""Services whose ARNs have no account."""
ARN_SERVICES = {
    "sfn": "states",
    "cloudwatch/eventApiDestination": "events",
    "cloudwatch/eventBus": "events",
    "cloudwatch/eventConnection": "events",
    "cloudwatch/eventRule": "events",
    "cloudwatch/logGroup": "logs",
}
"""Service or type -> the service in its ARN, where it differs from the type's."""
ARN_PREFIXES = {
    "cloudtrail/trail": "trail/",
    "cloudwatch/eventApiDestination": "api-destination/",
    "cloudwatch/eventBus": "event-bus/",
    "cloudwatch/eventConnection": "connection/",
    "cloudwatch/eventRule": "rule/",
    "cloudwatch/logGroup": "log-group:",
    "cloudwatch/metricAlarm": "alarm:",
    "dynamodb/table": "table/",
    "iam/role": "role/",
    "kms/key": "key/",
    "lambda/function": "function:",
    "s3/bucket": "",
    "scheduler/schedule": "schedule/default/",
    "scheduler/scheduleGroup": "schedule-group/",
    "secretsmanager/secret": "secret:",
    "sfn/stateMachine": "stateMachine:",
    "sns/topic": "",
    "sqs/queue": "",
    "ssm/parameter": "parameter/",
}
"""Type -> what precedes the name in its ARN; for other types, the type."""
ARN_ENDS = dict.fromkeys(
    ("cloudwatch/eventApiDestination", "cloudwatch/eventConnection"), "/4f7e1b2c-0d3a-4c5e-9f60-1a2b3c4d5e6f"
)
"""Type -> the id that EventBridge puts behind the name."""


@dataclass(frozen=True)
class Recorded:
    """A resource as the program registered it, with the outputs of the mock."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    urn: str
    parent: str
    """URN of the parent."""
    id: str
    outputs: Mapping[str, Any]
    """What other resources can refer to; without computed values in a preview."""
    custom: bool
    protect: bool
    aliases: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    delete_before_replace: bool
    retain_on_delete: bool
    """Whether it stays in AWS when it is removed from the stack."""
    has_update_check: bool
    """Whether a hook runs before an update and may reject it."""
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
        """Return the statements of the policy document in this input."""
        return json.loads(self.inputs[key])["Statement"]


@dataclass
class Recording:
    """All resources of a run, in order of registration, and the stack's outputs."""

    resources: list[Recorded] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def named(self, type_: str, name: str) -> Recorded:
        """Return the resource of this type and name; raises LookupError unless there is exactly one."""
        matches = [resource for resource in self.of_type(type_) if resource.name == name]
        if len(matches) != 1:
            names = [resource.name for resource in self.of_type(type_)]
            raise LookupError(f"{len(matches)} of {type_} {name}; there are {names}")
        return matches[0]

    def of_type(self, type_: str) -> list[Recorded]:
        """Return all resources of this type."""
        return [resource for resource in self.resources if resource.type == type_]

    def custom(self) -> list[Recorded]:
        """Return all resources except components."""
        return [resource for resource in self.resources if resource.custom]

    def shape(self) -> dict[str, Mapping[str, Any]]:
        """Return all inputs by URN: runs that register the same resources have the same shape."""
        return {resource.urn: resource.inputs for resource in self.custom()}


def run(
    code: Callable[[], Any],
    *,
    config: Mapping[str, str] | None = None,
    secret_keys: Collection[str] = (),
    preview: bool = False,
    stack: str = "test",
    region: str = REGION,
) -> Recording:
    """Run a program. In a `preview` computed outputs are unknown; `secret_keys` are secret in the config.

    `region` is where the resources are, whatever the config says.
    """
    recording = Recording()
    program.prepare()
    monitor = _Monitor(_ProviderMocks(preview, region), recording)

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
    """Run a component with these args; its declared Outputs, and maps of them, become the recording's outputs.

    Args with Outputs, which exist in one program only, are given as a function that creates them.
    """

    def code() -> None:
        created = component(name, *(arg() if callable(arg) else arg for arg in args))
        for output in component.__annotations__:
            if isinstance(getattr(created, output), (pulumi.Output, dict)):
                pulumi.export(output, getattr(created, output))

    return run(code, **how)


def deploy_program(config: Mapping[str, str] | None = None, **how: Any) -> Recording:
    """Run the repository's `__main__.py` with this config, in the engine's text format."""
    return run(lambda: program.execute(ROOT), config=config, **how)


def stack_config(stack: str | None) -> Mapping[str, str]:
    """Return the config of a stack, or the project's defaults only, in the engine's text format."""
    return read_stack(stack).config if stack else read_default_config()


class _ProviderMocks(mocks.Mocks):
    """Responds as the provider does, with generated physical names that differ from the logical names."""

    def __init__(self, preview: bool, region: str) -> None:
        self._preview, self._region = preview, region
        known = (names for start, names in PARTITIONS.items() if region.startswith(start))
        self._partition, self._domain = next(known, ("aws", "amazonaws.com"))

    def call(self, args: mocks.MockCallArgs) -> tuple[dict, None]:
        raise AssertionError(f"the program looked up {args.token}: pass components what they need as arguments")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom or self._preview:
            return "", args.inputs
        kind = args.typ.removeprefix("aws:").partition(":")[0]
        service = kind.partition("/")[0]
        name_prefix = args.inputs.get("namePrefix") or args.inputs.get("bucketPrefix")
        generated = f"{name_prefix}{'0' * 26}" if name_prefix else f"{args.name}-0a1b2c3"
        physical = args.inputs.get("name") or generated
        region = "" if service in GLOBAL_SERVICES else self._region
        account = "" if service in SERVICES_WITHOUT_ACCOUNT else ACCOUNT
        prefix = ARN_PREFIXES.get(kind, f"{args.typ.rpartition(':')[2]}/")
        arn_service = ARN_SERVICES.get(kind, ARN_SERVICES.get(service, service))
        arn = f"arn:{self._partition}:{arn_service}:{region}:{account}:{prefix}{physical}{ARN_ENDS.get(kind, '')}"
        url = f"https://sqs.{self._region}.{self._domain}/{ACCOUNT}/{physical}"
        return physical, {"arn": arn, "name": physical, "bucket": physical, "url": url, **args.inputs}


class _Monitor(mocks.MockMonitor):
    """Pulumi's monitor for mocks, which also records the resource options."""

    def __init__(self, aws: _ProviderMocks, recording: Recording) -> None:
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
                    inputs=_to_plain(inputs),
                    urn=response.urn,
                    parent=request.parent,
                    id=id_,
                    outputs=_to_plain(state),
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
                    secret_inputs=frozenset(
                        key for key, value in inputs.items() if _contains(value, rpc.is_rpc_secret)
                    ),
                    unknown_inputs=frozenset(key for key, value in inputs.items() if _contains(value, _is_unknown)),
                )
            )
        return response


def _is_unknown(value: Any) -> bool:
    return isinstance(value, pulumi.output.Unknown) or value == rpc.UNKNOWN


def _contains(value: Any, matches: Callable[[Any], bool]) -> bool:
    if matches(value):
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_contains(item, matches) for item in inner)


def _to_plain(value: Any) -> Any:
    """Return a plain value, with archives as their files."""
    if isinstance(value, pulumi.AssetArchive):
        return {name: Path(asset.path) for name, asset in value.assets.items()}
    if isinstance(value, dict) and not rpc.is_rpc_secret(value):
        return {key: _to_plain(inner) for key, inner in value.items()}
    return engine.to_plain(value)
