"""A stand-in for the AWS provider: the engine's calls become calls to the embedded AWS, by the table of `local/`.

It serves Pulumi's provider protocol as it is on the wire, run by the engine as `pulumi-resource-aws`. What the real
provider adds to AWS is repeated from its documentation: names that are generated, and how long they may be; which
changes make a new resource; which outputs are unknown until there is one; JSON that is compared by its meaning. It
cannot show what only AWS knows: quotas, eventual consistency, what a service refuses.

Environment: `STAND_IN_AWS` is the embedded AWS as JSON (the fields of `local.aws.Aws`), `STAND_IN_LOG` a file that gets
one JSON line for each resource that is created, updated or deleted, `STAND_IN_REFUSES` a list of parts of URNs that are
refused.
"""

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from typing import Any

import grpc
import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local.aws import Aws
from local.deploy.resources import TABLE, CreatedResource, Resource, find_entry
from local.deploy.resources.updates import UPDATES
from local.errors import LocalError
from tests.engine import wire
from tests.engine.aws_types import COMPUTED, JSON_INPUTS, MAXIMUM_NAME, replacing_inputs
from tests.engine.serving import serve

_ALARMS = ("aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm")


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """The provider, for one embedded AWS."""

    def __init__(self, aws: Aws, log: str | None, refuses: Sequence[str]) -> None:
        self._aws, self._log, self._refuses = aws, log, refuses
        self._writing = threading.Lock()

    def GetPluginInfo(self, request, context):  # noqa: N802 - the protocol's names
        return plugin_pb2.PluginInfo(version="7.51.1")

    def GetSchema(self, request, context):  # noqa: N802
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": "7.51.1"}))

    def CheckConfig(self, request, context):  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context):  # noqa: N802
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request, context):  # noqa: N802
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptResources=False, acceptSecrets=False)

    def Check(self, request, context):  # noqa: N802
        token, inputs, old = _token(request.urn), wire.read(request.news), wire.read(request.olds)
        entry = TABLE.get(token)
        failures = []
        if entry and entry.name_input and inputs.get(entry.name_input) is None and not inputs.get("namePrefix"):
            name, longest = request.urn.rpartition("::")[2], MAXIMUM_NAME[token]
            if len(name) + 8 > longest:
                reason = f"name '{name}' plus 7 random chars is longer than maximum length {longest}"
                failures.append(provider_pb2.CheckFailure(property=entry.name_input, reason=reason))
            suffix = hashlib.sha256(request.randomSeed or request.urn.encode()).hexdigest()[:7]
            inputs[entry.name_input] = old.get(entry.name_input) or f"{name}-{suffix}"
        return provider_pb2.CheckResponse(inputs=wire.write(inputs), failures=failures)

    def Diff(self, request, context):  # noqa: N802
        token, old, state, new = (
            _token(request.urn),
            wire.read(request.old_inputs),
            wire.read(request.olds),
            wire.read(request.news),
        )
        # What was changed behind the engine's back shows in the state that a refresh has read.
        changed = {key for key in new if not _is_same(token, key, state.get(key, old.get(key)), new[key])}
        changed |= {key for key in old if key not in new and old[key] is not None}
        changed -= set(request.ignoreChanges)
        kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        replacing = sorted(changed & replacing_inputs(token))
        return provider_pb2.DiffResponse(changes=kind, diffs=sorted(changed), replaces=replacing)

    def Create(self, request, context):  # noqa: N802
        token, inputs = _token(request.urn), wire.read(request.properties)
        if request.preview:
            unknown = {key: wire.UNKNOWN for key in _list_computed(token, inputs) if key not in inputs}
            return provider_pb2.CreateResponse(properties=wire.write({**inputs, **unknown}))
        with _refused(context, request.urn, self._refuses):
            entry = find_entry(token)
            entry.reject_unknown_inputs(inputs)
            named_inputs = entry.with_name(request.urn.rpartition("::")[2], inputs)
            created = entry.create(self._aws, named_inputs)
            self._note("create", request.urn, created.id)
            return provider_pb2.CreateResponse(
                id=created.id, properties=wire.write({**named_inputs, **created.outputs, "standIn": created.outputs})
            )

    def Read(self, request, context):  # noqa: N802
        token, state = _token(request.urn), wire.read(request.properties)
        if token == "aws:ssm/parameter:Parameter":
            value = self._aws.client("ssm").get_parameter(Name=request.id)["Parameter"]["Value"]
            inputs = {**wire.read(request.inputs), "value": value}
            return provider_pb2.ReadResponse(
                id=request.id, properties=wire.write({**state, "value": value}), inputs=wire.write(inputs)
            )
        # Read and written: the engine does not take an archive back as it has sent it.
        inputs = wire.write(wire.read(request.inputs))
        return provider_pb2.ReadResponse(id=request.id, properties=wire.write(state), inputs=inputs)

    def Update(self, request, context):  # noqa: N802
        token, state = _token(request.urn), wire.read(request.olds)
        before, inputs = wire.read(request.old_inputs), wire.read(request.news)
        outputs = {key: value for key, value in state.items() if key not in before}
        if request.preview:
            return provider_pb2.UpdateResponse(properties=wire.write({**inputs, **outputs}))
        with _refused(context, request.urn, self._refuses):
            if token not in UPDATES:
                raise LocalError(f"{token} cannot be updated in place")
            find_entry(token).reject_unknown_inputs(inputs)
            UPDATES[token](self._aws, CreatedResource(request.id, state.get("standIn") or {}), before, inputs)
            self._note("update", request.urn, request.id)
            return provider_pb2.UpdateResponse(properties=wire.write({**inputs, **outputs}))

    def Delete(self, request, context):  # noqa: N802
        token, name = _token(request.urn), request.urn.rpartition("::")[2]
        state = wire.read(request.properties)
        with _refused(context, request.urn, self._refuses):
            if token == "aws:dynamodb/table:Table":
                table = self._aws.client("dynamodb").describe_table(TableName=request.id)["Table"]
                if table.get("DeletionProtectionEnabled"):
                    raise LocalError("ValidationException: Resource cannot be deleted as it is currently protected")
            if token in _ALARMS:
                self._refuse_alarm_of_others(request.id)
            Resource(token, name, request.id, state.get("standIn") or {}).delete(self._aws)
            self._note("delete", request.urn, request.id)
        return wire.empty()

    def Invoke(self, request, context):  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.tok}: what a component needs, it is given")

    def Cancel(self, request, context):  # noqa: N802
        return wire.empty()

    def _refuse_alarm_of_others(self, name: str) -> None:
        """Raises LocalError for an alarm that a composite alarm depends on: CloudWatch does not delete it
        (https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/cloudwatch_composite_alarm)."""
        pages = self._aws.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmTypes=["CompositeAlarm"])
        for alarm in (alarm for page in pages for alarm in page["CompositeAlarms"]):
            if f'"{name}"' in alarm["AlarmRule"] or name == alarm.get("ActionsSuppressor"):
                raise LocalError(f"ValidationError: Cannot delete {name} as {alarm['AlarmName']} depends on it")

    def _note(self, call: str, urn: str, resource_id: str) -> None:
        if self._log:
            line = json.dumps({"call": call, "type": _token(urn), "name": urn.rpartition("::")[2], "id": resource_id})
            with self._writing, open(self._log, "a", encoding="utf-8") as log:  # noqa: PTH123 - one file, appended
                log.write(f"{line}\n")


