"""Small programs for the rules: resources with references between them, in every form that a rule may see.

    dead = queue("orders-dead", messageRetentionSeconds=1209600)
    orders = queue("orders", redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5))

At an update every output is known. At a preview outputs are unknown, and with them all that was made of them; what it
was made of is on record, as in the engine.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format, struct_pb2
from pulumi.runtime import proto

from policies.aws import arns
from policies.inputs import state_files
from policies.model.stack import Resource, Stack

REGION, ACCOUNT = "eu-west-1", "111122223333"
PROJECT, STACK = "shop", "dev"
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Output:
    """An output of a resource."""

    of: "Made"
    key: str


@dataclass(frozen=True)
class Text:
    """A text made of others, some of them outputs; JSON if `tree` is one object."""

    parts: tuple[Any, ...] = ()
    tree: Any = None


@dataclass(frozen=True)
class Secret:
    """A value that the program marked as secret."""

    value: Any


_BEFORE_NAMES = {
    "cloudwatch": "alarm:",
    "dynamodb": "table/",
    "events": "rule/",
    "aws:cloudwatch/eventBus:EventBus": "event-bus/",
    "iam": "role/",
    "aws:iam/policy:Policy": "policy/",
    "kms": "key/",
    "lambda": "function:",
    "scheduler": "schedule-group/",
    "states": "stateMachine:",
}
"""What stands before the name in an ARN, by type or else by service."""


class _Unknown:
    """A value that nobody knows at a preview, made of no resource of this program."""


UNKNOWN = _Unknown()


@dataclass(frozen=True, eq=False)
class Made:
    """One resource as a program writes it."""

    token: str
    """Its type."""
    title: str
    """Its logical name; `name` is the output."""
    inputs: Mapping[str, Any]
    parent: "Made | None" = None
    provider: str | None = None

    def __getattr__(self, key: str) -> Output:
        if key.startswith("_"):
            raise AttributeError(key)
        return Output(self, key)

    @property
    def urn(self) -> str:
        return f"urn:pulumi:{STACK}::{PROJECT}::{self.token}::{self.title}"

    @property
    def custom(self) -> bool:
        return "/" in self.token or self.token.startswith(("pulumi:providers", "aws-native:", "azure-native:"))

    def outputs(self) -> dict[str, Any]:
        """What it is called once it exists."""
        if not self.custom:
            return {}
        service = arns.service_of(self.token)
        name = str(self.inputs.get("name") or f"{self.title}-0a1b2c3")
        region = "" if service == "iam" else REGION
        before = _BEFORE_NAMES.get(self.token, _BEFORE_NAMES.get(service, ""))
        if self.token == "aws:lambda/alias:Alias":
            called = arns.parse_function(_resolved(self.inputs.get("functionName", "function"), False))
            before += f"{(called or ('',))[0].rpartition(':')[2]}:"
        arn = f"arn:aws:{service}:{region}:{ACCOUNT}:{before}{name}"
        url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
        identity = url if service == "sqs" else arn if service in ("sns", "secretsmanager", "states") else name
        return {"arn": arn, "name": name, "url": url, "id": identity, "keyId": name}


def make(type_: str) -> Callable[..., Made]:
    """A function that makes resources of this type: `queue = make("aws:sqs/queue:Queue")`."""

    def made(title: str, /, *, parent: Made | None = None, provider: str | None = None, **inputs: Any) -> Made:
        return Made(type_, title, inputs, parent, provider)

    return made


def json_of(**members: Any) -> Text:
    """A JSON text of these members, as `pulumi.Output.json_dumps` makes it."""
    return Text(tree=members)


def policy(*statements: Mapping[str, Any]) -> Text:
    """A policy document."""
    return json_of(Version="2012-10-17", Statement=list(statements))


def allow(principal: Any, action: Any, resource: Any, condition: Any = None) -> dict[str, Any]:
    """One statement of a resource's policy."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def concat(*parts: Any) -> Text:
    """Texts and outputs, one after another."""
    return Text(parts=parts)


