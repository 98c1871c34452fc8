"""The process that is the embedded AWS: MiniStack, plus what AWS plays and MiniStack does not.

Started by `emulator.py` as `python -m local.embedded`, configured by environment variables alone.
"""

import importlib
import threading

from ministack.app import main as serve

from . import automations, forks, named_resources, secrets_manager, turns

_NEEDED = (
    "sns",
    "sqs",
    "iam",
    "lambda_svc",
    "cloudwatch_logs",
    "dynamodb",
    "stepfunctions",
    "cloudwatch",
    "sts",
    "ssm",
    "ecs",
)


def main() -> None:
    """Serve until a signal ends it."""
    secrets_manager.install()
    automations.install()
    named_resources.install()
    threading.Thread(target=_load_services, daemon=True).start()
    serve()


def _load_services() -> None:
    """MiniStack loads a service at its first call; these are called at once, so they are loaded while others wait.

    So is what functions start from: whoever started this emulator is busy for as long with imports of its own.
    """
    for name in _NEEDED:
        importlib.import_module(f"ministack.services.{name}")
    forks.install()
    turns.install()


if __name__ == "__main__":
    main()
