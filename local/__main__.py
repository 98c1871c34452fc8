"""`python -m local`: the command line of the local deployment.

Heavy modules are imported only once Ctrl-C is handled: their import takes half a second.
"""

import signal
import sys

from rotation_guard.entry_points import postpone_interruption, replace_closed_streams


def main() -> int:
    """Run one command and return its exit code, 130 when it was interrupted."""
    # SIGTERM, like Ctrl-C, must stop everything that this process started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    replace_closed_streams()
    try:
        with postpone_interruption():
            from . import commands
        return commands.main()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: everything that this command had started was stopped.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
