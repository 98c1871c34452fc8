"""`python -m local`: the stack on this machine, from the command line.

Nothing of weight is imported before an interruption is a sentence: half a second is time enough for a Ctrl-C.
"""

import os
import signal
import sys


def main() -> int:
    """Run one command; its exit code, 130 when it was interrupted."""
    # Whoever ends this process wants what Ctrl-C wants: everything it started to end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A stream that is closed, as under some supervisors, is None to Python.
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    try:
        from . import commands

        return commands.main()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: what this command had started has ended.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
