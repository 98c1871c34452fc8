"""`make docs`: writes the parts of the documents that have a source elsewhere; a test holds them to it."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATTERN_SYNTAX = ROOT / "rotation_guard" / "domain" / "event_pattern_syntax.py"
PATTERN_SYNTAX_OF_THE_PACK = ROOT / "policies" / "aws" / "event_pattern_syntax.py"
"""A copy: the pack is published as its folder alone."""
SCHEMA = ROOT / "plugin" / "schema.json"
"""For those who generate an SDK without running the plugin."""
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
    organization_costs,
    policies_page,
    quotas,
    reuse,
    settings,
)
from docs.markdown import filled, table  # noqa: E402
from local.mocks.organization import deploy_organization  # noqa: E402
from local.mocks.recording import Recording, deploy_program, stack_config  # noqa: E402


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
                "status costs": table(organization_costs.HEADS, list(organization_costs.list_status_costs())),
                "organization costs": table(
                    organization_costs.FIXED_HEADS, list(organization_costs.list_fixed_costs(organization))
                ),
            },
        ),
        docs / "permissions.md": _fill(
            docs / "permissions.md",
            {"permissions": permissions(prod), "organization permissions": permissions(organization)},
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


def permissions(prod: Recording) -> str:
    """The table of permissions: every role of these resources, as the program asks for it."""
    return table(("role", "for", "may", "on"), list(_permissions(prod)))


def _permissions(recording: Recording) -> Iterator[tuple[str, ...]]:
    policies = sorted(recording.of_type("aws:iam/rolePolicy:RolePolicy"), key=lambda resource: resource.name)
    for role in sorted(recording.of_type("aws:iam/role:Role"), key=lambda resource: resource.name):
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
        if resource.outputs.get("arn") == arn.removesuffix(":*"):
            kind = re.sub(r"(?<!^)([A-Z])", r" \1", resource.type.rpartition(":")[2]).lower()
            return f"{kind} `{resource.name}`"
    if arn == "*":
        return "`*` (has no resource-level permission)"
    anywhere = re.sub(r"^(arn:[^:]+:[^:]+):[^:]*:[^:]*", r"\1:REGION:ACCOUNT", arn)
    return f"`{anywhere}`"


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text)
