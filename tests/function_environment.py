"""What a function reads from its environment if nothing is configured, for tests that run functions."""

import json

from components.settings.declarations import SETTINGS

DEFAULTS = {
    name.upper(): setting.default if isinstance(setting.default, str) else json.dumps(setting.default)
    for name, setting in SETTINGS.items()
} | {"RETRY_BASE_MINUTES": "5", "RETRY_CAP_MINUTES": "60", "PROBE_TIMEOUT_SECONDS": "10"}
"""Every setting, and what the components add to them."""