@dataclass(frozen=True)
class Program:
    """Resources, and what each way of looking at them shows."""

    resources: tuple[Made, ...]
    external: tuple[Made, ...] = field(default=())
    """Looked up, and not the program's own."""

    def stack(self, *, preview: bool = False) -> Stack:
        """As the rules see it."""
        data = self.previewed() if preview else self.exported()
        return Stack(state_files.read(json.dumps(data).encode()).resources)

    def exported(self) -> dict[str, Any]:
        """As `pulumi stack export` writes it."""
        states = [*(self._state(made) for made in self.resources)]
        states += [self._state(made) | {"external": True, "inputs": {}} for made in self.external]
        root = {"urn": f"urn:pulumi:{STACK}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{STACK}", "custom": False}
        return {
            "version": 3,
            "deployment": {
                "manifest": {"time": "2030-01-01T00:00:00Z", "magic": "", "version": "v3.200.0"},
                "resources": [root | {"type": "pulumi:pulumi:Stack"}, *states],
            },
        }

    def previewed(self) -> dict[str, Any]:
        """As `pulumi preview --json` writes it."""
        steps = [
            {"op": "create", "urn": made.urn, "newState": self._state(made, preview=True)} for made in self.resources
        ]
        steps += [
            {"op": "read", "urn": made.urn, "newState": self._state(made) | {"external": True}}
            for made in self.external
        ]
        return {"config": {}, "steps": steps, "changeSummary": {"create": len(self.resources)}, "duration": 1}

    def analyze_requests(self, *, preview: bool = False) -> Iterator[Any]:
        """As the engine asks about each resource before it is made: with its inputs."""
        for made in self.resources:
            struct = _struct(_resolved(made.inputs, preview))
            yield proto.AnalyzeRequest(type=made.token, urn=made.urn, name=made.title, properties=struct)

    def stack_request(self, *, preview: bool = False) -> Any:
        """As the engine asks about all in the end: with outputs alone, computed ones too."""
        return proto.AnalyzeStackRequest(
            resources=[
                proto.AnalyzerResource(
                    type=made.token,
                    urn=made.urn,
                    name=made.title,
                    properties=_struct(_all_outputs(made, preview)),
                    parent=made.parent.urn if made.parent else "",
                    provider=proto.AnalyzerProviderResource(urn=_provider_of(made)) if made.custom else None,
                    propertyDependencies={
                        key: proto.AnalyzerPropertyDependencies(urns=urns) for key, urns in _derived_from(made).items()
                    },
                )
                for made in (*self.resources, *self.external)
            ]
        )

    def _state(self, made: Made, *, preview: bool = False) -> dict[str, Any]:
        state: dict[str, Any] = {
            "urn": made.urn,
            "custom": made.custom,
            "type": made.token,
            "inputs": {"__defaults": [], **_resolved(made.inputs, preview)},
            "propertyDependencies": _derived_from(made),
            "dependencies": sorted({urn for urns in _derived_from(made).values() for urn in urns}),
        }
        if made.parent:
            state["parent"] = made.parent.urn
        if made.custom:
            state["provider"] = f"{_provider_of(made)}::1"
        if not preview and made.custom:
            outputs = _all_outputs(made, preview)
            state |= {"id": outputs["id"], "outputs": outputs}
        return state


KINDS = ("typical", "variant", "compliant", "unknown", "near miss")
"""Every rule needs cases of each kind: a typical violation, variants of it, and, without complaints, a compliant
program, one with unknown values, and one that only resembles a violation."""


@dataclass(frozen=True)
class Case:
    """A program, and the complaints of one rule about it."""

    rule: str
    kind: str
    what: str
    """The case in a few words."""
    program: Program
    complaints: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Texts in the complaint, by the logical name of the resource."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The rule's parameters."""
    silent_at_preview: bool = False
    """Whether there is no complaint before the outputs are known, as in every case of unknown values."""

    def __str__(self) -> str:
        return f"{self.rule}: {self.kind}: {self.what}"


def program(*resources: Made, external: Iterable[Made] = ()) -> Program:
    """A program of these resources."""
    return Program(resources, tuple(external))


def _provider_of(made: Made) -> str:
    package = made.token.partition(":")[0]
    return made.provider or f"urn:pulumi:{STACK}::{PROJECT}::pulumi:providers:{package}::default_7_0_0"


