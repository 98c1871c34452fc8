"""`python -m local`: the command line of the local deployment.

Heavy modules are imported only once Ctrl-C is handled: their import takes half a second.
"""

import os
import signal
import sys

from rotation_guard.interruptions import postpone_interruption


def main() -> int:
    """Run one command and return its exit code, 130 when it was interrupted."""
    # SIGTERM, like Ctrl-C, must stop everything that this process started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Python sets closed standard streams, as under some supervisors, to None.
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    try:
        with postpone_interruption():
            from . import commands
        return commands.main()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: everything that this command had started was stopped.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
