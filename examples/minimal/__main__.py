"""Everything that rotation-guard does, with its defaults: notify, record, audit, and repair nothing."""

import pulumi
from rotation_guard.components.rotation_guard import RotationGuard

guard = RotationGuard(
    "rotation-guard",
    {
        "subscriptions": [
            {"topic": "remediation", "protocol": "email", "endpoint": "platform-team@example.com"},
            {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"},
        ],
    },
)
for output, value in guard.outputs().items():
    pulumi.export(output, value)
