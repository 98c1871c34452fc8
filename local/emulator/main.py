"""The process that is the embedded AWS: MiniStack, plus what AWS plays and MiniStack does not.

Started by `emulator.py` as `python -m local.embedded`, configured by environment variables alone.
"""

import importlib
import threading

from ministack import app as server

from . import (
    alarms,
    automations,
    deliveries,
    forks,
    lambda_service,
    log_output,
    named_resources,
    queue_lock,
    queue_metrics,
    request_signatures,
    secrets_manager,
    workflow_tasks,
)

_NEEDED = ("iam", "cloudwatch_logs", "dynamodb", "cloudwatch", "sts", "ecs")


def main() -> None:
    """Serve until a signal ends it."""
    forks.install()
    log_output.install()
    request_signatures.install()
    for module in (queue_lock, alarms, lambda_service, deliveries, workflow_tasks, secrets_manager, automations):
        module.install()
    named_resources.install()
    alarms.evaluate_each_minute(before=queue_metrics.publish_all)
    threading.Thread(target=_load_services, daemon=True).start()
    server.main()


def _load_services() -> None:
    """MiniStack loads a service at its first call; these are called at once, so they are loaded while others wait."""
    for name in _NEEDED:
        importlib.import_module(f"ministack.services.{name}")


if __name__ == "__main__":
    main()
