"""A program of a user's, outside the checkout: `python place_guard.py FOLDER STACK` deploys a guard with the engine.

It is run with an environment of its own, in which the package is installed, and imports nothing of this checkout. What
it has deployed is JSON on its last line.
"""

import importlib.util
import json
import sys
from pathlib import Path

import pulumi
from pulumi import automation
from rotation_guard.components import rotation_guard as module  # ty: ignore[import-not-found] - installed alone
from rotation_guard.components.rotation_guard import RotationGuard  # ty: ignore[import-not-found]


def place() -> None:
    """The user's program."""
    guard = RotationGuard("orders", {"max_age_days": 45, "deletion_protection": False, "tags": {"team": "orders"}})
    for name, output in guard.outputs().items():
        pulumi.export(name, output)


def main() -> None:
    """Deploys it, and deploys it again."""
    folder, stack_name = Path(sys.argv[1]), sys.argv[2]
    command = automation.PulumiCommand(root=str(folder), skip_version_check=True)
    stack = automation.create_or_select_stack(
        stack_name,
        project_name="orders",
        program=place,
        opts=automation.LocalWorkspaceOptions(pulumi_command=command),
    )
    first, second = stack.up(), stack.up()
    state = stack.export_stack().deployment or {}
    functions = [resource for resource in state["resources"] if resource["type"] == "aws:lambda/function:Function"]
    report = {
        "module": module.__file__,
        "checkout": [name for name in ("components", "handlers") if importlib.util.find_spec(name)],
        "outputs": {name: output.value for name, output in first.outputs.items()},
        "created": first.summary.resource_changes,
        "changed": second.summary.resource_changes,
        "code": [
            {path: asset["hash"] for path, asset in function["inputs"]["code"]["assets"].items()}
            for function in functions
        ],
    }
    sys.stdout.write(f"{json.dumps(report)}\n")


if __name__ == "__main__":
    main()
