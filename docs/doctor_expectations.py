"""What `rotation-guard doctor` expects of a stack, as the program deploys it: its file, and the policy on its page.

The command line may not import the components. What a role needs is taken from several configurations: what all of them
grant is always needed, the rest depends on settings.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.organization.hub import Hub
from components.organization.member import Member
from components.release import VERSION
from local.mocks.organization import ORGANIZATION
from local.mocks.recording import ACCOUNT, REGION, Recorded, Recording, deploy, deploy_program, stack_config
from rotation_guard.cli.doctor.aws_reader import READ_ONLY_POLICY
from rotation_guard.cli.doctor.expectations import ALWAYS, BY_SETTINGS, WITH_KEY
from rotation_guard.cli.doctor.hub_bus import FORWARD, FORWARD_TARGET
from rotation_guard.cli.doctor.layout import Kind
from rotation_guard.cli.doctor.schedules import CANARY, SCHEDULES

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "rotation_guard" / "cli" / "doctor" / "expectations.json"
EVENTS = ROOT / "tests" / "events"
RULE_EVENTS: Mapping[str, tuple[str, ...]] = {
    "failed": ("rotation-failed", "rotation-abandoned", "test-rotation-failed"),
    "stuck": ("rotation-stuck",),
    "stalled": ("incident-stalled",),
    "service": ("rotation-started", "rotation-succeeded"),
    "calls": ("put-secret-value",),
    "labels": ("secret-label-updated",),
    "success": ("rotation-succeeded",),
    "moved": ("secret-label-updated",),
}
"""The recorded events that each rule of AWS's events is for."""
REPORT_EVENTS: Mapping[str, tuple[str, ...]] = {"findings": ("secret-status-changed", "incident-resolved")}
"""The recorded events of the product's own that a rule is for."""
INTEGRATION_EVENTS = ("incident-resolved",)
"""Those that the rule of every integration is for."""
REPORTS = ("audit-finished", "incident-resolved", "secret-status-changed")
"""The recorded events of the product's own that a hub keeps."""
HUB_EVENTS: Mapping[str, tuple[str, ...]] = {
    "failed": ("rotation-failed", "rotation-abandoned", "test-rotation-failed"),
    "stuck": ("rotation-stuck",),
    "service-events": ("rotation-started", "rotation-succeeded"),
    "api-calls": ("put-secret-value",),
    "label-updates": ("secret-label-updated",),
    "reports": REPORTS,
    "late-events": ("redelivered-rotation-failed",),
    "late-reports": ("redelivered-incident-resolved",),
}
"""The recorded events that each rule of a hub is for."""
MEMBER_EVENTS: Mapping[str, tuple[str, ...]] = {
    "rotations": ("rotation-failed", "rotation-succeeded", "secret-label-updated"),
    "api-calls": ("put-secret-value",),
    "reports": ("rotation-stuck", *REPORTS),
}
"""The recorded events that each rule of a member is for."""
_EVENTS_OF: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    Kind.STACK: {**RULE_EVENTS, **REPORT_EVENTS},
    Kind.HUB: HUB_EVENTS,
    Kind.MEMBER: MEMBER_EVENTS,
}
HUB_BUS = "arn:aws:events:us-east-1:999988887777:event-bus/rotation-hub"
"""A hub in another account and Region."""
_HERE = f"{REGION}:{ACCOUNT}"
_FUNCTION = f"arn:aws:lambda:{_HERE}:function"
_REPAIR = {
    "remediationMode": "repair",
    "probeFunctions": [f"{_FUNCTION}:probe"],
    "reportSchedule": "rate(1 day)",
    "canarySchedule": "rate(1 day)",
    "securityHub": True,
}
_CONFIGURATIONS: tuple[Mapping[str, Any], ...] = (
    {},
    {**_REPAIR, "restartTargets": [f"arn:aws:ecs:{_HERE}:service/shop/orders"]},
    {
        **_REPAIR,
        "probeFunctions": [f"{_FUNCTION}:other"],
        "restartTargets": [f"{_FUNCTION}:api"],
        "rotationFunctions": [f"{_FUNCTION}:rotate"],
        "remediationScope": {"name": "shop/*"},
    },
    {
        **_REPAIR,
        "restartTargets": [f"arn:aws:ssm:{_HERE}:document/restart"],
        "restartRoleArns": [f"arn:aws:iam::{ACCOUNT}:role/automation"],
    },
)
_KEY = f"arn:aws:kms:{_HERE}:key/0f4c2a1e-6a55-4f0e-9f53-1f1f9f3d2b11"
_ROLE_POLICY, _FUNCTION_TYPE = "aws:iam/rolePolicy:RolePolicy", "aws:lambda/function:Function"
_Grants = dict[str, dict[str, set[str]]]
"""Role -> action -> resources, as an expectation names them."""


