"""Holds a file to the rules, without credentials and without the engine.

    python -m policies.check FILE [--format text|json|sarif|junit] [--config FILE]

FILE is the output of `pulumi stack export` or of `pulumi preview --json`; `-` reads it from standard input. Ends with
0 when nothing mandatory was found, 1 when something was, 2 when the file or the configuration is wrong, or is of a
preview that failed.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from . import state_files
from .configuration import InvalidConfiguration
from .evaluation import Report
from .evaluation import check as evaluate
from .formats import FORMATS, escape_unprintable
from .state_files import Contents, NotAnExport

FINE, COMPLAINED, WRONG = 0, 1, 2


class _Wrong(Exception):
    """What was given cannot be checked; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Check, write the report to standard output, and answer the exit code."""
    given = _parser().parse_args(arguments)
    checked = "stdin" if given.file == "-" else given.file
    try:
        contents, report = _checked(given.file, _configuration(given.config))
    except (_Wrong, NotAnExport, InvalidConfiguration) as problem:
        about = given.config if isinstance(problem, InvalidConfiguration) else checked
        _tell(f"{about}: {problem}" if not isinstance(problem, _Wrong) else str(problem))
        return WRONG
    for note in report.notes:
        _tell(f"{checked}: {note}")
    _write(FORMATS[given.format](report, checked))
    # What failed has not been seen whole, so that it cannot be fine.
    return COMPLAINED if report.mandatory else WRONG if contents.failure else FINE


def _checked(file: str, config: dict[str, Any]) -> tuple[Contents, Report]:
    contents = state_files.read(_bytes(file))
    notes = tuple(_notes(contents))
    return contents, replace(evaluate(contents.resources, config, whole=not notes), notes=notes)


def _notes(contents: Contents) -> Iterator[str]:
    """Why the rules about the stack as a whole cannot be applied."""
    single = "only the rules about single resources were applied"
    if contents.failure:
        yield f"The preview failed before it had seen the whole stack, so {single}: {contents.failure}"
    if contents.missing:
        yield (
            f"{contents.missing} unchanged resources are not in this preview, so {single}: make it with "
            "`pulumi preview --json --show-sames`, or check `pulumi stack export`."
        )


def _configuration(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        # An empty file configures nothing, as in CrossGuard.
        return json.loads(_bytes(file).strip() or b"{}")
    except (ValueError, RecursionError) as problem:
        raise _Wrong(f"{file}: The configuration is not JSON: {problem}.") from problem


def _bytes(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as problem:
        raise _Wrong(f"{file}: The file cannot be read: {problem.strerror}.") from problem


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{escape_unprintable(sentence)}\n")


def _write(report: str) -> None:
    """Write it out, whatever the terminal can show, and also to a reader that leaves early."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.stdout.write(report)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with the sentence on standard error, without the control characters of an argument."""
        super().error(escape_unprintable(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="policies.check", description="Holds a Pulumi stack in a file to the rules.")
    parser.add_argument("file", metavar="FILE", help="of `pulumi stack export` or `pulumi preview --json`; - for stdin")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report; text unless given")
    parser.add_argument("--config", metavar="FILE", help="the pack's configuration, as CrossGuard's own")
    return parser


if __name__ == "__main__":
    sys.exit(main())
