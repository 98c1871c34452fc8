"""The stack: reads its configuration, places RotationGuard, and exports what others need to find."""

import pulumi

from components import configuration
from components.rotation_guard import RotationGuard

guard = RotationGuard("rotation-guard", configuration.read(pulumi.Config()))
for output, value in guard.outputs().items():
    pulumi.export(output, value)
