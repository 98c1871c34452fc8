"""`make docs`: writes the parts of the documents that have a source elsewhere; a test holds them to it."""

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATTERN_SYNTAX = ROOT / "rotation_guard" / "domain" / "event_pattern_syntax.py"
PATTERN_SYNTAX_OF_THE_PACK = ROOT / "policies" / "aws" / "event_pattern_syntax.py"
"""A copy: the pack is published as its folder alone."""
SCHEMA = ROOT / "plugin" / "schema.json"
"""For those who generate an SDK without running the plugin."""
_PERMISSION_HEADS = ("role", "for", "may", "on")
sys.path.insert(0, str(ROOT))

# The folders lie at the top.
from components.provider.host import RotationGuardProvider  # noqa: E402
from docs import (  # noqa: E402
    audit_page,
    controls,
    costs,
    decision_index,
    decision_table,
    deployer_policies,
    diagram,
    doctor_expectations,
    json_schemas,
    optional_costs,
    optional_settings,
    organization_costs,
    policies_page,
    quotas,
    reuse,
    settings,
)
from docs.markdown import filled, table  # noqa: E402
from local.mocks.organization import deploy_organization  # noqa: E402
from local.mocks.recording import ACCOUNT, Recording, deploy_program, stack_config  # noqa: E402


def pages() -> dict[Path, str]:
    """Every file with generated parts, as it should be."""
    docs = ROOT / "docs"
    prod = deploy_program(stack_config("prod"), stack="prod")
    organization = deploy_organization()
    guards, evidence = decision_table.guards(), decision_table.evidence()
    schema = RotationGuardProvider().published
    return {
        ROOT / "README.md": _fill(ROOT / "README.md", {"settings": settings.write_overview()}),
        docs / "settings.md": _fill(docs / "settings.md", {"settings": settings.write_tables()}),
        docs / "costs.md": _fill(
            docs / "costs.md",
            {
                "costs": month(),
                "other costs": write_other_costs(prod),
                "optional costs": write_optional_costs(),
                "status costs": table(organization_costs.HEADS, list(organization_costs.list_status_costs())),
                "organization costs": table(
                    organization_costs.FIXED_HEADS, list(organization_costs.list_fixed_costs(organization))
                ),
            },
        ),
        docs / "permissions.md": _fill(
            docs / "permissions.md",
            {
                "permissions": permissions(prod),
                "optional permissions": write_optional_permissions(),
                "organization permissions": permissions(organization),
            },
        ),
        docs / "rollout.md": _fill(
            docs / "rollout.md", {"quotas": table(quotas.HEADS, list(quotas.list_quotas(prod)))}
        ),
        docs / "doctor.md": _fill(docs / "doctor.md", {"doctor policy": doctor_expectations.write_policy()}),
        docs / "evidence.md": _fill(
            docs / "evidence.md",
            {
                "controls": table(controls.HEADS, list(controls.list_controls())),
                "config rules": table(controls.RULE_HEADS, list(controls.list_config_rules())),
            },
        ),
        docs / "reports.md": _fill(
            docs / "reports.md", {"schemas": table(("JSON of", "schema"), list(json_schemas.list_rows()))}
        ),
        docs / "audit.md": _fill(docs / "audit.md", {"verdicts": audit_page.verdicts()}),
        docs / "remediation.md": _fill(docs / "remediation.md", {"guards": guards, "evidence": evidence}),
        decision_index.PAGE: _fill(decision_index.PAGE, {"decisions": decision_index.write_index()}),
        policies_page.PAGE: policies_page.page(),
        PATTERN_SYNTAX_OF_THE_PACK: PATTERN_SYNTAX.read_text(),
        settings.PROJECT: settings.write_project(),
        docs / "reuse.md": _fill(docs / "reuse.md", {"components": reuse.write_components(schema)}),
        SCHEMA: schema,
        doctor_expectations.FILE: doctor_expectations.write_expectations(prod),
        **dict(settings.write_sources()),
        **deployer_policies.write_policies(),
        **json_schemas.write_schemas(),
        **{docs / name: diagram.draw(colours) for name, colours in diagram.FILES.items()},
    }


def _fill(page: Path, parts: Mapping[str, str]) -> str:
    return filled(page.read_text(), parts)


def month() -> str:
    """The table of what the audit costs a month."""
    return table(costs.HEADS, list(costs.rows()))


def write_other_costs(prod: Recording) -> str:
    """The table of what else costs, by what the prod stack has."""
    types = {
        "alarms": "aws:cloudwatch/metricAlarm:MetricAlarm",
        "composite_alarms": "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        "dashboards": "aws:cloudwatch/dashboard:Dashboard",
    }
    counts = {name: len(prod.of_type(type_)) for name, type_ in types.items()}
    return table(costs.OTHER_HEADS, list(costs.list_other_costs(counts)))


def write_optional_costs() -> str:
    """The table of what settings cost that are off by default."""
    alarms = {addition.setting: addition.alarms for addition in optional_settings.list_additions()}
    return table(optional_costs.HEADS, list(optional_costs.list_costs(alarms)))


def permissions(prod: Recording) -> str:
    """The table of permissions: every role of these resources, as the program asks for it."""
    return table(_PERMISSION_HEADS, list(_permissions(prod)))


def write_optional_permissions() -> str:
    """The same for the roles that settings add which are off by default."""
    rows = [
        (f"`{addition.setting}`" if row[0] else "", *row)
        for addition in optional_settings.list_additions()
        for row in _permissions(addition.recording, addition.roles)
    ]
    return table(("with", *_PERMISSION_HEADS), rows)


def _permissions(recording: Recording, names: Collection[str] | None = None) -> Iterator[tuple[str, ...]]:
    """The rows of the roles with these names, or of all."""
    policies = sorted(recording.of_type("aws:iam/rolePolicy:RolePolicy"), key=lambda resource: resource.name)
    for role in sorted(recording.of_type("aws:iam/role:Role"), key=lambda resource: resource.name):
        if names is not None and role.name not in names:
            continue
        purpose = role.inputs["description"].removesuffix(" (rotation-guard)")
        given = [
            statement
            for policy in policies
            if policy.inputs["role"] == role.outputs["name"]
            for statement in policy.policy()
        ]
        for number, statement in enumerate(given):
            yield (
                f"`{role.name}`" if number == 0 else "",
                purpose if number == 0 else "",
                ", ".join(f"`{action}`" for action in _listed(statement["Action"])),
                ", ".join(_what(resource, recording) for resource in _listed(statement["Resource"])),
            )


def _what(arn: str, recording: Recording) -> str:
    """What an ARN stands for: a resource of the stack by its name, or else the ARN with placeholders."""
    for resource in recording.custom():
        own = resource.outputs.get("arn")
        if own is not None and (arn.removesuffix(":*") == own or arn.startswith(f"{own}/")):
            kind = re.sub(r"(?<!^)([A-Z])", r" \1", resource.type.rpartition(":")[2]).lower()
            path = arn.removeprefix(own).removeprefix(":*").removeprefix("/")
            return f"{f'`{path}` in ' if path else ''}{kind} `{resource.name}`"
    if arn == "*":
        return "`*` (has no resource-level permission)"
    anywhere = re.sub(r"^(arn:[^:]+:[^:]+):[^:]*:[^:]*", r"\1:REGION:ACCOUNT", arn)
    return f"`{anywhere.replace(ACCOUNT, 'ACCOUNT')}`"


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text)
