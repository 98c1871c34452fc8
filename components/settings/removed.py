"""Settings of earlier releases."""

from collections.abc import Mapping

REMOVED: Mapping[str, str] = {
    "breaker_window_hours": "failed incidents in a row count, however far apart they are",
    "missed_hours": "stuck_hours now covers late rotations too",
    "retry_base_minutes": "the first wait before a retry is now at most 5 minutes",
    "retry_cap_minutes": "a wait before a retry is now at most 60 minutes",
    "probe_timeout_seconds": "a probe now has 10 seconds for each version",
    "restart_debounce_seconds": "restarts now wait for 60 seconds",
}
"""Each with what applies instead."""
