"""`rotation-guard`, the console script."""

import sys

_INTERRUPTED = 130
"""As in `errors`, which is not imported yet when Ctrl-C comes early."""


def main() -> None:
    """Run one command, and end the process with its exit code."""
    try:
        from rotation_guard.entry_points import postpone_interruption

        with postpone_interruption():
            from .application import run
        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
