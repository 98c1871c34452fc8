"""`rotation-guard`, the console script."""

import sys

from rotation_guard.interruptions import postpone_interruption

from .errors import INTERRUPTED


def main() -> None:
    """Run one command, and end the process with its exit code."""
    try:
        with postpone_interruption():
            from .application import run
        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
