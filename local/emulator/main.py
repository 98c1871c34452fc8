"""The entry point of the embedded AWS: MiniStack with patches where it differs from AWS. Runs inside the emulator.

`process.py` starts it as `python -m local.emulator.main`; environment variables are its only configuration.
"""

import importlib
import threading

from ministack import app as server

from . import alarms, patches, queue_metrics

_PRELOADED_SERVICES = ("iam", "cloudwatch_logs", "dynamodb", "cloudwatch", "sts", "ecs")


def main() -> None:
    """Serve until a signal ends the process."""
    patches.install_all()
    alarms.evaluate_each_minute(before=queue_metrics.publish_queue_metrics)
    threading.Thread(target=_preload_services, daemon=True).start()
    server.main()


def _preload_services() -> None:
    """Load these services now, which MiniStack would load at their first call."""
    for name in _PRELOADED_SERVICES:
        importlib.import_module(f"ministack.services.{name}")


if __name__ == "__main__":
    main()