def write_expectations(prod: Recording) -> str:
    """The file of the rules, environments and permissions of a stack, a hub and a member."""
    stacks = [prod, *(_deploy(configuration) for configuration in _CONFIGURATIONS[1:])]
    hub, member = (_deploy_component(kind, {}) for kind in (Kind.HUB, Kind.MEMBER))
    document = {
        "version": VERSION,
        "integration_events": list(INTEGRATION_EVENTS),
        Kind.STACK: {
            "rules": {
                **_describe_rules(stacks[-1], Kind.STACK, "receiver_rule_names", is_optional=True),
                **_describe_rules(prod, Kind.STACK, "rule_names", is_optional=False),
            },
            **_describe_functions(stacks, _deploy({**_CONFIGURATIONS[-1], "kmsKeyArn": _KEY})),
        },
    }
    for kind, recording in ((Kind.HUB, hub), (Kind.MEMBER, member)):
        document[kind] = {
            "rules": _describe_rules(recording, kind, "rule_names", is_optional=False),
            **_describe_functions([recording], _deploy_component(kind, {"kms_key_arn": _KEY})),
        }
    used = {event for rules in _EVENTS_OF.values() for events in rules.values() for event in events}
    document["events"] = {name: read_event(name) for name in sorted(used | {*INTEGRATION_EVENTS})}
    return json.dumps(document, indent=1) + "\n"


def _describe_functions(recordings: Sequence[Recording], encrypted: Recording) -> dict[str, Any]:
    """Environments and permissions; `encrypted` is the last recording with a customer key."""
    plain = [_list_grants(recording) for recording in recordings]
    return {
        "environments": _merge_environments(recordings),
        "permissions": _list_permissions(plain, _list_grants(encrypted)),
    }


def write_policy() -> str:
    """The policy of whoever runs the command."""
    return f"```json\n{json.dumps(READ_ONLY_POLICY, indent=2)}\n```"


def _deploy(configuration: Mapping[str, Any]) -> Recording:
    config = {
        f"rotation-guard:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in configuration.items()
    }
    return deploy_program({**stack_config("prod"), **config}, stack="prod")


def read_event(name: str) -> Any:
    """A recorded event: one of AWS, or one of the product's own."""
    folder = EVENTS if (EVENTS / f"{name}.json").exists() else EVENTS / "reports"
    return json.loads((folder / f"{name}.json").read_text())


def _deploy_component(kind: Kind, settings: Mapping[str, Any]) -> Recording:
    """A hub or a member, placed alone."""
    if kind is Kind.HUB:
        return deploy(Hub, "rotation-hub", {"organization_id": ORGANIZATION, **settings})
    alarms = {"alarms_topic_arn": f"arn:aws:sns:{_HERE}:pager"}
    return deploy(Member, "rotation-member", {"hub_event_bus_arn": HUB_BUS, **alarms, **settings})


def _describe_rules(recording: Recording, kind: Kind, output: str, *, is_optional: bool) -> dict[str, dict[str, Any]]:
    """The rules of a map among the outputs; `is_optional` says whether a setting brings them."""
    names = _name_resources(recording)
    rules = {}
    for short, name in recording.outputs[output].items():
        targets = [
            one.inputs
            for one in recording.of_type("aws:cloudwatch/eventTarget:EventTarget")
            if one.inputs["rule"] == name
        ]
        [dead_letters] = {names[target["deadLetterConfig"]["arn"]] for target in targets}
        rules[short] = {
            "targets": sorted(target["targetId"] for target in targets),
            "events": list(_EVENTS_OF[kind][short]),
            "dead_letters": dead_letters.strip("{}"),
            "is_optional": is_optional,
        }
    return rules


def _merge_environments(recordings: Iterable[Recording]) -> dict[str, dict[str, str]]:
    """Function -> variable -> output, of the variables that an output is the value of."""
    merged: dict[str, dict[str, str]] = {}
    for recording in recordings:
        by_value = {value: name for name, value in reversed(recording.outputs.items()) if isinstance(value, str)}
        for short, name in recording.outputs["function_names"].items():
            variables = _find_function(recording, name).inputs["environment"]["variables"]
            merged[short] = {
                variable: by_value[value]
                for variable, value in sorted(variables.items())
                if variable.endswith(("_NAME", "_URL", "_ARN")) and value in by_value
            }
    return dict(sorted(merged.items()))


