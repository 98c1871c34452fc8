"""Runs the program in this folder for the engine: `python run_program.py '{"monitor": ..., ...}'`.

It runs in the project's own environment, which has nothing of this checkout: it imports the SDK alone.
"""

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback

import pulumi


def _run() -> None:
    runpy.run_path(sys.path[0], run_name="__main__")


def main() -> int:
    """The exit code: 0, or 32 if the error was explained to the user."""
    # The program's own folder is where it looks for its modules, as if it had been started itself.
    sys.path[0] = os.getcwd()  # noqa: PTH109 - a text, as `sys.path` has them
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    pulumi.runtime.configure(pulumi.runtime.Settings(**json.loads(sys.argv[1])))
    # What a failed resource leaves waiting is no news to the user.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        asyncio.run(pulumi.runtime.run_in_stack(_run))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 32
    except Exception:  # noqa: BLE001 - the user must see every error of the program
        pulumi.log.error(traceback.format_exc())
        return 32
    return 0


if __name__ == "__main__":
    sys.exit(main())