_COMPUTED = {"aws:sqs/queue:Queue": ("policy", "redrivePolicy", "kmsDataKeyReusePeriodSeconds", "sqsManagedSseEnabled")}
"""Inputs that the provider fills in where they are absent: at a preview they are unknown, though nobody set them."""


def _all_outputs(made: Made, preview: bool) -> dict[str, Any]:
    outputs = made.outputs()
    if preview:
        outputs = dict.fromkeys((*outputs, *_COMPUTED.get(made.token, ())), UNKNOWN_TEXT)
        if made.inputs.get("name"):
            outputs["name"] = made.inputs["name"]
    return outputs | _resolved(made.inputs, preview)


def _resolved(value: Any, preview: bool) -> Any:
    if isinstance(value, Secret):
        return {_SIGNATURE: _SECRET_SIGNATURE, "ciphertext": "v1:x:y", "value": _resolved(value.value, preview)}
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, Output):
        if value.key in value.of.inputs:
            return _resolved(value.of.inputs[value.key], preview)
        return UNKNOWN_TEXT if preview else value.of.outputs()[value.key]
    if isinstance(value, Text):
        inner = _resolved(list(value.parts) if value.tree is None else value.tree, preview)
        if _holds_unknown(inner):
            return UNKNOWN_TEXT
        return "".join(inner) if value.tree is None else json.dumps(inner)
    if isinstance(value, Mapping):
        return {key: _resolved(inner, preview) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(inner, preview) for inner in value]
    return value


def _holds_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_unknown, value.values()))
    return any(map(_holds_unknown, value)) if isinstance(value, list) else value == UNKNOWN_TEXT


def _derived_from(made: Made) -> dict[str, list[str]]:
    return {key: sorted(set(_sources(value))) for key, value in made.inputs.items()}


def _sources(value: Any) -> Iterator[str]:
    if isinstance(value, Output):
        yield value.of.urn
    inner: Iterable[Any] = ()
    if isinstance(value, Secret):
        inner = [value.value]
    elif isinstance(value, Text):
        inner = [value.tree, *value.parts]
    elif isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    for part in inner:
        yield from _sources(part)


def _struct(value: Any) -> Any:
    return json_format.ParseDict(value, struct_pb2.Struct())  # ty: ignore[missing-attribute] - made at run time


def resource(type_: str, title: str, /, **props: Any) -> Resource:
    """One resource of the model, for tests of how it is read."""
    return Resource(type_, title, f"urn:pulumi:{STACK}::{PROJECT}::{type_}::{title}", props)


def make_alarm_on(dead_letters: Made) -> Made:
    """The alarm that dead letters have."""
    return metric_alarm(
        f"{dead_letters.title}-letters",
        namespace="AWS/SQS",
        metricName="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": dead_letters.name},
    )


queue = make("aws:sqs/queue:Queue")
queue_policy = make("aws:sqs/queuePolicy:QueuePolicy")
redrive_policy = make("aws:sqs/redrivePolicy:RedrivePolicy")
topic = make("aws:sns/topic:Topic")
topic_policy = make("aws:sns/topicPolicy:TopicPolicy")
subscription = make("aws:sns/topicSubscription:TopicSubscription")
metric_alarm = make("aws:cloudwatch/metricAlarm:MetricAlarm")
event_rule = make("aws:cloudwatch/eventRule:EventRule")
event_target = make("aws:cloudwatch/eventTarget:EventTarget")
schedule = make("aws:scheduler/schedule:Schedule")
function = make("aws:lambda/function:Function")
alias = make("aws:lambda/alias:Alias")
invoke_config = make("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
mapping = make("aws:lambda/eventSourceMapping:EventSourceMapping")
permission = make("aws:lambda/permission:Permission")
role = make("aws:iam/role:Role")
role_policy = make("aws:iam/rolePolicy:RolePolicy")
key = make("aws:kms/key:Key")
key_alias = make("aws:kms/alias:Alias")
secret = make("aws:secretsmanager/secret:Secret")
table = make("aws:dynamodb/table:Table")
state_machine = make("aws:sfn/stateMachine:StateMachine")
component = make("shop:index:Component")