class _refused:  # noqa: N801 - used as a statement
    """Turns rejections of AWS or the table into the provider's errors, and rejects what the test wants rejected."""

    def __init__(self, context: grpc.ServicerContext, urn: str, refuses: Sequence[str]) -> None:
        self._context, self._urn, self._refuses = context, urn, refuses

    def __enter__(self) -> None:
        if any(part in self._urn for part in self._refuses):
            self._context.abort(grpc.StatusCode.UNKNOWN, f"AccessDenied: {self._urn.rpartition('::')[2]}")

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ClientError | BotoCoreError | LocalError):
            self._context.abort(grpc.StatusCode.UNKNOWN, f"{self._urn.rpartition('::')[2]}: {error}")


def _token(urn: str) -> str:
    return urn.split("::")[-2].rpartition("$")[2]


def _list_computed(token: str, inputs: dict[str, Any]) -> list[str]:
    """The outputs that are not known before there is the resource; a name that begins with a prefix is one of them."""
    entry = TABLE.get(token)
    generated = (
        [entry.name_input]
        if entry and entry.name_input and entry.prefix_input and inputs.get(entry.prefix_input)
        else []
    )
    return [*COMPUTED.get(token, ()), *generated]


def _is_same(token: str, key: str, old: Any, new: Any) -> bool:
    """Whether two inputs mean the same; of policies, patterns and the like the JSON is compared."""
    if key in JSON_INPUTS.get(token, ()) and isinstance(old, str) and isinstance(new, str) and wire.UNKNOWN not in new:
        return json.loads(old) == json.loads(new)
    if isinstance(old, pulumi.Archive) or isinstance(new, pulumi.Archive):
        return wire.digest(old) == wire.digest(new)
    return old == new


def main() -> None:
    """Serve until the engine ends this process."""
    environment = os.environ
    aws = Aws(**json.loads(environment["STAND_IN_AWS"]))
    provider = StandIn(aws, environment.get("STAND_IN_LOG"), json.loads(environment.get("STAND_IN_REFUSES", "[]")))
    serve(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server))


if __name__ == "__main__":
    main()
