"""A setting is declared once: everything else is generated from its declaration, and it reaches its users."""

from dataclasses import replace
from typing import Any

import pytest

from components.integrations.receivers import RECEIVERS
from components.notifications.endpoints import PROTOCOLS, SNS_PROTOCOLS
from components.rotation_guard import RotationGuard, RotationGuardArgs
from components.settings.checks import IntegerBetween
from components.settings.declarations import SETTINGS
from components.settings.setting import Setting
from components.settings.validation import complaints_about
from docs import settings
from local.mocks.organization import deploy_organization
from local.mocks.recording import deploy
from tests.components.samples.everything import EVERYTHING

COMPONENTS = {
    "audit": "RotationAudit",
    "canary": "RotationCanary",
    "demo": "DemoSecrets",
    "reports": "ScheduledReports",
    "events": "RotationEvents",
    "findings": "SecurityFindings",
    "hub": "Hub",
    "integrations": "Integrations",
    "management_trail": "ManagementTrail",
    "member": "Member",
    "notifications": "Notifications",
    "observability": "Observability",
    "remediation": "Remediation",
    "runtime": "RotationAudit",
    "status": "AuditStatus",
    "trail": "AuditTrail",
}
"""The component that accepts a setting, by the name in the declarations; `runtime` is an argument of several."""
ADDED = Setting("grace_days", "Audit", "int", 3, IntegerBetween(1, 9), "Days of grace, see maxAgeDays", ("audit",))

DECLARED = "  graceDays:\n    type: integer\n    default: 3\n    description: Days of grace, see maxAgeDays (1 to 9).\n"


@pytest.fixture(scope="module")
def guard():
    return deploy(RotationGuard, "guard", EVERYTHING)


@pytest.fixture(scope="module")
def organization():
    return deploy_organization(**EVERYTHING)


@pytest.mark.parametrize(
    ("component", "setting"),
    [(component, setting.name) for setting in SETTINGS.values() for component in setting.used_by],
)
def test_a_setting_reaches_every_component_that_uses_it(guard, organization, component, setting):
    stack = organization if component in ("hub", "member") else guard
    [inputs] = [resource.inputs for resource in stack.of_type(f"rotation-guard:index:{COMPONENTS[component]}")]
    value = (inputs["runtime"] if component == "runtime" else inputs)[setting]
    expected: Any = EVERYTHING[setting]

    if setting == "subscriptions":
        # Those without a name get one, as their endpoints become secrets; each is served by one of two components.
        value = [{field: entry[field] for field in entry if field != "name"} for entry in value]
        served = {"integrations": RECEIVERS, "notifications": SNS_PROTOCOLS}.get(component, PROTOCOLS)
        expected = [entry for entry in expected if entry["protocol"] in served]
    # Remediation gets the functions of the demo, too.
    assert (value[:1] if setting in ("probe_functions", "rotation_functions") else value) == expected


def test_every_setting_is_an_argument_of_the_product_and_is_used():
    assert list(RotationGuardArgs.__annotations__) == ["existing", *SETTINGS]
    assert [name for name, setting in SETTINGS.items() if not setting.used_by] == [
        "security_hub",
        "create_trail",
        "demo",
    ]
    # Each of these adds a component.


def test_one_entry_adds_a_setting(monkeypatch):
    monkeypatch.setitem(SETTINGS, ADDED.name, ADDED)

    assert DECLARED in settings.write_project()
    assert "| `graceDays` | integer | `3` | Days of grace, see maxAgeDays (1 to 9). |" in settings.write_tables()
    argument = '    grace_days: NotRequired[int]\n    """Days of grace, see max_age_days. Default: 3."""\n'
    files = [path.name for path, text in settings.write_sources() if argument in text]
    assert files == ["rotation_guard.py", "rotation_audit.py"]
    assert complaints_about({"grace_days": 3}) == []
    assert complaints_about({"grace_days": 10}) == ["grace_days must be an integer from 1 to 9, got 10"]


def test_a_description_without_limits_has_none():
    assert replace(ADDED, check=lambda _, value: iter(())).description == "Days of grace, see maxAgeDays."