def _list_permissions(plain: list[_Grants], encrypted: _Grants) -> dict[str, list[list[str]]]:
    permissions: dict[str, list[list[str]]] = {}
    for role in sorted({role for grants in plain for role in grants}):
        grants = [of_roles[role] for of_roles in plain if role in of_roles]
        rows: list[list[str]] = []
        for action in sorted({action for granted in grants for action in granted}):
            resources = [granted.get(action, set()) for granted in grants]
            common, every = set.intersection(*resources), set.union(*resources)
            needed = (common or {""}) if all(resources) else set()
            # Of what settings choose only the functions of the stack can be named.
            chosen = {resource if resource.startswith("{function:") else "" for resource in every - common}
            rows += [[action, resource, ALWAYS] for resource in sorted(needed)]
            rows += [[action, resource, BY_SETTINGS] for resource in sorted(chosen - needed)]
        with_key = encrypted[role].keys() - plain[-1].get(role, {}).keys()
        permissions[role] = rows + [[action, "", WITH_KEY] for action in sorted(with_key)]
    return permissions


def _list_grants(recording: Recording) -> _Grants:
    names = _name_resources(recording)
    schedules = {one.outputs["name"]: one for one in recording.of_type("aws:scheduler/schedule:Schedule")}
    roles = {
        short: _find_function(recording, name).inputs["role"]
        for short, name in recording.outputs["function_names"].items()
    }
    for machine in recording.of_type("aws:sfn/stateMachine:StateMachine"):
        roles["workflow"] = machine.inputs["roleArn"]
    for target in recording.of_type("aws:cloudwatch/eventTarget:EventTarget"):
        if target.inputs["targetId"] == FORWARD_TARGET:
            roles[FORWARD] = target.inputs["roleArn"]
    roles |= {
        schedule.role: schedules[name].inputs["target"]["roleArn"]
        for schedule in SCHEDULES
        if (name := recording.outputs.get(schedule.output))
    }
    # Of all roles this one follows the rules to another bus; functions of ours send to the default one.
    bus = recording.outputs.get("event_bus_name")
    on_bus = names | {f"arn:aws:events:{_HERE}:event-bus/{bus}": "{event_bus_name}"}
    return {
        short: _grants_of(recording, arn.rpartition("/")[2], on_bus if short == CANARY.role else names)
        for short, arn in roles.items()
    }


def _grants_of(recording: Recording, role_name: str, names: Mapping[str, str]) -> dict[str, set[str]]:
    grants: dict[str, set[str]] = {}
    for policy in recording.of_type(_ROLE_POLICY):
        if policy.inputs["role"] != role_name:
            continue
        for statement in policy.policy():
            for action in _listed(statement["Action"]):
                resources = {_name_resource(arn, names, recording) for arn in _listed(statement["Resource"])}
                grants.setdefault(action, set()).update(resources)
    return grants


def _name_resources(recording: Recording) -> dict[str, str]:
    """ARN -> the output or function that stands for it, in braces."""
    names: dict[str, str] = {}
    for output, value in recording.outputs.items():
        if isinstance(value, str) and value.startswith("arn:"):
            names.setdefault(value, f"{{{output}}}")
        for resource in recording.custom():
            known = (resource.outputs.get(key) for key in ("arn", "name", "url"))
            if isinstance(value, str) and value in known and "arn" in resource.outputs:
                names.setdefault(resource.outputs["arn"], f"{{{output}}}")
    for short, name in recording.outputs["function_names"].items():
        names[_find_function(recording, name).arn] = f"{{function:{short}}}"
    return names


def _name_resource(arn: str, names: Mapping[str, str], recording: Recording) -> str:
    if arn in names:
        return names[arn]
    if within := next((known for known in names if arn.startswith(f"{known}/")), None):
        return f"{names[within]}{arn.removeprefix(within)}"
    if any(resource.outputs.get("arn") == arn.removesuffix(":*") for resource in recording.custom()):
        return ""
    return re.sub(rf"^arn:aws:(\w+):{_HERE}:", r"arn:{partition}:\1:{region}:{account}:", arn)


def _find_function(recording: Recording, name: str) -> Recorded:
    [function] = [one for one in recording.of_type(_FUNCTION_TYPE) if one.outputs["name"] == name]
    return function


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
