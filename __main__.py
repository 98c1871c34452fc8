"""The stack: reads its configuration, places RotationGuard, and exports what others need to find."""

import pulumi

from components.rotation_guard import RotationGuard
from components.settings import configuration

guard = RotationGuard("rotation-guard", configuration.read(pulumi.Config()))
for output, value in guard.outputs().items():
    pulumi.export(output, value)
